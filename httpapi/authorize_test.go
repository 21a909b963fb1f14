package httpapi

import (
	"testing"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
)

// TestACLCache: a compiled ACL is kept while other policies change, and not beyond a change of one of
// its own.
func TestACLCache(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	put := func(name string) {
		t.Helper()
		s.put(rootID, "sys/policies/acl/"+name, obj{"policy": `path "secret/` + name + `" { capabilities = ["read"] }`}).want(204)
	}
	m := s.store.replica
	put("a")
	put("b")
	var c aclCache
	names := []string{"a", "b", "missing"}
	if c.find(m, names) != nil {
		t.Error("an empty cache knows an ACL")
	}
	first := c.keep(names, policiesOf(m, names))
	if c.find(m, names) != first {
		t.Error("the ACL was not kept")
	}
	put("other")
	for range 2 { // the first time it is looked at closely
		if c.find(m, names) != first {
			t.Error("a change of another policy dropped the ACL")
		}
	}
	for _, change := range []string{"b", "missing"} {
		put(change)
		if c.find(m, names) != nil {
			t.Errorf("a change of %s did not drop the ACL", change)
		}
		c.keep(names, policiesOf(m, names))
	}
	s.delete(rootID, "sys/policies/acl/a").want(204)
	if c.find(m, names) != nil {
		t.Error("the deletion of a policy did not drop the ACL")
	}
	if got := policiesOf(m, []string{policy.Root, "gone"}); len(got.list) != 1 || got.list[0].Name != policy.Root || got.epoch != m.Epoch() {
		t.Errorf("root and an unknown policy: %+v", got)
	}
}

// TestSelfLookupNeedsNoReplica: a limited token looks itself up on a replica that has not applied
// the charge, and sees the charge all the same.
func TestSelfLookupNeedsNoReplica(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.token(obj{"num_uses": 3, "policies": arr{"default"}})
	s.store.lag = true
	for left := 2; left >= 0; left-- {
		a := s.get(id, "auth/token/lookup-self").want(200)
		if got := a.body["data"].(obj)["num_uses"]; got != float64(left) {
			t.Errorf("num_uses %v, want %d", got, left)
		}
	}
	s.get(id, "auth/token/lookup-self").want(403)
	uses := 0
	for _, c := range s.store.log {
		if _, ok := c.(*fsm.UseToken); ok {
			uses++
		}
	}
	if uses != 3 {
		t.Errorf("%d uses were charged, want 3", uses)
	}
}
