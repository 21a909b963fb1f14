package api

import (
	"sync"
	"testing"
)

// mount enables a login method at a new path, and disables it at the end.
func (u user) mount(kind string) string {
	u.Helper()
	at := u.name(kind)
	u.do("POST", "sys/auth/"+at, obj{"type": kind}).want(204)
	u.Cleanup(func() { u.do("DELETE", "sys/auth/"+at, nil) })
	return at
}

// TestUserpassOnEveryNode: what one node wrote, the next one knows.
func TestUserpassOnEveryNode(t *testing.T) {
	u := root(t)
	at := u.mount("userpass")
	for i := range 6 {
		password := []string{"a", "b"}[i%2]
		u.do("POST", "auth/"+at+"/users/bob", obj{"password": password, "token_policies": "x"}).want(204)
		u.as("").do("POST", "auth/"+at+"/login/bob", obj{"password": "wrong"}).want(400)
		id := u.as("").do("POST", "auth/"+at+"/login/bob", obj{"password": password}).want(200).str("auth.client_token")
		u.as(id).do("GET", "auth/token/lookup-self", nil).want(200)
		u.as(id).do("POST", "auth/token/renew-self", nil).want(200)
	}
}

// TestDisableKillsAtOnce: when disabling is answered, no node takes a token of the mount.
func TestDisableKillsAtOnce(t *testing.T) {
	u := root(t)
	at := u.mount("userpass")
	u.do("POST", "auth/"+at+"/users/bob", obj{"password": "pw", "token_policies": "default"}).want(204)
	var ids []string
	for range 4 {
		ids = append(ids, u.as("").do("POST", "auth/"+at+"/login/bob", obj{"password": "pw"}).want(200).str("auth.client_token"))
	}
	u.do("DELETE", "sys/auth/"+at, nil).want(204)
	for _, id := range ids {
		for range 3 { // each goes to the next node
			u.as(id).do("GET", "auth/token/lookup-self", nil).want(403)
		}
	}
	u.as("").do("POST", "auth/"+at+"/login/bob", obj{"password": "pw"}).want(403)
}

// TestGuessersOnAllNodes: at most the threshold of guesses is answered as wrong, wherever they go.
func TestGuessersOnAllNodes(t *testing.T) {
	u := root(t)
	at := u.mount("userpass")
	u.do("POST", "auth/"+at+"/users/bob", obj{"password": "pw"}).want(204)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() { u.as("").do("POST", "auth/"+at+"/login/bob", obj{"password": "guess"}) })
	}
	wait.Wait()
	for range 3 {
		u.as("").do("POST", "auth/"+at+"/login/bob", obj{"password": "pw"}).want(403)
	}
	accessor := u.do("GET", "sys/auth/"+at, nil).want(200).str("data.accessor")
	u.do("POST", "sys/locked-users/"+accessor+"/unlock/bob", nil).want(204)
	u.as("").do("POST", "auth/"+at+"/login/bob", obj{"password": "pw"}).want(200)
}
