package process

import (
	"errors"
	"testing"

	"github.com/hashicorp/vault/api"
)

// apiClient is the public client of the reference, unchanged.
func apiClient(t *testing.T, addr, token string) *api.Client {
	t.Helper()
	cfg := api.DefaultConfig()
	cfg.Address = addr
	cfg.MaxRetries = 0
	c, err := api.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.SetToken(token)
	return c
}

func refused(err error) bool {
	var re *api.ResponseError
	return errors.As(err, &re) && re.StatusCode == 403
}

// TestLifeOfATree goes through three nodes at once with the public client: what one node
// acknowledged holds on the others at the very next request.
func TestLifeOfATree(t *testing.T) {
	t.Parallel()
	cl := start(t, 3)
	a, b, c := cl.nodes[0].addr, cl.nodes[1].addr, cl.nodes[2].addr

	parent, err := apiClient(t, a, cl.root).Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"root"}, TTL: "1h"})
	if err != nil {
		t.Fatal("create parent on A: ", err)
	}
	child, err := apiClient(t, b, parent.Auth.ClientToken).Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"default"}, TTL: "30m"})
	if err != nil {
		t.Fatal("create child on B: ", err)
	}
	three, err := apiClient(t, c, parent.Auth.ClientToken).Auth().Token().Create(&api.TokenCreateRequest{Policies: []string{"default"}, TTL: "30m", NumUses: 3})
	if err != nil {
		t.Fatal("create a 3-use token on C: ", err)
	}
	for i, addr := range []string{a, b, c} {
		s, err := apiClient(t, addr, three.Auth.ClientToken).Auth().Token().LookupSelf()
		if err != nil {
			t.Fatalf("use %d: %v", i+1, err)
		}
		if left := s.Data["num_uses"].(interface{ String() string }).String(); left != []string{"2", "1", "0"}[i] {
			t.Errorf("use %d leaves %s", i+1, left)
		}
	}
	for _, addr := range []string{a, b, c} {
		if _, err := apiClient(t, addr, three.Auth.ClientToken).Auth().Token().LookupSelf(); !refused(err) {
			t.Errorf("fourth use on %s: %v, want 403", addr, err)
		}
	}
	if err := apiClient(t, c, cl.root).Auth().Token().RevokeTree(parent.Auth.ClientToken); err != nil {
		t.Fatal("revoke on C: ", err)
	}
	if _, err := apiClient(t, a, child.Auth.ClientToken).Auth().Token().LookupSelf(); !refused(err) {
		t.Errorf("child on A after its parent was revoked on C: %v, want 403", err)
	}
	if _, err := apiClient(t, b, parent.Auth.ClientToken).Auth().Token().LookupSelf(); !refused(err) {
		t.Errorf("parent on B: %v, want 403", err)
	}
}

// TestNoQuorum kills two of three: what needs a quorum is refused in time with a reason, what
// does not still answers.
func TestNoQuorum(t *testing.T) {
	t.Parallel()
	cl := start(t, 3)
	survivor := cl.nodes[0]
	cl.nodes[1].kill()
	cl.nodes[2].kill()
	cl.await("a refusal with 503", func() bool {
		a, err := call("POST", survivor.addr+"/v1/auth/token/create", cl.root, map[string]any{"ttl": "1h"})
		return err == nil && a.code == 503
	})
	for _, path := range []string{"/v1/sys/leader", "/v1/sys/seal-status", "/v1/sys/health"} {
		if a, err := call("GET", survivor.addr+path, "", nil); err != nil || a.code != 200 {
			t.Errorf("%s without quorum: %v %d %s", path, err, a.code, a.raw)
		}
	}
	if err := cl.nodes[1].run(cl.bin); err != nil {
		t.Fatal(err)
	}
	cl.await("writes go on with two of three", func() bool {
		a, err := call("POST", survivor.addr+"/v1/auth/token/create", cl.root, map[string]any{"ttl": "1h"})
		return err == nil && a.code == 200
	})
}
