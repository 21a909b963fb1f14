package api

import "testing"

// TestIdempotencyKey: the same request under the same key, on whatever node, is one request.
func TestIdempotencyKey(t *testing.T) {
	u := root(t)
	parent := u.as(u.child(obj{"policies": []string{"root"}, "ttl": "1h"}).id)
	const header, key = "Idempotency-Key", `"8e03978e-40d5-43dd-bc93-6894a57f9324"`
	first := parent.do("POST", "auth/token/create", obj{"ttl": "30m"}, header, key).want(200)
	id := first.str("auth.client_token")
	for range 2 * len(nodes) {
		again := parent.do("POST", "auth/token/create", obj{"ttl": "30m"}, header, key).want(200)
		if got := again.str("auth.client_token"); got != id || again.str("request_id") != first.str("request_id") {
			t.Errorf("got the token %s, want %s again", got, id)
		}
	}
	parent.do("POST", "auth/token/create", obj{"ttl": "31m"}, header, key).want(422)
	parent.do("POST", "auth/token/create", obj{"ttl": "30m"}, header, "white space").want(400)
	limited := u.as(u.child(obj{"ttl": "1h", "num_uses": 1}).id)
	for range 2 * len(nodes) {
		limited.do("GET", "auth/token/lookup-self", nil, header, "last").want(200).is("data.num_uses", 0)
	}
	limited.do("GET", "auth/token/lookup-self", nil).want(403)
	u.post("auth/token/revoke", obj{"token": parent.token}).want(204)
	parent.do("POST", "auth/token/create", obj{"ttl": "30m"}, header, key).want(403)
	u.as(id).do("GET", "auth/token/lookup-self", nil).want(403)
}
