package api

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// machine makes a role at a new approle mount and returns the mount, the role ID and a secret ID.
func (u user) machine(role obj) (at, roleID, secretID string) {
	u.Helper()
	at = u.mount("approle")
	u.post("auth/"+at+"/role/r", role).want(204)
	return at, u.get("auth/" + at + "/role/r/role-id").want(200).str("data.role_id"), u.post("auth/"+at+"/role/r/secret-id", nil).want(200).str("data.secret_id")
}

// TestApproleOnEveryNode: what one node wrote, the next one knows, and a use is taken once.
func TestApproleOnEveryNode(t *testing.T) {
	u := root(t)
	at, roleID, _ := u.machine(obj{"token_policies": "x", "token_ttl": "10m", "secret_id_num_uses": 3})
	body := func(secret string) obj { return obj{"role_id": roleID, "secret_id": secret} }
	for range 3 {
		secret := u.post("auth/"+at+"/role/r/secret-id", obj{"metadata": `{"k":"v"}`}).want(200).str("data.secret_id")
		for left := 3; left > 0; left-- {
			u.post("auth/"+at+"/role/r/secret-id/lookup", obj{"secret_id": secret}).want(200).is("data.secret_id_num_uses", left).is("data.metadata", obj{"k": "v"})
			id := u.as("").post("auth/"+at+"/login", body(secret)).want(200).is("auth.lease_duration", 600).is("auth.metadata", obj{"k": "v", "role_name": "r"}).str("auth.client_token")
			u.as(id).get("auth/token/lookup-self").want(200).is("data.path", "auth/"+at+"/login")
			u.as(id).post("auth/token/renew-self", nil).want(200)
		}
		u.as("").post("auth/"+at+"/login", body(secret)).refused(400, "invalid role or secret ID")
		u.post("auth/"+at+"/role/r/secret-id/lookup", obj{"secret_id": secret}).want(204)
	}
	secret := u.post("auth/"+at+"/role/r/custom-secret-id", obj{"secret_id": "mine"}).want(200).str("data.secret_id")
	id := u.as("").post("auth/"+at+"/login", body(secret)).want(200).str("auth.client_token")
	u.remove("auth/" + at + "/role/r").want(204)
	u.as("").post("auth/"+at+"/login", body(secret)).refused(400, "invalid role or secret ID")
	u.as(id).post("auth/token/renew-self", nil).refused(400, `role "r" does not exist during renewal`)
	u.post("auth/"+at+"/tidy/secret-id", nil).want(202).warns("Tidy operation")
}

// TestOneUseOfASecretID: of clients on all nodes that log in with a secret ID of one use, one gets in.
func TestOneUseOfASecretID(t *testing.T) {
	u := root(t)
	at, roleID, _ := u.machine(obj{"secret_id_num_uses": 1, "token_policies": "x"})
	u.post("sys/auth/"+at+"/tune", obj{"user_lockout_config": obj{"lockout_disable": "true"}}).want(204)
	for range 10 {
		secret := u.post("auth/"+at+"/role/r/secret-id", nil).want(200).str("data.secret_id")
		var won, lost atomic.Int32
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				switch r := u.as("").post("auth/"+at+"/login", obj{"role_id": roleID, "secret_id": secret}); r.status {
				case http.StatusOK:
					won.Add(1)
				case http.StatusBadRequest:
					lost.Add(1)
				default:
					t.Errorf("a login was answered with %d", r.status)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 || lost.Load() != 11 {
			t.Errorf("%d logins were let in and %d refused, want 1 and 11", won.Load(), lost.Load())
		}
	}
}

// TestApproleLockOut: wrong secret IDs lock a role out, on every node; nobody's role ID is no different.
func TestApproleLockOut(t *testing.T) {
	u := root(t)
	at, roleID, secret := u.machine(obj{"token_policies": "x"})
	u.post("sys/auth/"+at+"/tune", obj{"user_lockout_config": obj{"lockout_threshold": "3", "lockout_duration": "10m"}}).want(204)
	for _, id := range []string{roleID, "nobody"} {
		for range 3 {
			u.as("").post("auth/"+at+"/login", obj{"role_id": id, "secret_id": "wrong"}).refused(400, "invalid role or secret ID")
		}
		for range 3 {
			u.as("").post("auth/"+at+"/login", obj{"role_id": id, "secret_id": secret}).refused(403, "permission denied")
		}
	}
	accessor := u.get("sys/auth/" + at).want(200).str("data.accessor")
	u.post("sys/locked-users/"+accessor+"/unlock/"+roleID, nil).want(204)
	u.as("").post("auth/"+at+"/login", obj{"role_id": roleID, "secret_id": secret}).want(200)
}
