package httpapi

import (
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm"
)

// machine mounts approle at "m", makes a role and returns its role ID and a secret ID.
func (s *server) machine(role obj) (roleID, secretID string) {
	s.Helper()
	s.post(rootID, "sys/auth/m", obj{"type": "approle"}).want(204)
	s.post(rootID, "auth/m/role/r", role).want(204)
	return s.get(rootID, "auth/m/role/r/role-id").text("data.role_id"), s.post(rootID, "auth/m/role/r/secret-id", nil).want(200).text("data.secret_id")
}

// TestUseAndTokenAreOne: of two logins that read the same use, one gets a token, and a login whose
// role changes before it is applied is by the new role.
func TestUseAndTokenAreOne(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	roleID, secret := s.machine(obj{"secret_id_num_uses": 2})
	login := func() *answer { return s.post("", "auth/m/login", obj{"role_id": roleID, "secret_id": secret}) }
	s.store.before = func() { s.post(rootID, "auth/m/role/r", obj{"token_policies": "late"}).want(204) }
	login().want(200).is("auth.policies", arr{"default", "late"})
	s.store.before = func() { login().want(200) }
	login().refused(400, "invalid role or secret ID")
	secret = s.post(rootID, "auth/m/role/r/secret-id", nil).text("data.secret_id")
	s.store.before = func() { s.delete(rootID, "auth/m/role/r").want(204) }
	login().refused(400, "invalid role or secret ID")
}

// TestUseOnAReplicaThatLags: what a replica has not seen yet is neither refused nor given twice.
func TestUseOnAReplicaThatLags(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	roleID, _ := s.machine(obj{"secret_id_num_uses": 1})
	s.store.lag = true
	secret := s.post(rootID, "auth/m/role/r/secret-id", nil).want(200).text("data.secret_id")
	body := obj{"role_id": roleID, "secret_id": secret}
	s.post("", "auth/m/login", body).want(200)
	s.post("", "auth/m/login", body).refused(400, "invalid role or secret ID")
	s.post(rootID, "auth/m/role/r/secret-id/lookup", obj{"secret_id": secret}).want(204)
}

// TestNothingToLearnFromALockOut: on a replica that has not seen the last failure yet, a wrong guess
// is answered as a right one.
func TestNothingToLearnFromALockOut(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	roleID, secret := s.machine(obj{})
	s.post(rootID, "sys/auth/m/tune", obj{"user_lockout_config": obj{"lockout_threshold": "1"}}).want(204)
	s.store.lag = true
	s.post("", "auth/m/login", obj{"role_id": roleID, "secret_id": "wrong"}).refused(400, "invalid role or secret ID")
	s.post("", "auth/m/login", obj{"role_id": roleID, "secret_id": "wrong"}).refused(403, "permission denied")
	s.post("", "auth/m/login", obj{"role_id": roleID, "secret_id": secret}).refused(403, "permission denied")
}

// TestNoSecretIDInTheLog: neither a secret ID nor a token is in what is replicated.
func TestNoSecretIDInTheLog(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	roleID, secret := s.machine(obj{"secret_id_num_uses": 2})
	s.post(rootID, "auth/m/role/r/custom-secret-id", obj{"secret_id": "to-look-for"}).want(200)
	id := s.post("", "auth/m/login", obj{"role_id": roleID, "secret_id": secret}).want(200).text("auth.client_token")
	s.post("", "auth/m/login", obj{"role_id": roleID, "secret_id": "wrong-to-look-for"}).want(400)
	for _, c := range s.store.log {
		_, body, err := fsm.EncodeCommand(c)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{secret, "to-look-for", id} {
			if strings.Contains(string(body), text) {
				t.Errorf("a secret is in the body of %T", c)
			}
		}
	}
}
