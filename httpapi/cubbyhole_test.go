package httpapi

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

func TestCubbyhole(t *testing.T) {
	s := newServer(t)
	a, b := s.token(obj{"policies": arr{"default"}}), s.token(obj{"policies": arr{"default"}})
	s.get(a, "cubbyhole/x").refused(404, "")
	s.list(a, "cubbyhole/").refused(404, "")
	s.delete(a, "cubbyhole/x").want(204)
	s.post(a, "cubbyhole/x", `{"path": "kept", "n": 12345678901234567890, "f": 1.50, "l": [1, null]}`).want(204)
	if got := s.get(a, "cubbyhole/x").want(200).is("mount_type", "cubbyhole").is("data.path", "kept").warns().raw; !strings.Contains(got, `"f":1.50`) || !strings.Contains(got, `"n":12345678901234567890`) {
		t.Errorf("numbers were not kept: %s", got)
	}
	s.put(a, "cubbyhole/d/e", obj{"v": 1}).want(204)
	s.list(a, "cubbyhole").want(200).is("data.keys", arr{"d/", "x"})
	s.list(a, "cubbyhole/d").want(200).is("data.keys", arr{"e"})
	for _, other := range []string{b, rootID} {
		s.get(other, "cubbyhole/x").refused(404, "")
	}
	s.delete(a, "cubbyhole/x").want(204)
	s.get(a, "cubbyhole/x").refused(404, "")
	s.get("", "cubbyhole/x").want(403)
	s.get("hvs.none", "cubbyhole/x").want(403)
	s.get(rootID, "sys/mounts").want(200).is("data.cubbyhole/.type", "cubbyhole").is("data.cubbyhole/.local", true)
}

func TestCubbyholeRefusals(t *testing.T) {
	s := newServer(t)
	a := s.token(obj{"policies": arr{"default"}})
	s.post(a, "cubbyhole/x", nil).refused(400, "missing data fields")
	s.post(a, "cubbyhole/", obj{"a": "b"}).refused(400, "missing path")
	s.post(a, "cubbyhole/d/", obj{"a": "b"}).refused(400, "no empty segment")
	big := obj{}
	for i := range 5 {
		big[fmt.Sprint("f", i)] = strings.Repeat("x", 1<<20)
	}
	s.post(a, "cubbyhole/x", big).refused(400, "at most 4194304 bytes")
	s.get(a, "cubbyhole/x").refused(404, "")
	s.post(s.with(`path "x" { capabilities = ["read"] }`), "cubbyhole/x", obj{"a": "b"}).want(403)
}

// TestCubbyholeCreateOrUpdate: making an entry and replacing one are two capabilities, also on a replica that does not
// know yet what is there.
func TestCubbyholeCreateOrUpdate(t *testing.T) {
	s := newServer(t)
	c := s.with(`path "cubbyhole/*" { capabilities = ["create"] }`)
	u := s.with(`path "cubbyhole/*" { capabilities = ["update"] }`)
	s.post(u, "cubbyhole/x", obj{"a": "b"}).want(403)
	s.store.lag = true
	s.post(c, "cubbyhole/x", obj{"a": "b"}).want(204)
	s.post(c, "cubbyhole/x", obj{"a": "c"}).want(403)
}

// TestCubbyholeOfLimitedTokens: every request is charged once, and the last use still reads what dies with it.
func TestCubbyholeOfLimitedTokens(t *testing.T) {
	s := newServer(t)
	a := s.token(obj{"policies": arr{"default"}, "num_uses": 6})
	s.store.lag = true
	s.post(a, "cubbyhole/x", obj{"a": "b"}).want(204)
	s.list(a, "cubbyhole").want(200)
	s.get(a, "cubbyhole/none").refused(404, "")
	s.call("GET", a, "cubbyhole/x", nil, "X-Grove-Consistency", "stale").want(200).is("data", obj{"a": "b"})
	if left := s.usesLeft(a); left != 2 {
		t.Errorf("%d uses left, want 2", left)
	}
	s.get(a, "cubbyhole/x").want(200)
	s.get(a, "cubbyhole/x").want(200).is("data", obj{"a": "b"})
	s.get(a, "cubbyhole/x").want(403)
	s.store.View(func(m *fsm.Machine) {
		if n, _ := m.Cubbyholes(); n != 0 {
			t.Errorf("%d cubbyholes are left of no token", n)
		}
	})
}

// TestCubbyholeIsSealed: no command holds a value in clear, nor anything that opens it.
func TestCubbyholeIsSealed(t *testing.T) {
	s := newServer(t)
	a := s.token(obj{"policies": arr{"default"}})
	s.post(a, "cubbyhole/x", obj{"password": "open sesame"}).want(204)
	var sealed []byte
	for _, c := range s.store.log {
		_, body, err := fsm.EncodeCommand(c)
		if err != nil || bytes.Contains(body, []byte("sesame")) || bytes.Contains(body, []byte("password")) {
			t.Errorf("%T, error %v, has the secret: %s", c, err, body)
		}
		if w, ok := c.(*fsm.WriteCubbyhole); ok {
			sealed = w.Value
		}
	}
	var salt token.Salt
	s.store.View(func(m *fsm.Machine) { salt = m.Identity().Salt })
	right, err := newBox(token.ID(a), salt, "cubbyhole", nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := right.open(sealed, "x")
	if err != nil || !json.Valid(plain) {
		t.Errorf("the ID opens %q, error %v", plain, err)
	}
	if _, err := right.open(sealed, "y"); err == nil {
		t.Error("an entry can be put at another path")
	}
	if _, err := right.open(sealed[:5], "x"); err == nil {
		t.Error("a piece is opened")
	}
}

// TestSecretsAreNotStored: the token's hash, which log and snapshots hold, is none of the secrets that are made of its ID.
// HKDF-Extract with the cluster's salt alone gives just that.
func TestSecretsAreNotStored(t *testing.T) {
	salt := token.Salt{1, 2, 3}
	hash := salt.Hash("hvs.id")
	if naive, err := hkdf.Extract(sha256.New, []byte("hvs.id"), salt[:]); err != nil || !bytes.Equal(naive, hash[:]) {
		t.Errorf("the naive secret is %x, error %v, no longer the hash %s: this test says nothing", naive, err, hash)
	}
	secrets := map[string]bool{string(hash[:]): true}
	for _, purpose := range []string{"cubbyhole", "idempotency"} {
		secret, err := secretOf("hvs.id", salt, purpose)
		if err != nil || secrets[string(secret)] {
			t.Errorf("the secret for %s, error %v, is known", purpose, err)
		}
		secrets[string(secret)] = true
	}
	rq := &request{}
	rq.id, rq.identity.Salt = "hvs.id", salt
	k := &keyed{text: "k"}
	if err := k.derive(rq); err != nil || bytes.Equal(k.secret, hash[:]) {
		t.Errorf("the secret of an idempotency key is the stored hash, error %v", err)
	}
}
