package httpapi

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

const keyHeader = "Idempotency-Key"

// twice sends a request with a key twice, and wants one answer, byte for byte.
func (s *server) twice(method, id, path string, body any, key string) *answer {
	s.Helper()
	first := s.call(method, id, path, body, keyHeader, key)
	if first.header.Get("Idempotency-Replayed") != "" {
		s.Errorf("%s: the first answer says it is replayed", first.what)
	}
	s.again(first, method, id, path, body, key)
	return first
}

// again wants the answer a once more.
func (s *server) again(a *answer, method, id, path string, body any, key string) {
	s.Helper()
	n := len(s.store.log)
	b := s.call(method, id, path, body, keyHeader, key)
	if b.status != a.status || b.raw != a.raw || b.header.Get("X-Vault-Index") != a.header.Get("X-Vault-Index") {
		s.Errorf("%s: again: %d %s index %s\nwant %d %s index %s", a.what, b.status, b.raw, b.header.Get("X-Vault-Index"), a.status, a.raw, a.header.Get("X-Vault-Index"))
	}
	if b.header.Get("Idempotency-Replayed") != "true" {
		s.Errorf("%s: again: the answer does not say that it is replayed", a.what)
	}
	if len(s.store.log) != n {
		s.Errorf("%s: again: proposed %T", a.what, s.store.log[n])
	}
}

// TestEveryWriteIsReplayed: whatever the state has become, the answer is the first one.
func TestEveryWriteIsReplayed(t *testing.T) {
	s := newServer(t)
	s.put(rootID, "auth/token/roles/ci", obj{"allowed_policies": "default,ghost"}).want(204)
	victim := func() string { return s.token(obj{"ttl": "1h"}) }
	accessorOf := func(id string) string {
		return s.post(rootID, "auth/token/lookup", obj{"token": id}).want(200).text("data.accessor")
	}
	renewable := s.token(obj{"ttl": "1h", "explicit_max_ttl": "2h"})
	for i, tt := range []struct {
		method, path string
		body         any
		status       int
	}{
		{"POST", "auth/token/create", obj{"ttl": "1h", "policies": arr{"ghost", "default"}, "nonsense": 1}, 200},
		{"PUT", "auth/token/create", obj{"ttl": "1h", "id": "my-own"}, 200},
		{"POST", "auth/token/create", "ttl=90000h", 400}, // no JSON: refused by the edge, and not remembered
		{"POST", "auth/token/create-orphan", obj{"ttl": "9000h"}, 200},
		{"POST", "auth/token/create/ci", obj{"ttl": "1h", "policies": "ghost"}, 200},
		{"POST", "auth/token/renew", obj{"token": renewable, "increment": "5h"}, 200},
		{"POST", "auth/token/renew-accessor", obj{"accessor": accessorOf(renewable)}, 200},
		{"POST", "auth/token/revoke", obj{"token": victim()}, 204},
		{"POST", "auth/token/revoke-accessor", obj{"accessor": accessorOf(victim())}, 204},
		{"POST", "auth/token/revoke-accessor", obj{"accessor": "none"}, 200},
		{"POST", "auth/token/revoke-orphan", obj{"token": victim()}, 204},
		{"POST", "auth/token/revoke-orphan", obj{"token": "none"}, 400},
		{"POST", "auth/token/roles/web", obj{"orphan": true}, 204},
		{"DELETE", "auth/token/roles/web", nil, 204},
		{"PUT", "sys/policies/acl/Upper", obj{"policy": `path "a" { capabilities = ["read"] }`}, 200},
		{"DELETE", "sys/policies/acl/upper", nil, 204},
		{"PUT", "sys/leases/revoke-prefix/auth/none", nil, 204},
		{"POST", "sys/auth/token/tune", obj{"description": "d"}, 204},
	} {
		t.Run(fmt.Sprintf("%d %s %s", i, tt.method, tt.path), func(t *testing.T) {
			s.T = t
			key := fmt.Sprintf("key-%d", i)
			first := s.call(tt.method, rootID, tt.path, tt.body, keyHeader, key).want(tt.status)
			if _, ok := tt.body.(string); ok {
				return
			}
			s.delete(rootID, "auth/token/roles/ci")
			s.put(rootID, "sys/policies/acl/ghost", obj{"policy": `path "b" { capabilities = ["read"] }`}).want(204)
			s.again(first, tt.method, rootID, tt.path, tt.body, `"`+key+`"`)
			s.delete(rootID, "sys/policies/acl/ghost").want(204)
			s.put(rootID, "auth/token/roles/ci", obj{"allowed_policies": "default,ghost"}).want(204)
			s.clock = s.clock.Add(time.Minute)
			s.again(first, tt.method, rootID, tt.path, tt.body, key)
		})
	}
}

// TestReplayedTokenWorks: the token of a replayed answer is the one that was made, and is stored nowhere.
func TestReplayedTokenWorks(t *testing.T) {
	s := newServer(t)
	a := s.twice("POST", rootID, "auth/token/create", obj{"ttl": "1h", "policies": "default"}, "k")
	id := a.text("auth.client_token")
	s.get(id, "auth/token/lookup-self").want(200).is("data.accessor", a.at("auth.accessor"))
	if n := len(s.list(rootID, "auth/token/accessors").want(200).at("data.keys").(arr)); n != 2 {
		t.Errorf("%d tokens, want root and one", n)
	}
	for _, c := range s.store.log {
		if _, body, err := fsm.EncodeCommand(c); err != nil || strings.Contains(string(body), id) {
			t.Errorf("%T has the ID in it, %v", c, err)
		}
	}
	// After a day the key is a new one, and so is the token.
	s.post(rootID, "auth/token/revoke", obj{"token": id}).want(204)
	s.clock = s.clock.Add(24 * time.Hour)
	if other := s.call("POST", rootID, "auth/token/create", obj{"ttl": "1h", "policies": "default"}, keyHeader, "k").want(200).text("auth.client_token"); other == id {
		t.Error("a dead token's ID was minted again")
	}
	s.get(id, "auth/token/lookup-self").want(403)
}

func TestKeyReused(t *testing.T) {
	s := newServer(t)
	s.call("POST", rootID, "auth/token/create", obj{"ttl": "1h"}, keyHeader, "k").want(200)
	n := len(s.store.log)
	for _, lag := range []bool{false, true} {
		s.store.lag = lag
		s.call("POST", rootID, "auth/token/create", obj{"ttl": "2h"}, keyHeader, "k").refused(422, "another request")
		s.call("POST", rootID, "auth/token/create-orphan", obj{"ttl": "1h"}, keyHeader, "k").refused(422, "another request")
		s.call("DELETE", rootID, "sys/policies/acl/a", nil, keyHeader, "k").refused(422, "another request")
	}
	if len(s.store.log) != n {
		t.Errorf("proposed %v", s.store.log[n:])
	}
	other := s.token(obj{"ttl": "1h", "policies": "root"})
	s.call("POST", other, "auth/token/create", obj{"ttl": "2m"}, keyHeader, "k").want(200)
	// The same body in another order, by another verb, is the same request.
	s.call("POST", rootID, "auth/token/create", `{"ttl":"1h","policies":["default"]}`, keyHeader, "o").want(200)
	if a := s.call("PUT", rootID, "auth/token/create", ` {"policies": ["default"], "ttl": "1h"}`, keyHeader, "o").want(200); a.header.Get("Idempotency-Replayed") != "true" {
		t.Error("not replayed")
	}
}

func TestBadKeys(t *testing.T) {
	s := newServer(t)
	for key, why := range map[string]string{
		"":                       "has 0",
		strings.Repeat("a", 256): "has 256",
		"a b":                    "character 2",
		"a\u00e4":                "character 2",
		`"`:                      "quotation mark",
		`"a`:                     "quotation mark",
		`"a"b`:                   "quotation mark",
		`"a";x=1`:                "quotation mark",
		`"a\b"`:                  "quotation mark",
		`"a\`:                    "quotation mark",
		`""`:                     "has 0",
		`"a b"`:                  "character 2",
	} {
		s.call("POST", rootID, "auth/token/create", nil, keyHeader, key).refused(400, why)
	}
	for _, key := range []string{"a", strings.Repeat("~", 255), `"` + strings.Repeat("b", 255) + `"`, `"a\"\\b"`, `a"b\`} {
		s.twice("POST", rootID, "auth/token/create", obj{"ttl": "1h"}, key).want(200)
	}
	a := s.call("POST", rootID, "auth/token/create", obj{"ttl": "3h"}, keyHeader, `quoted\"`).want(200)
	s.again(a, "POST", rootID, "auth/token/create", obj{"ttl": "3h"}, `"quoted\\\""`)
}

const readsPolicies = `path "sys/policies/acl/*" { capabilities = ["read", "list"] } path "auth/token/*" { capabilities = ["read", "update"] }`

// TestLimitedReadsAreChargedOnce, the last use included.
func TestLimitedReadsAreChargedOnce(t *testing.T) {
	s := newServer(t)
	id := s.with(readsPolicies, obj{"num_uses": 6, "ttl": "1h"})
	accessor := s.post(rootID, "auth/token/lookup", obj{"token": id}).text("data.accessor")
	s.twice("GET", id, "auth/token/lookup-self", nil, "1").want(200).is("data.num_uses", 5).is("data.id", id)
	s.twice("POST", id, "auth/token/lookup", obj{"token": id}, "2").want(200).is("data.num_uses", 4)
	s.twice("POST", id, "auth/token/lookup-accessor", obj{"accessor": accessor}, "3").want(200).is("data.num_uses", 3)
	s.twice("GET", id, "sys/policies/acl/default", nil, "4").want(200)
	s.twice("GET", id, "sys/policies/acl/none", nil, "5").want(404)
	if n := s.usesLeft(id); n != 1 {
		t.Fatalf("%d uses left, want 1", n)
	}
	last := s.twice("POST", id, "auth/token/lookup", obj{"token": rootID}, "6").want(200)
	if n := s.usesLeft(id); n != -1 {
		t.Errorf("%d uses left, want a dead token", n)
	}
	s.clock = s.clock.Add(time.Minute)
	s.again(last, "POST", id, "auth/token/lookup", obj{"token": rootID}, "6")
	s.call("POST", id, "auth/token/lookup", obj{"token": rootID}, keyHeader, "7").want(403)
	s.call("POST", id, "auth/token/lookup", obj{"token": "other"}, keyHeader, "6").refused(422, "another request")
	// Revoked, it is told nothing any more; so it is after its deadline.
	s.post(rootID, "auth/token/revoke-accessor", obj{"accessor": accessor}).want(200)
	s.call("POST", id, "auth/token/lookup", obj{"token": rootID}, keyHeader, "6").want(403)
}

// TestLimitedRefusalsAreChargedOnce: what the edge refuses, too.
func TestLimitedRefusalsAreChargedOnce(t *testing.T) {
	s := newServer(t)
	id := s.with(`path "auth/token/revoke" { capabilities = ["update"] }`, obj{"num_uses": 4, "ttl": "1h"})
	s.twice("POST", id, "auth/token/create", obj{"ttl": "1h"}, "1").want(403)
	s.twice("POST", id, "auth/token/revoke", obj{}, "2").refused(400, "missing token ID")
	s.twice("GET", id, "sys/policies/acl/none", nil, "3").want(403)
	if n := s.usesLeft(id); n != 1 {
		t.Fatalf("%d uses left, want 1", n)
	}
	s.twice("POST", id, "auth/token/revoke", obj{"token": "none"}, "4").want(204)
	if n := s.usesLeft(id); n != -1 {
		t.Errorf("%d uses left, want a dead token", n)
	}
}

func TestRevokeSelfIsReplayed(t *testing.T) {
	s := newServer(t)
	id := s.token(obj{"ttl": "1h"})
	made := s.twice("POST", id, "auth/token/create", obj{"ttl": "1h"}, "make").want(200)
	s.twice("POST", id, "auth/token/revoke-self", nil, "end").want(204)
	s.call("POST", id, "auth/token/create", obj{"ttl": "1h"}, keyHeader, "make").want(403)
	s.get(made.text("auth.client_token"), "auth/token/lookup-self").want(403)
}

// TestReplaysOnAnotherNode: a replica that lags knows neither the record nor that its caller is used up.
func TestReplaysOnAnotherNode(t *testing.T) {
	s := newServer(t)
	limited := s.token(obj{"num_uses": 1, "ttl": "1h"})
	s.store.lag = true
	s.twice("GET", limited, "auth/token/lookup-self", nil, "1").want(200)
	body := obj{"ttl": "1h"}
	first := s.call("POST", rootID, "auth/token/create", body, keyHeader, "2").want(200)
	s.again2(first, "POST", rootID, "auth/token/create", body, "2")
	// A caller that was revoked elsewhere is told nothing, though this replica has the record.
	caller := s.token(obj{"ttl": "1h"})
	first = s.call("POST", caller, "auth/token/create", body, keyHeader, "3").want(200)
	s.again2(first, "POST", caller, "auth/token/create", body, "3")
	s.post(rootID, "auth/token/revoke", obj{"token": caller}).want(204)
	s.call("POST", caller, "auth/token/create", body, keyHeader, "3").want(403)
}

// again2 is again where the machine has to say that the key is known.
func (s *server) again2(a *answer, method, id, path string, body any, key string) {
	s.Helper()
	b := s.call(method, id, path, body, keyHeader, key)
	if b.status != a.status || b.raw != a.raw || b.header.Get("Idempotency-Replayed") != "true" {
		s.Errorf("%s: again: %d %s %v\nwant %d %s", a.what, b.status, b.raw, b.header, a.status, a.raw)
	}
}

// TestConcurrentDuplicate: the same request is applied by another node while this one is on its way.
func TestConcurrentDuplicate(t *testing.T) {
	s := newServer(t)
	limited := s.with(`path "a" { capabilities = ["read"] }`, obj{"num_uses": 3, "ttl": "1h"})
	for i, tt := range []struct {
		id, method, path string
		status           int
	}{{rootID, "POST", "auth/token/create", 200}, {limited, "GET", "auth/token/lookup-self", 403}, {limited, "POST", "auth/token/create", 403}} {
		var first *answer
		key := fmt.Sprint(i)
		s.store.lag = true
		s.store.before = func() { first = s.call(tt.method, tt.id, tt.path, nil, keyHeader, key).want(tt.status) }
		second := s.call(tt.method, tt.id, tt.path, nil, keyHeader, key)
		if second.raw != first.raw || second.header.Get("Idempotency-Replayed") != "true" {
			t.Errorf("%s: the duplicate got %d %s\nwant %s", tt.path, second.status, second.raw, first.raw)
		}
	}
	if n := s.usesLeft(limited); n != 1 {
		t.Errorf("%d uses left, want 1", n)
	}
}

// TestUnavailableIsNotRemembered: the retry of what did not happen happens.
func TestUnavailableIsNotRemembered(t *testing.T) {
	s := newServer(t)
	s.store.propose = func() error { return fsm.Errorf(fsm.Unavailable, "no leader") }
	s.call("POST", rootID, "auth/token/create", obj{"ttl": "1h"}, keyHeader, "k").want(503)
	s.store.propose = nil
	s.twice("POST", rootID, "auth/token/create", obj{"ttl": "1h"}, "k").want(200)
}

func TestTooManyKeys(t *testing.T) {
	s := newServer(t)
	id := s.token(obj{"ttl": "100h"})
	for i := range 1000 {
		s.call("POST", id, "auth/token/revoke", obj{"token": "none"}, keyHeader, fmt.Sprint(i)).want(204)
	}
	a := s.call("POST", id, "auth/token/revoke", obj{"token": "none"}, keyHeader, "x")
	a.refused(http.StatusTooManyRequests, "1000 idempotency keys")
	s.post(id, "auth/token/revoke", obj{"token": "none"}).want(204)
	s.clock = s.clock.Add(24 * time.Hour)
	s.call("POST", id, "auth/token/revoke", obj{"token": "none"}, keyHeader, "x").want(204)
}

// TestKeysOfReadsAreIgnored where nothing is charged.
func TestKeysOfReadsAreIgnored(t *testing.T) {
	s := newServer(t)
	s.call("GET", rootID, "auth/token/lookup-self", nil, keyHeader, "k").want(200)
	s.call("POST", rootID, "auth/token/create", obj{"ttl": "1h"}, keyHeader, "k").want(200)
	if a := s.call("GET", rootID, "sys/ha-status", nil, keyHeader, "k").want(200); a.header.Get("Idempotency-Replayed") != "" {
		t.Error("a read was replayed")
	}
	s.call("POST", rootID, "sys/step-down", nil, keyHeader, "s").want(204)
	s.call("POST", rootID, "sys/step-down", nil, keyHeader, "s").want(204)
	if len(s.cluster.asked) != 2 {
		t.Errorf("asked %v", s.cluster.asked)
	}
}

// TestBoundCIDRsOfReplays: what must not be used from an address is not told there either.
func TestBoundCIDRsOfReplays(t *testing.T) {
	s := newServer(t)
	s.put(rootID, "auth/token/roles/local", obj{"token_bound_cidrs": "192.0.2.0/24", "allowed_policies": "default"}).want(204)
	id := s.post(rootID, "auth/token/create/local", obj{"num_uses": 1, "ttl": "1h", "policies": "default"}).want(200).text("auth.client_token")
	a := s.twice("GET", id, "auth/token/lookup-self", nil, "k").want(200)
	s.remote = "198.51.100.7:1"
	s.call("GET", id, "auth/token/lookup-self", nil, keyHeader, "k").want(403)
	s.remote = "192.0.2.9:1"
	s.again(a, "GET", id, "auth/token/lookup-self", nil, "k")
}

func FuzzParseKey(f *testing.F) {
	for _, s := range []string{"a", `"a"`, `"a\"\\"`, `"`, ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		k, err := parseKey([]string{s})
		if err != nil {
			return
		}
		quoted := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(k) + `"`
		if again, err := parseKey([]string{quoted}); err != nil || again != k {
			t.Errorf("%q is %q, and %q is %q, %v", s, k, quoted, again, err)
		}
	})
}

// TestSaltOfAStartingNode: a node that has just started may look at a request before it has the cluster's salt;
// what was derived then must not stay.
func TestSaltOfAStartingNode(t *testing.T) {
	t.Parallel()
	derived := func(salts ...token.Salt) *keyed {
		rq := &request{}
		rq.id = "hvs.somebody"
		k := &keyed{text: "key"}
		for _, s := range salts {
			rq.identity.Salt = s
			if err := k.derive(rq); err != nil {
				t.Fatal(err)
			}
		}
		return k
	}
	salt := token.Salt{1, 2, 3}
	early, late := derived(token.Salt{}, salt), derived(salt)
	if early.key != late.key || early.request != late.request || !bytes.Equal(early.secret, late.secret) {
		t.Error("a request that a node saw before its salt has another key")
	}
}
