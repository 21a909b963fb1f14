package httpapi

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi/acl"
)

func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.token(obj{"policies": arr{"default"}})
	for _, c := range []struct {
		name    string
		headers []string
		status  int
		part    string
	}{
		{"no token", nil, 403, "permission denied"},
		{"unknown token", []string{"X-Vault-Token", "hvs.none"}, 403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"},
		{"header", []string{"X-Vault-Token", id}, 200, ""},
		{"bearer", []string{"Authorization", "Bearer " + id}, 200, ""},
		{"basic is no token", []string{"Authorization", "Basic " + id}, 403, "permission denied"},
		{"the header wins", []string{"X-Vault-Token", "x", "Authorization", "Bearer " + id}, 403, "invalid token"},
		{"namespaces do not matter", []string{"X-Vault-Token", id, "X-Vault-Namespace", "root"}, 200, ""},
	} {
		a := s.call("GET", "", "auth/token/lookup-self", nil, c.headers...)
		if a.status == 200 && c.status == 200 {
			a.is("data.id", id)
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			a.T = t
			a.refused(c.status, c.part)
		})
	}
	if got := s.call("GET", "", "auth/token/lookup-self", nil).raw; got != `{"errors":["permission denied"]}`+"\n" {
		t.Errorf("without a token: %q", got)
	}
}

func TestRouting(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	weak := s.token(obj{"policies": arr{"default"}})
	for _, c := range []struct {
		method, id, path string
		status           int
		part             string
	}{
		{"GET", rootID, "nowhere/x", 404, `no handler for route "nowhere/x". route entry not found.`},
		{"GET", weak, "nowhere/x", 403, "permission denied"},
		{"GET", rootID, "auth/token/nosuch", 404, "1 error occurred:\n\t* unsupported path\n\n"},
		{"POST", rootID, "sys/nosuch", 404, "unsupported path"},
		{"GET", weak, "auth/token/nosuch", 403, "permission denied"},
		{"GET", rootID, "auth/token/create", 405, "1 error occurred:\n\t* unsupported operation\n\n"},
		{"DELETE", rootID, "auth/token/lookup-self", 405, "unsupported operation"},
		{"GET", rootID, "auth/token/lookup-self/", 404, "unsupported path"},
		{"LIST", rootID, "auth/token/create", 404, "unsupported path"},
		{"LIST", rootID, "sys/policies/acl/x", 405, "unsupported operation"},
		{"GET", rootID, "auth/token/accessors", 404, "unsupported path"},
		{"GET", rootID, "auth/token/roles", 405, "unsupported operation"},
		{"POST", rootID, "auth/token/roles/-x", 404, "unsupported path"},
		{"POST", rootID, "auth/token/create/a/b", 404, "unsupported path"},
		{"GET", rootID, "auth/token/roles/..", 404, "unsupported path"},
		{"GET", rootID, "sys/policies/acl/../x", 404, "unsupported path"},
		{"GET", rootID, "auth/token/roles?list=banana", 400, ""},
		{"GET", rootID, "auth/token/roles?list=0", 405, "unsupported operation"},
		{"FOO", rootID, "auth/token/create", 405, ""},
		{"OPTIONS", rootID, "auth/token/create", 405, ""},
		{"PATCH", rootID, "auth/token/lookup-self", 400, "mime: no media type"},
		{"POST", rootID, "sys/health", 405, ""},
		{"DELETE", rootID, "sys/leader", 405, ""},
		{"GET", rootID, "sys/policies/acl/%FF", 400, "UTF-8"},
		{"GET", rootID, "auth/token/lookup?token=%FF", 400, "UTF-8"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			a := s.call(c.method, c.id, c.path, nil)
			a.T = t
			a.refused(c.status, c.part)
		})
	}
	if a := s.call("HEAD", rootID, "auth/token/lookup-self", nil); a.status != 405 {
		t.Errorf("HEAD: %d, want 405", a.status)
	}
	if a := s.call("HEAD", weak, "auth/token/lookup-self", nil); a.status != 403 {
		t.Errorf("HEAD without rights to it: %d, want 403", a.status)
	}
	s.call("PATCH", rootID, "auth/token/lookup-self", obj{}, "Content-Type", "application/json").refused(415, "PATCH requires Content-Type of application/merge-patch+json, provided application/json")
	s.call("PATCH", rootID, "auth/token/lookup-self", obj{}, "Content-Type", "application/merge-patch+json").refused(405, "unsupported operation")
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for _, a := range []*answer{s.get(rootID, "auth/token/lookup-self"), s.get("", "sys/health"), s.get("", "x"), s.post(rootID, "auth/token/tidy", nil)} {
		for h, want := range map[string]string{"Cache-Control": "no-store", "Content-Type": "application/json", "Strict-Transport-Security": "max-age=31536000; includeSubDomains"} {
			if got := a.header.Get(h); got != want {
				t.Errorf("%s: header %s is %q, want %q", a.what, h, got, want)
			}
		}
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, httptest.NewRequest("GET", "/v2/x", nil))
	if w.Code != 404 || !strings.HasPrefix(w.Result().Header.Get("Content-Type"), "text/plain") {
		t.Errorf("outside /v1/: %d %v", w.Code, w.Result().Header)
	}
}

// A request of a limited token costs one use, whatever becomes of it.
func TestChargedOnce(t *testing.T) {
	t.Parallel()
	const text = `path "auth/token/*" { capabilities = ["create","read","update","delete","list"] }
		path "sys/leases/revoke" { capabilities = ["update"] }`
	for _, c := range []struct {
		name, method, path string
		body               any
		status             int
		uses               int // that it costs
	}{
		{"a read", "GET", "auth/token/lookup-self", nil, 200, 1},
		{"a lookup by POST", "POST", "auth/token/lookup", obj{}, 200, 1},
		{"a lookup that fails", "POST", "auth/token/lookup", obj{"token": "x"}, 403, 1},
		{"a write", "POST", "auth/token/renew-self", nil, 200, 1},
		{"a write that apply refuses", "POST", "auth/token/revoke-orphan", obj{"token": "x"}, 403, 1},
		{"a write that the edge refuses", "POST", "auth/token/create", obj{}, 400, 1},
		{"a write that does nothing", "POST", "sys/leases/revoke", obj{"lease_id": "none"}, 204, 1},
		{"denied", "GET", "sys/policies/acl/default", nil, 403, 1},
		{"a wrong field", "POST", "auth/token/renew-self", obj{"increment": "x"}, 400, 1},
		{"an unknown path", "GET", "auth/token/nosuch", nil, 404, 1},
		{"a wrong verb", "DELETE", "auth/token/lookup-self", nil, 405, 1},
		{"missing", "GET", "auth/token/roles/none", nil, 404, 1},
		{"not JSON", "POST", "auth/token/renew-self", "{", 400, 0},
		{"no token needed", "GET", "sys/health", nil, 200, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			id := s.with(text, obj{"num_uses": 5, "ttl": "1h"})
			for _, lag := range []bool{false, true} {
				s.store.lag = lag
				before := s.usesLeft(id)
				s.call(c.method, id, c.path, c.body).want(c.status)
				if got := before - s.usesLeft(id); got != c.uses {
					t.Errorf("lag %v: cost %d uses, want %d", lag, got, c.uses)
				}
			}
		})
	}
}

func TestLastUseIsServed(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.token(obj{"policies": arr{"default"}, "num_uses": 2})
	s.get(id, "auth/token/lookup-self").want(200).is("data.num_uses", 1)
	s.get(id, "auth/token/lookup-self").want(200).is("data.num_uses", 0)
	s.get(id, "auth/token/lookup-self").refused(403, "invalid token")

	// A token with one use left may look itself up by its accessor, too.
	id = s.with(`path "auth/token/lookup-accessor" { capabilities = ["update"] }`, obj{"num_uses": 1})
	accessor := s.post(rootID, "auth/token/lookup", obj{"token": id}).want(200).text("data.accessor")
	s.post(id, "auth/token/lookup-accessor", obj{"accessor": accessor}).want(200).is("data.id", "").is("data.num_uses", 0)
	if got := s.usesLeft(id); got != -1 {
		t.Errorf("uses left %d after the last one, want it dead", got)
	}
}

// What a lagging replica does not know yet is not refused.
func TestLaggingReplica(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.store.lag = true
	id := s.token(obj{"policies": arr{"default"}})
	s.get(id, "auth/token/lookup-self").want(200)
	weak := s.with(`path "auth/token/roles/r" { capabilities = ["create"] }`)
	s.post(weak, "auth/token/roles/r", obj{}).want(204)
	s.post(weak, "auth/token/roles/r", obj{}).refused(403, "permission denied")
	s.post(rootID, "auth/token/create/r", obj{}).want(200)

	parent := s.token(obj{"policies": arr{"default"}, "ttl": "1h"})
	lease := "auth/token/create/h" + s.hash(parent)
	s.put(rootID, "sys/leases/revoke", obj{"lease_id": lease}).want(204)
	s.get(parent, "auth/token/lookup-self").refused(403, "invalid token")

	s.put(rootID, "sys/policies/acl/new", obj{"policy": `path "x" { capabilities = ["read"] }`}).want(204)
	s.post(rootID, "auth/token/create", obj{"policies": arr{"new"}}).want(200).warns()
}

// hash is the stored form of an ID.
func (s *server) hash(id string) (h string) {
	s.store.View(func(m *fsm.Machine) { h = m.Identity().Salt.Hash(token.ID(id)).String() })
	return h
}

// A policy that changes between the decision and its effect is never raced.
func TestPolicyChangesMeanwhile(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.put(rootID, "sys/policies/acl/p", obj{"policy": `path "auth/token/create" { capabilities = ["update"] }`}).want(204)
	id := s.token(obj{"policies": arr{"p"}})
	s.store.before = func() {
		s.put(rootID, "sys/policies/acl/p", obj{"policy": `path "x" { capabilities = ["read"] }`}).want(204)
	}
	s.post(id, "auth/token/create", obj{}).refused(403, "permission denied")

	// One that still allows it costs a second look, which says nothing twice.
	const allows = `path "auth/token/create" { capabilities = ["update"] }`
	s.put(rootID, "sys/policies/acl/p", obj{"policy": allows}).want(204)
	s.store.before = func() { s.put(rootID, "sys/policies/acl/p", obj{"policy": allows + " # again"}).want(204) }
	s.post(id, "auth/token/create", obj{"ttl": "769h"}).want(200).warns(`TTL of "769h" exceeded the effective max_ttl of "768h"; TTL value is capped accordingly`)

	// One that changes all the time ends in a refusal, not in a loop.
	s.put(rootID, "sys/policies/acl/p", obj{"policy": `path "auth/token/create" { capabilities = ["update"] }`}).want(204)
	n := 0
	var change func()
	change = func() {
		n++
		s.put(rootID, "sys/policies/acl/p", obj{"policy": fmt.Sprintf(`path "auth/token/create" { capabilities = ["update"] } # %d`, n)}).want(204)
		s.store.before = change
	}
	s.store.before = change
	a := s.post(id, "auth/token/create", obj{})
	s.store.before = nil
	a.refused(503, "change faster")
	if a.header.Get("Retry-After") != "1" {
		t.Error("503 without Retry-After")
	}
}

func TestTrouble(t *testing.T) {
	t.Parallel()
	gone := func() error { return fsm.Errorf(fsm.Unavailable, "no leader") }
	for _, c := range []struct {
		name             string
		barrier, propose func() error
		method           string
		path             string
		status           int
		part             string
	}{
		{"no quorum, read", gone, nil, "GET", "auth/token/lookup-self", 503, "no leader"},
		{"no quorum, write", nil, gone, "POST", "auth/token/create", 503, "no leader"},
		{"outcome unknown", nil, func() error { return fsm.Errorf(fsm.OutcomeUnknown, "whether it was applied is unknown") }, "POST", "auth/token/create", 500, "unknown"},
		{"out of time, write", nil, func() error { return context.DeadlineExceeded }, "POST", "auth/token/create", 500, "whether the write was applied is unknown"},
		{"out of time, read", func() error { return context.DeadlineExceeded }, nil, "GET", "auth/token/lookup-self", 503, "in time"},
		{"a bug", nil, func() error { return fmt.Errorf("secret detail") }, "POST", "auth/token/create", 500, "internal error"},
		{"a panic", nil, func() error { panic("secret detail") }, "POST", "auth/token/create", 500, "internal error"},
		{"ha-status without a quorum", gone, gone, "GET", "sys/ha-status", 200, ""},
		{"raft configuration without a quorum", gone, gone, "GET", "sys/storage/raft/configuration", 200, ""},
		{"health without a quorum", gone, gone, "GET", "sys/health", 200, ""},
		{"leader without a quorum", gone, gone, "GET", "sys/leader", 200, ""},
		{"seal-status without a quorum", gone, gone, "GET", "sys/seal-status", 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.store.barrier, s.store.propose = c.barrier, c.propose
			a := s.call(c.method, rootID, c.path, nil)
			if c.status == 200 {
				a.want(200)
				return
			}
			a.refused(c.status, c.part)
			if strings.Contains(a.raw, "secret detail") {
				t.Errorf("the answer shows an internal error: %s", a.raw)
			}
			if got := a.header.Get("Retry-After"); (got == "1") != (c.status == 503) {
				t.Errorf("Retry-After %q with %d", got, c.status)
			}
		})
	}
	t.Run("an unknown token is not believed without a quorum", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		s.store.barrier = gone
		s.get("nobody", "sys/ha-status").refused(503, "no leader")
		s.post("nobody", "auth/token/create", nil).refused(503, "no leader")
	})
	t.Run("nobody is charged for what did not happen", func(t *testing.T) {
		t.Parallel()
		s := newServer(t)
		id := s.token(obj{"policies": arr{"default"}, "num_uses": 3})
		s.store.propose = gone
		s.get(id, "auth/token/lookup-self").refused(503, "no leader")
		s.get(id, "sys/policies/acl/x").refused(503, "no leader")
		s.store.propose = nil
		if got := s.usesLeft(id); got != 3 {
			t.Errorf("%d uses left, want 3", got)
		}
	})
}

func TestIndexHeaders(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a := s.post(rootID, "auth/token/create", nil).want(200)
	index := a.header.Get("X-Vault-Index")
	if index == "" || index == "0" || index != a.header.Get("X-Grove-Index") {
		t.Errorf("index headers %q and %q after a write", index, a.header.Get("X-Grove-Index"))
	}
	if got := s.get(rootID, "auth/token/lookup-self").want(200).header.Get("X-Vault-Index"); got != "" {
		t.Errorf("a read of an unlimited token has index %q", got)
	}
	s.call("GET", rootID, "auth/token/lookup-self", nil, "X-Vault-Index", index).want(200)
	s.call("GET", rootID, "auth/token/lookup-self", nil, "X-Grove-Index", "999999").refused(503, "999999")
	s.call("GET", rootID, "auth/token/lookup-self", nil, "X-Vault-Index", "v1:x").refused(400, "X-Vault-Index")
	if got := s.post(rootID, "auth/token/renew-self", nil).header.Get("X-Vault-Index"); got == "" {
		t.Error("a refusal by apply carries no index")
	}
}

func TestStaleReads(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.token(obj{"policies": arr{"default"}, "num_uses": 5})
	s.clock = s.clock.Add(3 * time.Second)
	barriers := s.store.barriers
	a := s.call("GET", rootID, "auth/token/lookup-self", nil, "X-Grove-Consistency", "stale").want(200)
	if s.store.barriers != barriers || a.header.Get("X-Grove-Age-Ms") != "3000" {
		t.Errorf("%d barriers, age %q; want none and 3000", s.store.barriers-barriers, a.header.Get("X-Grove-Age-Ms"))
	}
	// A refusal is not believed, and a use is charged on the leader.
	s.call("GET", "nobody", "auth/token/lookup-self", nil, "X-Grove-Consistency", "stale").refused(403, "invalid token")
	if s.store.barriers == barriers {
		t.Error("a refusal was believed without a barrier")
	}
	a = s.call("GET", id, "auth/token/lookup-self", nil, "X-Grove-Consistency", "stale").want(200).is("data.num_uses", 4)
	if got := a.header.Get("X-Grove-Age-Ms"); got != "" {
		t.Errorf("a read that charged says it is %q ms old", got)
	}
}

func TestWrapping(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.call("POST", rootID, "auth/token/create", obj{}, "X-Vault-Wrap-TTL", "60").refused(400, "wrapping")
	s.call("POST", rootID, "auth/token/create", obj{}, "X-Vault-Wrap-TTL", "0").want(200)
	s.call("POST", rootID, "auth/token/create", obj{}, "X-Vault-Wrap-TTL", "-1").refused(400, "X-Vault-Wrap-TTL")
	s.call("POST", rootID, "auth/token/create", obj{}, "X-Vault-Wrap-TTL", "soon").refused(400, "X-Vault-Wrap-TTL")
	if n := len(s.store.log); n != 1 {
		t.Errorf("%d commands, want 1: nothing may be issued unwrapped", n)
	}
}

func TestBoundCIDRs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.post(rootID, "auth/token/roles/r", obj{"token_bound_cidrs": "192.0.2.0/24, 10.0.0.1/32", "allowed_policies": "default"}).want(204)
	parent := s.post(rootID, "auth/token/create/r", nil).want(200).text("auth.client_token")
	s.get(parent, "auth/token/lookup-self").want(200).is("data.bound_cidrs", arr{"192.0.2.0/24", "10.0.0.1"})
	for remote, status := range map[string]int{"192.0.2.200:1": 200, "10.0.0.1:1": 200, "10.0.0.2:1": 403, "[2001:db8::1]:1": 403, "[::ffff:10.0.0.1]:1": 200, "@": 403} {
		s.remote = remote
		s.get(parent, "auth/token/lookup-self").want(status)
	}
}

func TestChildInheritsBoundCIDRs(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.put(rootID, "sys/policies/acl/maker", obj{"policy": `path "auth/token/*" { capabilities = ["create","read","update","sudo"] }`}).want(204)
	s.post(rootID, "auth/token/roles/r", obj{"bound_cidrs": arr{"192.0.2.1"}}).want(204)
	parent := s.post(rootID, "auth/token/create/r", obj{"policies": arr{"maker"}}).want(200).text("auth.client_token")
	child := s.post(parent, "auth/token/create", nil).want(200).text("auth.client_token")
	s.get(child, "auth/token/lookup-self").want(200).is("data.bound_cidrs", arr{"192.0.2.1"})
	orphan := s.post(parent, "auth/token/create", obj{"no_parent": true}).want(200).text("auth.client_token")
	s.get(orphan, "auth/token/lookup-self").want(200).is("data.bound_cidrs", nil)
	s.remote = "198.51.100.1:1"
	s.get(child, "auth/token/lookup-self").refused(403, "permission denied")
	s.get(orphan, "auth/token/lookup-self").want(200)
}

func TestConfig(t *testing.T) {
	t.Parallel()
	store := &fakeStore{}
	for name, c := range map[string]Config{
		"no store":          {Cluster: &fakeCluster{}},
		"no cluster":        {Store: store},
		"negative":          {Store: store, Cluster: &fakeCluster{}, DefaultTTL: -1},
		"default above max": {Store: store, Cluster: &fakeCluster{}, DefaultTTL: 2, MaxTTL: 1},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	c := Config{Store: store, Cluster: &fakeCluster{}, MaxTTL: time.Hour}
	if err := c.Validate(); err != nil || c.DefaultTTL != time.Hour || c.Logger == nil || c.Now == nil || c.Rand == nil {
		t.Errorf("zero values: %+v, %v", c, err)
	}
}

// Every route has what the adapter relies on.
func TestRouteTable(t *testing.T) {
	t.Parallel()
	for _, rt := range routes {
		if len(rt.ops) == 0 {
			t.Errorf("%s serves nothing", rt.path)
		}
		for op, o := range rt.ops {
			if o.run == nil {
				t.Errorf("%s: operation %d has no handler", rt.path, op)
			}
			if rt.open && (o.write || rt.sudo) {
				t.Errorf("%s: open, but with a caller", rt.path)
			}
			if o.write && (op == acl.Read || op == acl.List) {
				t.Errorf("%s: a read that writes", rt.path)
			}
		}
	}
}

// A request that needs no command is not answered either, when its use can no longer be charged.
func TestUseThatIsGone(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.with(`path "sys/leases/revoke" { capabilities = ["update"] }`, obj{"num_uses": 1})
	s.store.before = func() { s.post(rootID, "auth/token/revoke", obj{"token": id}).want(204) }
	s.put(id, "sys/leases/revoke", obj{"lease_id": "none"}).refused(403, "invalid token")
}
