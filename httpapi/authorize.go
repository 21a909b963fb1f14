package httpapi

import (
	"strings"
	"sync"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/httpapi/acl"
)

// authorize finds the caller on the local replica and decides whether it may.
func (a *api) authorize(rq *request, rt *route) error {
	var known bool
	var rules *acl.ACL
	a.store.View(func(m *fsm.Machine) {
		rq.identity = m.Identity()
		rq.now = m.Now(a.local())
		rq.epoch = m.Epoch()
		if rq.caller, known = m.Lookup(rq.hash(rq.id), rq.now); known {
			rules = a.acls.of(m, rq.caller.Policies)
			if rt != nil && rt.exists != nil && rq.op != acl.Read && rq.op != acl.List && rq.op != acl.Delete {
				rq.op = acl.Create
				if rt.exists(m, rq) {
					rq.op = acl.Update
				}
			}
		}
	})
	if !known {
		rq.caller.Hash = [32]byte{}
		return errBadToken
	}
	if !rq.mayCallFrom() {
		return errDenied
	}
	rq.decision = rules.Allowed(acl.Request{Op: rq.op, Path: rq.path, Data: rq.raw})
	if !rq.decision.Allowed || (rt != nil && rt.sudo && !rq.decision.Sudo) {
		return errDenied
	}
	return nil
}

// aclCache keeps compiled ACLs by the list of policies, for one epoch.
type aclCache struct {
	mu    sync.Mutex
	epoch uint64
	acls  map[string]*acl.ACL
}

// maxACLs bounds the cache; beyond it, it starts anew.
const maxACLs = 10_000

// of returns the ACL of a list of policies at the machine's epoch. A policy that does not
// exist gives no rights.
func (c *aclCache) of(m *fsm.Machine, names []string) *acl.ACL {
	key := strings.Join(names, "\x00")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.acls == nil || c.epoch != m.Epoch() || len(c.acls) >= maxACLs {
		c.acls, c.epoch = map[string]*acl.ACL{}, m.Epoch()
	}
	if a := c.acls[key]; a != nil {
		return a
	}
	var ps []policy.Policy
	for _, n := range names {
		if n == policy.Root {
			ps = append(ps, policy.Policy{Name: policy.Root})
		} else if p, ok := m.Policy(n); ok {
			ps = append(ps, p)
		}
	}
	a := acl.Compile(ps)
	c.acls[key] = a
	return a
}
