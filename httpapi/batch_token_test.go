package httpapi

import (
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// batch makes a batch token as the token with id and returns its ID.
func (s *server) batch(id string, body obj) string {
	s.Helper()
	b := obj{"type": "batch", "ttl": "10m"}
	for k, v := range body {
		b[k] = v
	}
	return s.post(id, "auth/token/create", b).want(200).text("auth.client_token")
}

const invalidToken = "invalid token"

func TestBatchToken(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a := s.post(rootID, "auth/token/create", obj{"type": "batch", "policies": arr{"default"}, "ttl": "10m", "meta": obj{"k": "v"}, "renewable": true}).want(200).
		warns().is("auth.accessor", "").is("auth.token_type", "batch").is("auth.renewable", false).is("auth.lease_duration", 600).is("auth.orphan", false).is("auth.metadata", obj{"k": "v"})
	id := a.text("auth.client_token")
	if !strings.HasPrefix(id, "hvb.") || len(s.store.log) != 0 {
		t.Errorf("token %q, %d entries, want hvb. and none", id, len(s.store.log))
	}
	s.clock = s.clock.Add(time.Minute)
	want := obj{
		"accessor": "", "creation_time": 1_800_000_000, "creation_ttl": 600, "display_name": "token", "entity_id": "", "expire_time": "2027-01-15T08:10:00Z",
		"explicit_max_ttl": 0, "id": id, "issue_time": "2027-01-15T08:00:00Z", "meta": obj{"k": "v"}, "num_uses": 0, "orphan": false, "path": "auth/token/create",
		"policies": arr{"default"}, "renewable": false, "ttl": 540, "type": "batch",
	}
	s.get(id, "auth/token/lookup-self").want(200).is("data", want)
	s.post(rootID, "auth/token/lookup", obj{"token": id}).want(200).is("data", want)
	s.post(id, "sys/capabilities-self", obj{"paths": arr{"auth/token/lookup-self"}}).want(200).is("data.capabilities", arr{"read"})
	s.post(rootID, "sys/capabilities", obj{"token": id, "paths": arr{"sys/health"}}).want(200).is("data.capabilities", arr{"deny"})
	s.post(rootID, "auth/token/create", obj{"type": "batch", "policies": arr{"nobody"}}).want(200).warns(`Policy "nobody" does not exist`).is("auth.lease_duration", 2764800)
	s.post(rootID, "auth/token/create-orphan", obj{"type": "batch", "policies": arr{"default"}, "ttl": "5m"}).want(200).is("auth.orphan", true).is("auth.lease_duration", 300)
	s.clock = s.clock.Add(9 * time.Minute)
	s.get(id, "auth/token/lookup-self").refused(403, invalidToken)
	s.post(rootID, "auth/token/lookup", obj{"token": id}).refused(403, "bad token")
}

func TestBatchTokenRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.post(rootID, "auth/token/roles/uses", obj{"token_num_uses": 5}).want(204)
	for _, c := range []struct {
		body obj
		part string
	}{
		{obj{"num_uses": 3}, `batch tokens cannot have "num_uses" set`},
		{obj{"period": "1h"}, `batch tokens cannot have "period" set`},
		{obj{"explicit_max_ttl": "1h"}, `batch tokens cannot have "explicit_max_ttl" set`},
		{obj{"id": "mine"}, `batch tokens cannot have "id" set`},
		{obj{"policies": arr{"root"}}, "batch tokens cannot be root tokens"},
		{obj{"policies": nil}, "batch tokens cannot be root tokens"}, // inherited
		{obj{"meta": obj{"k": strings.Repeat("x", 5000)}}, "a batch token holds at most 4096 bytes"},
	} {
		body := obj{"type": "batch", "policies": arr{"default"}, "ttl": "10m"}
		for k, v := range c.body {
			body[k] = v
		}
		s.post(rootID, "auth/token/create", body).refused(400, c.part)
	}
	s.post(rootID, "auth/token/create/uses", obj{"type": "batch", "policies": arr{"default"}}).refused(400, `batch tokens cannot have "num_uses" set`)
	s.post(rootID, "auth/token/create", obj{"type": "batch", "policies": arr{"default"}, "period": "0", "explicit_max_ttl": 0}).want(200)
	limited := s.token(obj{"policies": arr{"root"}, "ttl": "1h", "num_uses": 2})
	s.post(limited, "auth/token/create", obj{"type": "batch", "policies": arr{"default"}}).refused(400, "restricted use token cannot generate child tokens")
	if n := s.usesLeft(limited); n != 1 {
		t.Errorf("%d uses left, want 1", n)
	}
}

// TestBatchTokenAsCaller: what a batch token may not do, and that it may what its policies say.
func TestBatchTokenAsCaller(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.put(rootID, "sys/policies/acl/all", obj{"policy": `path "*" { capabilities = ["create", "read", "update", "delete", "list", "sudo"] }`}).want(204)
	id := s.batch(rootID, obj{"policies": arr{"all"}})
	s.post(id, "auth/token/create", obj{}).refused(400, "batch tokens cannot create more tokens")
	for _, path := range []string{"renew-self", "revoke-self"} {
		text := map[string]string{"renew-self": "batch tokens cannot be renewed", "revoke-self": "batch tokens cannot be revoked"}[path]
		s.post(id, "auth/token/"+path, obj{}).refused(400, text)
	}
	s.post(rootID, "auth/token/renew", obj{"token": id}).refused(400, "batch tokens cannot be renewed")
	s.post(rootID, "auth/token/revoke", obj{"token": id}).refused(400, "batch tokens cannot be revoked")
	s.post(rootID, "auth/token/revoke-orphan", obj{"token": id}).refused(400, "batch tokens cannot be revoked")
	s.post(id, "cubbyhole/x", obj{"a": "b"}).refused(400, `cubbyhole operations are only supported by "service" type tokens`)
	s.get(id, "cubbyhole/x").refused(400, "cubbyhole operations")
	s.list(id, "cubbyhole/").refused(400, "cubbyhole operations")
	s.delete(id, "cubbyhole/x").refused(400, "cubbyhole operations")
	s.call("POST", id, "sys/policies/acl/q", obj{"policy": `path "y" { capabilities = ["read"] }`}, "Idempotency-Key", "k").refused(400, "Idempotency-Key")

	s.put(id, "sys/policies/acl/made", obj{"policy": `path "x" { capabilities = ["read"] }`}).want(204)
	s.get(id, "sys/policies/acl/made").want(200)
	s.post(id, "auth/token/roles/r", obj{"orphan": true}).want(204)
	other := s.token(obj{"policies": arr{"default"}, "ttl": "1h"})
	s.post(id, "auth/token/renew", obj{"token": other, "increment": "30m"}).want(200).is("auth.lease_duration", 1800)
	s.post(id, "auth/token/revoke", obj{"token": other}).want(204)
	s.get(other, "auth/token/lookup-self").refused(403, invalidToken)
	s.post(id, "sys/auth/up", obj{"type": "userpass"}).want(204)
	s.post(id, "auth/up/users/bob", obj{"password": "secret", "token_policies": "x"}).want(204)
	s.get(id, "auth/up/users/bob").want(200)
	s.post(id, "sys/rotate", nil).want(204)
	s.get(id, "sys/key-status").want(200).is("data.term", 2)

	// A policy that is taken away is gone for the next command, also when the node has not heard of it.
	s.store.lag = true
	s.put(rootID, "sys/policies/acl/all", obj{"policy": `path "x" { capabilities = ["read"] }`}).want(204)
	s.put(id, "sys/policies/acl/late", obj{"policy": `path "y" { capabilities = ["read"] }`}).refused(403, "permission denied")
}

// TestBatchTokenDies: with its parent, with its path, and never before.
func TestBatchTokenDies(t *testing.T) {
	t.Parallel()
	for name, kill := range map[string]func(s *server, parent string){
		"parent revoked":  func(s *server, parent string) { s.post(rootID, "auth/token/revoke", obj{"token": parent}).want(204) },
		"parent's parent": func(s *server, _ string) { s.post(rootID, "auth/token/revoke", obj{"token": s.grand}).want(204) },
		"parent orphaned away": func(s *server, parent string) {
			s.post(rootID, "auth/token/revoke-orphan", obj{"token": parent}).want(204)
		},
		"prefix":       func(s *server, _ string) { s.put(rootID, "sys/leases/revoke-prefix/auth/token/create/", nil).want(204) },
		"prefix above": func(s *server, _ string) { s.put(rootID, "sys/leases/revoke-force/auth/token/create", nil).want(204) },
		"time":         func(s *server, _ string) { s.clock = s.clock.Add(30 * time.Minute) }, // the parent's
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			s.grand = s.token(obj{"ttl": "1h"})
			parent := s.post(s.grand, "auth/token/create", obj{"ttl": "30m"}).want(200).text("auth.client_token")
			id := s.batch(parent, obj{"policies": arr{"default"}, "ttl": "50m"})
			s.put(rootID, "sys/leases/revoke-prefix/auth/token/creat", nil).want(204)
			s.put(rootID, "sys/leases/revoke-prefix/auth/other", nil).want(204)
			s.get(id, "auth/token/lookup-self").want(200)
			s.store.lag = true // a node that lags finds out
			kill(s, parent)
			s.get(id, "auth/token/lookup-self").refused(403, invalidToken)
			s.put(id, "sys/policies/acl/x", obj{"policy": `path "y" { capabilities = ["read"] }`}).refused(403, "permission denied")
			if orphan := s.batch(rootID, obj{"policies": arr{"default"}}); s.get(orphan, "auth/token/lookup-self").status != 200 {
				t.Error("a later token is dead, too")
			}
		})
	}
}

// TestBatchTokenWrite: a command of a batch token whose parent dies before it is applied has no effect.
func TestBatchTokenWrite(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.put(rootID, "sys/policies/acl/w", obj{"policy": `path "sys/policies/acl/*" { capabilities = ["create", "update"] }`}).want(204)
	parent := s.token(obj{"ttl": "1h"})
	id := s.batch(parent, obj{"policies": arr{"w"}})
	s.put(id, "sys/policies/acl/a", obj{"policy": `path "y" { capabilities = ["read"] }`}).want(204)
	s.store.before = func() { s.post(rootID, "auth/token/revoke", obj{"token": parent}).want(204) }
	s.put(id, "sys/policies/acl/b", obj{"policy": `path "y" { capabilities = ["read"] }`}).refused(403, "permission denied")
	s.get(rootID, "sys/policies/acl/b").refused(404, "")
}

// TestBatchTokenForged: nobody makes one but the cluster.
func TestBatchTokenForged(t *testing.T) {
	t.Parallel()
	s, other := newServer(t), newServer(t)
	id := s.batch(rootID, obj{"policies": arr{"default"}})
	for _, forged := range []string{"hvb.", "hvb.x", "hvb.AAAA", id[:len(id)-1], id + "A", id + "=", strings.Replace(id, "hvb.", "hvs.", 1), "hvb." + strings.Repeat("A", 100_000), other.batch(rootID, obj{"policies": arr{"default"}})} {
		s.get(forged, "auth/token/lookup-self").refused(403, invalidToken)
		s.post(rootID, "auth/token/lookup", obj{"token": forged}).refused(403, "bad token")
		s.post(rootID, "auth/token/revoke", obj{"token": forged}).want(204)
	}
	s.get(id, "auth/token/lookup-self").want(200)
}

// TestBatchTokenRotation: tokens of old terms live on, and none is made before there is a key.
func TestBatchTokenRotation(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	ids := []string{s.batch(rootID, obj{"policies": arr{"default"}})}
	for term := 2; term <= 4; term++ {
		s.post(rootID, "sys/rotate", nil).want(204)
		s.get(rootID, "sys/key-status").want(200).is("data.term", term).is("data.encryptions", 0).is("term", term)
		ids = append(ids, s.batch(rootID, obj{"policies": arr{"default"}}))
	}
	for _, id := range ids {
		s.get(id, "auth/token/lookup-self").want(200)
	}
	s.store.lag = true // a node that does not know the newest term yet
	s.rotate()
	s.store.catchUp()
	id := s.batch(rootID, obj{"policies": arr{"default"}})
	s.get(id, "auth/token/lookup-self").want(200)
}

func TestRotateConfig(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	weak := s.with(`path "sys/rotate" { capabilities = ["update"] }`)
	s.post(weak, "sys/rotate", nil).refused(403, "permission denied")
	s.get(rootID, "sys/rotate/config").want(200).is("data", obj{"enabled": true, "interval": 0, "max_operations": 3865470566})
	s.post(rootID, "sys/rotate/config", obj{"interval": "48h", "max_operations": 2_000_000}).want(204)
	s.post(rootID, "sys/rotate/config", obj{"enabled": false}).want(204)
	s.get(rootID, "sys/rotate/config").want(200).is("data", obj{"enabled": false, "interval": "48h0m0s", "max_operations": 2_000_000}).is("interval", "48h0m0s")
	s.post(rootID, "sys/rotate/config", obj{"interval": "1h"}).refused(400, "interval must be greater or equal to 24h0m0s")
	for _, n := range []int{0, 5, 4_000_000_000} {
		s.post(rootID, "sys/rotate/config", obj{"max_operations": n}).refused(400, "max_operations must be in the range [1000000,3865470566]")
	}
	s.post(rootID, "sys/rotate/config", obj{"interval": 0}).want(204)
	s.get(rootID, "sys/rotate/config").want(200).is("data.interval", 0)
}

// TestBatchTokenOnce: a key gives the same batch token again.
func TestBatchTokenOnce(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	body := obj{"type": "batch", "policies": arr{"default", "none"}, "ttl": "10m"}
	first := s.call("POST", rootID, "auth/token/create", body, "Idempotency-Key", "k").want(200)
	s.clock = s.clock.Add(time.Minute)
	again := s.call("POST", rootID, "auth/token/create", body, "Idempotency-Key", "k").want(200)
	if first.raw != again.raw || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again:\n%s\nwant\n%s", again.raw, first.raw)
	}
	s.get(first.text("auth.client_token"), "auth/token/lookup-self").want(200)
	body["ttl"] = "5m"
	s.call("POST", rootID, "auth/token/create", body, "Idempotency-Key", "k").refused(422, "Idempotency-Key")
}

// TestBatchLogin: a login makes a batch token, without an entry where nothing is written.
func TestBatchLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.post(rootID, "sys/auth/up", obj{"type": "userpass"}).want(204)
	s.post(rootID, "auth/up/users/bob", obj{"password": "secret", "token_policies": "x", "token_type": "batch", "token_ttl": "5m"}).want(204)
	login := func(password string) *answer { return s.post("", "auth/up/login/bob", obj{"password": password}) }
	s.store.log = nil
	a := login("secret").want(200).is("auth.token_type", "batch").is("auth.lease_duration", 300).is("auth.orphan", true).is("auth.accessor", "").is("auth.renewable", false)
	if len(s.store.log) != 0 {
		t.Errorf("entries %T", s.store.log)
	}
	id := a.text("auth.client_token")
	s.get(id, "auth/token/lookup-self").want(200).is("data.path", "auth/up/login/bob").is("data.display_name", "up-bob").is("data.entity_id", a.text("auth.entity_id"))
	login("wrong").refused(400, "invalid username or password")
	s.store.log = nil
	login("secret").want(200)
	if len(s.store.log) != 1 {
		t.Errorf("%d entries, want one that forgets the failure", len(s.store.log))
	} else if _, ok := s.store.log[0].(*fsm.BatchLogin); !ok {
		t.Errorf("entry %T", s.store.log[0])
	}
	for range 5 {
		login("wrong").refused(400, "invalid username or password")
	}
	login("secret").refused(403, "permission denied")
	s.clock = s.clock.Add(16 * time.Minute)
	late := login("secret").want(200).text("auth.client_token")

	s.post(rootID, "sys/auth/up/tune", obj{"token_type": "service"}).want(204)
	login("secret").want(200).is("auth.token_type", "service")
	s.get(late, "auth/token/lookup-self").want(200)
	s.delete(rootID, "sys/auth/up").want(204)
	s.get(late, "auth/token/lookup-self").refused(403, invalidToken)

	s.post(rootID, "sys/auth/ar", obj{"type": "approle"}).want(204)
	s.post(rootID, "auth/ar/role/r", obj{"secret_id_num_uses": 1, "token_num_uses": 2}).want(204)
	s.post(rootID, "sys/auth/ar/tune", obj{"token_type": "batch"}).want(204)
	roleID := s.get(rootID, "auth/ar/role/r/role-id").want(200).text("data.role_id")
	secret := s.post(rootID, "auth/ar/role/r/secret-id", nil).want(200).text("data.secret_id")
	body := obj{"role_id": roleID, "secret_id": secret}
	s.post("", "auth/ar/login", body).refused(400, `batch tokens cannot have "num_uses" set`)
	s.post(rootID, "auth/ar/role/r", obj{"token_num_uses": 0}).want(204)
	s.post("", "auth/ar/login", body).want(200).is("auth.token_type", "batch").is("auth.metadata", obj{"role_name": "r"})
	s.post("", "auth/ar/login", body).refused(400, "invalid role or secret ID") // its one use is taken
}

// TestBatchRole: a role decides on the type.
func TestBatchRole(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.post(rootID, "auth/token/roles/b", obj{"token_type": "batch", "orphan": true, "renewable": false}).want(204)
	s.post(rootID, "auth/token/roles/d", obj{"token_type": "default-batch", "period": "20m"}).want(204)
	s.post(rootID, "auth/token/create/b", obj{"policies": arr{"default"}}).want(200).is("auth.token_type", "batch").is("auth.orphan", true).is("auth.lease_duration", 2764800)
	id := s.post(rootID, "auth/token/create/d", obj{"policies": arr{"default"}}).want(200).is("auth.token_type", "batch").is("auth.lease_duration", 1200).text("auth.client_token")
	s.get(id, "auth/token/lookup-self").want(200).is("data.role", "d")
	s.post(rootID, "auth/token/create/d", obj{"policies": arr{"default"}, "type": "service"}).want(200).is("auth.token_type", "service")
}
