package httpapi

import (
	"strings"
	"sync"

	"github.com/gorilla/mux"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi/acl"
)

// authorize finds the caller on the local replica and decides whether it may. Afterwards
// the caller is the zero Record if it is unknown.
func (a *api) authorize(rq *request, rt *route) error {
	var known bool
	var rules *acl.ACL
	a.store.View(func(m *fsm.Machine) {
		rq.identity, rq.now, rq.epoch = m.Identity(), m.Now(a.local()), m.Epoch()
		if rq.caller, known = m.Lookup(rq.hash(rq.id), rq.now); !known {
			return
		}
		rules = a.acls.of(m, rq.caller.Policies)
		rq.createOrUpdate(m, rt)
	})
	switch {
	case !known:
		rq.caller = token.Record{}
		return errBadToken
	case !admits(rq.caller.BoundCIDRs, rq.http.RemoteAddr):
		return errDenied
	}
	rq.decision = rules.Allowed(acl.Request{Op: rq.op, Path: rq.path, Data: rq.raw, Wrapped: rq.wrap > 0, WrapTTL: rq.wrap})
	if !rq.decision.Allowed || (rt != nil && rt.sudo && !rq.decision.Sudo) {
		return errDenied
	}
	return nil
}

// createOrUpdate tells the two apart where the route can.
func (rq *request) createOrUpdate(m *fsm.Machine, rt *route) {
	if rt == nil || rt.exists == nil || (rq.op != acl.Update && rq.op != acl.Create) {
		return
	}
	rq.op = acl.Create
	if rt.exists(m, mux.Vars(rq.http)["role_name"]) {
		rq.op = acl.Update
	}
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
