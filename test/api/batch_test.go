package api

import "testing"

// TestBatchTokenOnEveryNode: a batch token made on one node works on all, and is dead on all once its parent's or its path's
// end was acknowledged; a rotation does not touch it.
func TestBatchTokenOnEveryNode(t *testing.T) {
	u := root(t)
	alive := func(id string, status int) {
		t.Helper()
		for range 3 { // each request goes to the next node
			u.as(id).get("auth/token/lookup-self").want(status)
		}
	}
	batch := obj{"type": "batch", "policies": []string{"default"}, "ttl": "10m"}
	for range 5 {
		parent := u.child(obj{"policies": []string{"root"}, "ttl": "1h"}).id
		id := u.as(parent).post("auth/token/create", batch).want(200).is("auth.token_type", "batch").str("auth.client_token")
		alive(id, 200)
		u.post("sys/rotate", nil).want(204)
		alive(id, 200)
		u.post("auth/token/revoke", obj{"token": parent}).want(204)
		alive(id, 403)
	}
	at, roleID, secret := u.machine(obj{"token_policies": "x", "token_ttl": "10m", "token_type": "batch"})
	for range 3 {
		body := obj{"role_id": roleID, "secret_id": secret}
		id := u.as("").post("auth/"+at+"/login", body).want(200).is("auth.token_type", "batch").str("auth.client_token")
		alive(id, 200)
		u.post("sys/leases/revoke-prefix/auth/"+at+"/login", nil).want(204)
		alive(id, 403)
		id = u.as("").post("auth/"+at+"/login", body).want(200).str("auth.client_token")
		alive(id, 200)
	}
}
