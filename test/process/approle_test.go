package process

import (
	"context"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
)

// TestPublicClientLogsInWithApprole: the reference's own helper, unchanged, against each node.
func TestPublicClientLogsInWithApprole(t *testing.T) {
	t.Parallel()
	c := start(t, 3)
	at := c.nodes[0].addr + "/v1/"
	for _, step := range []struct {
		path string
		body map[string]any
	}{{"sys/auth/approle", map[string]any{"type": "approle"}}, {"auth/approle/role/r", map[string]any{"token_ttl": "5m"}}} {
		if a, err := call("POST", at+step.path, c.root, step.body); err != nil || a.code != 204 {
			t.Fatalf("%s: %v %d %s", step.path, err, a.code, a.raw)
		}
	}
	role, err := call("GET", at+"auth/approle/role/r/role-id", c.root, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, nd := range c.nodes {
		secret, err := call("POST", at+"auth/approle/role/r/secret-id", c.root, nil)
		if err != nil {
			t.Fatal(err)
		}
		method, err := approle.NewAppRoleAuth(role.str("data", "role_id"), &approle.SecretID{FromString: secret.str("data", "secret_id")})
		if err != nil {
			t.Fatal(err)
		}
		cfg := api.DefaultConfig()
		cfg.Address = nd.addr
		cl, err := api.NewClient(cfg)
		if err != nil {
			t.Fatal(err)
		}
		got, err := cl.Auth().Login(context.Background(), method)
		if err != nil || got.Auth.LeaseDuration != 300 {
			t.Fatalf("login at %s: %v %+v", nd.name, err, got)
		}
		if _, err := cl.Auth().Token().RenewSelf(0); err != nil {
			t.Errorf("renewing at %s: %v", nd.name, err)
		}
	}
}
