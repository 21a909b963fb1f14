package httpapi

import (
	"strings"
	"sync"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi/acl"
)

// authorize finds the caller on the local replica and decides whether it may. Afterwards
// the caller is the zero Record if it is unknown.
func (a *api) authorize(rq *request, rt *route) error {
	if err := rq.openOwn(); err != nil {
		return err
	}
	var known bool
	var rules *acl.ACL
	var unknown policies
	a.store.View(func(m *fsm.Machine) {
		rq.identity, rq.now, rq.epoch, rq.trace.table = m.Identity(), m.Now(a.local()), m.Epoch(), m.Audit()
		rq.point = m.Point()
		if rq.caller, known = rq.identify(m); !known {
			return
		}
		if rules = a.acls.find(m, rq.caller.Policies); rules == nil {
			unknown = policiesOf(m, rq.caller.Policies)
		}
		rq.createOrUpdate(m, rt)
	})
	switch {
	case !known:
		rq.caller = token.Record{}
		return errBadToken
	case !engine.Admits(rq.caller.BoundCIDRs, rq.http.RemoteAddr):
		return errDenied
	}
	if rules == nil {
		rules = a.acls.keep(rq.caller.Policies, unknown)
	}
	rq.decision = rules.Allowed(rq.asked())
	if !rq.decision.Allowed || (rt != nil && rt.sudo && !rq.decision.Sudo) {
		return errDenied
	}
	return nil
}

// asked is the request as policies see it.
func (rq *request) asked() acl.Request {
	return acl.Request{Op: rq.op, Path: rq.path, Data: rq.raw, Wrapped: rq.wrap > 0, WrapTTL: rq.wrap}
}

// createOrUpdate tells the two apart where the route can.
func (rq *request) createOrUpdate(m *fsm.Machine, rt *route) {
	if rt == nil || rt.exists == nil || (rq.op != acl.Update && rq.op != acl.Create) {
		return
	}
	rq.op = acl.Create
	if rq.replaces = rt.exists(rq, m); rq.replaces {
		rq.op = acl.Update
	}
}

// aclCache keeps compiled ACLs by the list of policies.
type aclCache struct {
	mu   sync.Mutex
	acls map[string]cachedACL
}

// cachedACL was compiled from the policies as they were at an epoch.
type cachedACL struct {
	acl   *acl.ACL
	epoch uint64
}

// maxACLs bounds the cache; beyond it, it starts anew.
const maxACLs = 10_000

// find returns the ACL of a list of policies as they are now, if it is known.
func (c *aclCache) find(m *fsm.Machine, names []string) *acl.ACL {
	key := cacheKey(names)
	c.mu.Lock()
	defer c.mu.Unlock()
	found, ok := c.acls[key]
	switch {
	case !ok || m.PoliciesChanged(names, found.epoch):
		return nil
	case found.epoch != m.Epoch(): // other policies have changed
		found.epoch = m.Epoch()
		c.acls[key] = found
	}
	return found.acl
}

// keep compiles an ACL. It needs no lock of the machine.
func (c *aclCache) keep(names []string, p policies) *acl.ACL {
	a := acl.Compile(p.list)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.acls == nil || len(c.acls) >= maxACLs {
		c.acls = map[string]cachedACL{}
	}
	c.acls[cacheKey(names)] = cachedACL{a, p.epoch}
	return a
}

func cacheKey(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names, "\x00")
}

// policies are the contents of a list of policies at an epoch.
type policies struct {
	list  []policy.Policy
	epoch uint64
}

// policiesOf reads a list of policies. One that does not exist gives no rights.
func policiesOf(m *fsm.Machine, names []string) policies {
	p := policies{epoch: m.Epoch()}
	for _, n := range names {
		if n == policy.Root {
			p.list = append(p.list, policy.Policy{Name: policy.Root})
		} else if one, ok := m.Policy(n); ok {
			p.list = append(p.list, one)
		}
	}
	return p
}

// rulesOf returns the ACL of a token. It is compiled outside of the machine's lock, which a long
// policy would hold up.
func (a *api) rulesOf(rec *token.Record) *acl.ACL {
	var rules *acl.ACL
	var p policies
	a.store.View(func(m *fsm.Machine) {
		if rules = a.acls.find(m, rec.Policies); rules == nil {
			p = policiesOf(m, rec.Policies)
		}
	})
	if rules == nil {
		rules = a.acls.keep(rec.Policies, p)
	}
	return rules
}
