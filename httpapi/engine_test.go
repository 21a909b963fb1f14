package httpapi

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// bob mounts userpass at a path and makes bob there.
func (s *server) bob(at string, more ...obj) {
	s.Helper()
	s.post(rootID, "sys/auth/"+at, obj{"type": "userpass"}).want(204)
	body := obj{"password": "pw"}
	for _, m := range more {
		for k, v := range m {
			body[k] = v
		}
	}
	s.post(rootID, "auth/"+at+"/users/bob", body).want(204)
}

// login logs bob in and returns the answer.
func (s *server) login(at, password string) *answer {
	s.Helper()
	return s.post("", "auth/"+at+"/login/bob", obj{"password": password})
}

func TestUserpassLogin(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.bob("deep/ci", obj{"token_policies": "p2,P1", "token_ttl": "10m", "token_max_ttl": "20m", "token_bound_cidrs": "192.0.2.0/24"})
	a := s.login("deep/ci", "pw").want(200).is("auth.policies", arr{"default", "p1", "p2"}).is("auth.orphan", true).is("auth.lease_duration", 600).
		is("auth.metadata", obj{"username": "bob"}).is("mount_type", "").is("data", nil)
	id := a.text("auth.client_token")
	look := s.get(id, "auth/token/lookup-self").want(200).is("data.path", "auth/deep/ci/login/bob").is("data.display_name", "deep-ci-bob").is("data.entity_id", a.text("auth.entity_id"))
	if look.text("data.entity_id") == "" || s.login("deep/ci", "pw").text("auth.entity_id") != a.text("auth.entity_id") {
		t.Error("the entity of a login is empty, or another one each time")
	}
	s.remote = "198.51.100.1:1"
	s.login("deep/ci", "pw").refused(403, "permission denied")
	s.remote = "192.0.2.1:1"
	s.login("deep/ci", "wrong").refused(400, "invalid username or password")
	s.post("", "auth/deep/ci/login/eve", obj{"password": "pw"}).refused(400, "invalid username or password")
	s.post("", "auth/deep/ci/login/bob", nil).refused(400, "invalid credentials")
	s.get("", "auth/deep/ci/login/bob").refused(405, "unsupported operation")
	s.post("", "auth/deep/ci/nothing", nil).refused(403, "permission denied")
	s.post(rootID, "auth/deep/ci/nothing", nil).refused(404, "unsupported path")
	s.get(rootID, "auth/deep/ci/users/bob").is("data.token_policies", arr{"p2", "P1"}).is("data.password", nil).is("data.hash", nil)
	s.post(rootID, "auth/deep/ci/users/bob", obj{"nonsense": 1}).want(204)
	s.post(rootID, "auth/deep/ci/users/bob", obj{"password": strings.Repeat("x", 73)}).refused(400, "at most 72 bytes")
	s.post(rootID, "auth/deep/ci/users/bob", obj{"token_policies": "root"}).want(204)
	s.login("deep/ci", "pw").refused(400, "cannot create root tokens")
}

// TestNoPasswordInTheLog: neither a password nor an ID is in what is replicated.
func TestNoPasswordInTheLog(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.bob("ci", obj{"password": "a-password-to-look-for"})
	id := s.login("ci", "a-password-to-look-for").want(200).text("auth.client_token")
	for _, c := range s.store.log {
		_, body, err := fsm.EncodeCommand(c)
		if err != nil {
			t.Fatal(err)
		}
		if text := string(body); strings.Contains(text, "a-password-to-look-for") || strings.Contains(text, id) {
			t.Errorf("a secret is in the body of %T", c)
		}
	}
}

func TestCreateAndUpdateOfUsers(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.bob("ci")
	create := s.with(`path "auth/ci/users/*" { capabilities = ["create"] }`)
	update := s.with(`path "auth/ci/users/*" { capabilities = ["update"] }`)
	s.post(create, "auth/ci/users/bob", obj{"password": "x"}).refused(403, "permission denied")
	s.post(update, "auth/ci/users/amy", obj{"password": "x"}).refused(403, "permission denied")
	s.post(create, "auth/ci/users/amy", obj{"password": "x"}).want(204)
	s.post(update, "auth/ci/users/amy", obj{"password": "y"}).want(204)
	s.list(rootID, "auth/ci/users").is("data.keys", arr{"amy", "bob"})
	s.call("GET", rootID, "auth/ci/users?list=true", nil).is("data.keys", arr{"amy", "bob"})
}

// TestLoginOnAReplicaThatLags: a refusal from a state that is behind is not believed, and an
// effect from one does not happen.
func TestLoginOnAReplicaThatLags(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.bob("ci")
	s.store.lag = true
	s.post(rootID, "auth/ci/users/bob/password", obj{"password": "new"}).want(204)
	s.login("ci", "new").want(200)
	s.post(rootID, "auth/ci/users/bob/password", obj{"password": "newer"}).want(204)
	s.login("ci", "new").refused(400, "invalid username or password")
	s.post(rootID, "auth/ci/users/bob/policies", obj{"token_policies": "x"}).want(204)
	s.login("ci", "newer").want(200).is("auth.policies", arr{"default", "x"})
	s.call("DELETE", rootID, "sys/auth/ci", nil).want(204)
	s.login("ci", "newer").refused(403, "permission denied")
	s.post(rootID, "auth/ci/login/bob", obj{"password": "newer"}).refused(404, "no handler for route")
	s.bob("new")
	s.login("new", "pw").want(200)
}

// TestRaceWithAChange: what changes between reading and apply makes the handler run again.
func TestRaceWithAChange(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.bob("ci")
	s.store.before = func() { s.post(rootID, "auth/ci/users/bob/policies", obj{"token_policies": "late"}).want(204) }
	s.login("ci", "pw").want(200).is("auth.policies", arr{"default", "late"})
	s.store.before = func() { s.post(rootID, "sys/auth/ci/tune", obj{"default_lease_ttl": "7m"}).want(204) }
	s.login("ci", "pw").want(200).is("auth.lease_duration", 420)
	s.store.before = func() { s.delete(rootID, "auth/ci/users/bob").want(204) }
	s.login("ci", "pw").refused(400, "invalid username or password")
}

func TestRenewOfALogin(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.bob("ci", obj{"token_policies": "a", "token_ttl": "10m", "token_max_ttl": "1h"})
	id := s.login("ci", "pw").text("auth.client_token")
	s.clock = s.clock.Add(5 * time.Minute)
	s.post(id, "auth/token/renew-self", nil).want(200).is("auth.lease_duration", 600).is("auth.client_token", id)
	s.post(rootID, "auth/token/renew", obj{"token": id, "increment": "2h"}).want(200).is("auth.lease_duration", 3300).
		warns(`TTL of "2h" exceeded the effective max_ttl of "55m"; TTL value is capped accordingly`)
	s.post(rootID, "auth/ci/users/bob", obj{"token_policies": "b"}).want(204)
	s.post(id, "auth/token/renew-self", nil).refused(400, "policies have changed, not renewing")
	s.post(rootID, "auth/ci/users/bob", obj{"token_policies": "a", "token_max_ttl": "5m", "token_ttl": "1m"}).want(204)
	s.clock = s.clock.Add(time.Minute)
	s.post(id, "auth/token/renew-self", nil).refused(400, "past the max TTL")
	s.delete(rootID, "auth/ci/users/bob").want(204)
	s.post(id, "auth/token/renew-self", nil).refused(400, "does not exist any more")
}

func TestLockOutOfAUser(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.bob("ci")
	s.post(rootID, "sys/auth/ci/tune", obj{"user_lockout_config": obj{"lockout_threshold": "3", "lockout_duration": "5m"}}).want(204)
	s.get(rootID, "sys/auth/ci/tune").is("data.user_lockout_threshold", 3).is("data.user_lockout_duration", 300)
	for range 3 {
		s.login("ci", "no").refused(400, "invalid username or password")
	}
	s.login("ci", "pw").refused(403, "permission denied")
	accessor := s.get(rootID, "sys/auth/ci").text("data.accessor")
	s.get(rootID, "sys/locked-users").is("data.total", 1).is("data.by_namespace", arr{obj{
		"namespace_id": "root", "namespace_path": "", "counts": 1, "mount_accessors": arr{obj{"mount_accessor": accessor, "counts": 1, "alias_identifiers": arr{"bob"}}},
	}})
	s.post(rootID, "sys/locked-users/none/unlock/bob", nil).refused(400, "no mount has the accessor")
	s.store.lag = true
	s.post(rootID, "sys/locked-users/"+accessor+"/unlock/bob", nil).want(204)
	s.login("ci", "pw").want(200) // also where that is not known yet
	s.store.lag = false
	for range 3 {
		s.login("ci", "no").refused(400, "invalid username")
	}
	s.clock = s.clock.Add(5 * time.Minute)
	s.login("ci", "pw").want(200)
	s.post(rootID, "sys/auth/ci/tune", obj{"user_lockout_config": obj{"treshold": 3}}).refused(400, "unknown keys in user_lockout_config: treshold")
	s.post(rootID, "sys/auth/ci/tune", obj{"user_lockout_config": obj{"lockout_threshold": -1}}).refused(400, "must be between")
}

func TestAuthMounts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.bob("a")
	for path, text := range map[string]string{"a": "already in use at a/", "a/b": "already in use at a/", "token": "already in use at token/"} {
		s.post(rootID, "sys/auth/"+path, obj{"type": "userpass"}).refused(400, text)
	}
	s.post(rootID, "sys/auth/x", obj{"type": "userpass", "config": obj{"nonsense": 1}}).refused(400, "unknown keys in config: nonsense")
	s.post(rootID, "sys/auth/x", obj{"type": "userpass", "local": true}).refused(400, "local mount")
	s.post(rootID, "sys/auth/x", obj{"type": "userpass", "config": obj{"default_lease_ttl": "2h", "max_lease_ttl": "1h"}}).refused(400, "would be less than")
	s.post(rootID, "sys/auth/a/tune", obj{"token_type": "nonsense"}).refused(400, "default-batch are allowed")
	s.post(rootID, "sys/auth/a/tune", obj{"audit_non_hmac_request_keys": "k", "listing_visibility": "unauth", "options": obj{"o": "1"}}).want(204)
	s.get(rootID, "sys/auth/a/tune").is("data.audit_non_hmac_request_keys", arr{"k"}).is("data.listing_visibility", "unauth").is("data.options", obj{"o": "1"})

	id := s.login("a", "pw").text("auth.client_token")
	moved := s.post(rootID, "sys/remount", obj{"from": "auth/a", "to": "auth/b"}).want(200).text("data.migration_id")
	s.get(rootID, "sys/remount/status/"+moved).is("data.migration_info", obj{"source_mount": "auth/a/", "target_mount": "auth/b/", "status": "success"})
	s.get(rootID, "sys/remount/status/"+moved+"x").refused(404, "")
	s.get(id, "auth/token/lookup-self").refused(403, "permission denied")
	s.login("b", "pw").want(200)
	s.post(rootID, "sys/remount", obj{"from": "auth/none", "to": "auth/c"}).refused(400, "no matching mount")
	s.post(rootID, "sys/remount", obj{"from": "auth/b"}).refused(400, "both 'from' and 'to'")
	s.post(rootID, "sys/auth/b/tune", obj{"token_type": "batch"}).want(204)
	s.login("b", "pw").want(200).is("auth.token_type", "batch")
}

func TestLoginRate(t *testing.T) {
	t.Parallel()
	r := newLoginRate(2)
	now := time.Unix(1_800_000_000, 0)
	for i := range 20 {
		if !r.take("m", "192.0.2.1:1", now) {
			t.Fatalf("login %d of a burst of 20 was refused", i)
		}
	}
	if r.take("m", "192.0.2.1:2", now) {
		t.Error("one more than the burst was let in")
	}
	if !r.take("m", "192.0.2.2:1", now) || !r.take("n", "192.0.2.1:1", now) {
		t.Error("another client, or another mount, was refused")
	}
	if r.take("m", "192.0.2.1:1", now.Add(499*time.Millisecond)) || !r.take("m", "192.0.2.1:1", now.Add(500*time.Millisecond)) {
		t.Error("a place is free again at another time than after half a second")
	}
	for i := range maxLoginClients + 5 {
		r.take("m", netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 1).String(), now)
	}
	if len(r.clients) != maxLoginClients || r.order.Len() != maxLoginClients {
		t.Errorf("%d clients are remembered, want %d", len(r.clients), maxLoginClients)
	}
	if unlimited := newLoginRate(-1); !unlimited.take("m", "x", now) {
		t.Error("a login was refused though there is no limit")
	}
	s := newServer(t)
	s.post(rootID, "sys/auth/ci", obj{"type": "userpass"}).want(204)
	refused := false
	for i := 0; i <= usualLoginRate*loginSeconds && !refused; i++ {
		refused = s.post("", fmt.Sprintf("auth/ci/login/u%d", i), nil).status == 429 // no password: no bcrypt
	}
	if !refused {
		t.Error("no login was refused for its rate")
	}
}
