package process

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/hashicorp/vault/api/auth/approle"
	"github.com/hashicorp/vault/api/auth/kubernetes"
	"github.com/hashicorp/vault/api/auth/userpass"

	"github.com/tokengrove/grove/test/outside"
)

// ready is a cluster with login methods, and how the reference's own helpers log in by each.
type ready struct {
	*cluster
	methods map[string]api.AuthMethod
}

// setUp enables approle, userpass and kubernetes. Their tokens live for ttl, and no longer than most.
func setUp(t *testing.T, ttl, most string) *ready {
	t.Helper()
	c := start(t, 3)
	put := func(path string, body map[string]any) answer {
		a, err := call("POST", c.nodes[0].addr+"/v1/"+path, c.root, body)
		if err != nil || a.code > 299 {
			t.Fatalf("%s: %v %d %s", path, err, a.code, a.raw)
		}
		return a
	}
	pods := outside.NewKubernetes(t)
	for _, kind := range []string{"approle", "userpass", "kubernetes"} {
		put("sys/auth/"+kind, map[string]any{"type": kind})
	}
	put("auth/approle/role/r", map[string]any{"token_ttl": ttl, "token_max_ttl": most, "role_id": "rid"})
	secret := put("auth/approle/role/r/secret-id", nil)
	put("auth/userpass/users/bob", map[string]any{"token_ttl": ttl, "token_max_ttl": most, "password": "pw"})
	put("auth/kubernetes/config", map[string]any{
		"kubernetes_host": pods.URL, "kubernetes_ca_cert": pods.CA, "token_reviewer_jwt": outside.Reviewer, "pem_keys": []string{pods.PublicKey()},
	})
	put("auth/kubernetes/role/web", map[string]any{
		"token_ttl": ttl, "token_max_ttl": most, "bound_service_account_names": "web-*", "bound_service_account_namespaces": "prod", "audience": "grove",
	})
	jwt := pods.Issue(outside.Account{Namespace: "prod", Name: "web-1", UID: "u-1", Audience: "grove"}, time.Now())

	r := &ready{c, map[string]api.AuthMethod{}}
	take := func(name string, m api.AuthMethod, err error) {
		if err != nil {
			t.Fatal(err)
		}
		r.methods[name] = m
	}
	byRole, err := approle.NewAppRoleAuth("rid", &approle.SecretID{FromString: secret.str("data", "secret_id")})
	take("approle", byRole, err)
	byName, err := userpass.NewUserpassAuth("bob", &userpass.Password{FromString: "pw"})
	take("userpass", byName, err)
	byPod, err := kubernetes.NewKubernetesAuth("web", kubernetes.WithServiceAccountToken(jwt))
	take("kubernetes", byPod, err)
	return r
}

// login logs in at a node by a method, with a public client of its own.
func (r *ready) login(nd *node, method string) (*api.Client, *api.Secret) {
	r.t.Helper()
	cfg := api.DefaultConfig()
	cfg.Address = nd.addr
	cl, err := api.NewClient(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	s, err := cl.Auth().Login(context.Background(), r.methods[method])
	if err != nil {
		r.t.Fatalf("login by %s at %s: %v", method, nd.name, err)
	}
	return cl, s
}

// TestPublicClientLogsIn: the reference's client and its helpers for login methods, unchanged, against each node.
func TestPublicClientLogsIn(t *testing.T) {
	t.Parallel()
	r := setUp(t, "5m", "1h")
	for _, nd := range r.nodes {
		for method := range r.methods {
			cl, got := r.login(nd, method)
			if got.Auth.LeaseDuration != 300 || !got.Auth.Renewable || got.Auth.Accessor == "" {
				t.Errorf("login by %s at %s: %+v", method, nd.name, got.Auth)
			}
			if _, err := cl.Auth().Token().LookupSelf(); err != nil {
				t.Errorf("lookup of a token by %s at %s: %v", method, nd.name, err)
			}
			if _, err := cl.Auth().Token().RenewSelf(0); err != nil {
				t.Errorf("renewing a token by %s at %s: %v", method, nd.name, err)
			}
		}
	}
}

// TestLifetimeWatcher: the reference's watcher renews a login's token at each node until its longest TTL is near, says then
// that it is done, and the token is dead everywhere when that is over.
func TestLifetimeWatcher(t *testing.T) {
	t.Parallel()
	const most = 8 * time.Second
	r := setUp(t, "3s", most.String())
	type watch struct {
		nd     *node
		method string
		cl     *api.Client
		w      *api.LifetimeWatcher
		from   time.Time
	}
	var all []watch
	for _, nd := range r.nodes {
		for method := range r.methods {
			from := time.Now()
			cl, s := r.login(nd, method)
			w, err := cl.NewLifetimeWatcher(&api.LifetimeWatcherInput{Secret: s, RenewBuffer: 100, RenewBehavior: api.RenewBehaviorErrorOnErrors})
			if err != nil {
				t.Fatal(err)
			}
			go w.Start()
			defer w.Stop()
			all = append(all, watch{nd, method, cl, w, from})
		}
	}
	for _, x := range all {
		select {
		case err := <-x.w.DoneCh():
			// A renewal in the last second is refused, as in the reference; of TTLs as short as these the watcher may try one.
			if err != nil && !strings.Contains(err.Error(), "past the max TTL") {
				t.Errorf("%s at %s: the watcher ends with %v", x.method, x.nd.name, err)
			}
		case <-time.After(time.Until(x.from.Add(most + 2*time.Second))):
			t.Errorf("%s at %s: the watcher did not say in time that the token is over", x.method, x.nd.name)
		}
		renewed := 0
		for len(x.w.RenewCh()) > 0 {
			if s := (<-x.w.RenewCh()).Secret; s.Auth.LeaseDuration > 3 || s.Auth.ClientToken != x.cl.Token() {
				t.Errorf("%s at %s: renewed to %+v", x.method, x.nd.name, s.Auth)
			}
			renewed++
		}
		if renewed < 2 {
			t.Errorf("%s at %s: renewed %d times, want 2 or more", x.method, x.nd.name, renewed)
		}
	}
	for _, x := range all {
		for _, nd := range r.nodes {
			r.await("the token is dead", func() bool {
				a, err := call("GET", nd.addr+"/v1/auth/token/lookup-self", x.cl.Token(), nil)
				return err == nil && a.code == 403
			})
			if age := time.Since(x.from); age < most-time.Second {
				t.Errorf("%s at %s: the token was dead after %s", x.method, nd.name, age)
			}
		}
	}
}
