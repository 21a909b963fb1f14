package httpapi

import (
	"regexp"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/catalogue"
	servers "github.com/tokengrove/grove/test/outside"
)

// attempt is a login that must fail.
type attempt struct {
	path string
	body obj
}

// alike is how a method is set up, and attempts that nobody may be able to tell apart: a wrong secret of somebody whom the
// method knows, and any secret of somebody whom it does not. Passing is what must succeed, so that the others fail for their reason.
type alike struct {
	set     []attempt // with the root token
	passing attempt
	failing []attempt
}

// alikes has a case for every method.
func alikes(s *server) map[string]alike {
	cluster, hub := servers.NewKubernetes(s.T), servers.NewGitHub(s.T, false, "acme", "other")
	account := servers.Account{Namespace: "prod", Name: "web", UID: "u", Audience: "grove"}
	jwt := cluster.Issue(account, s.clock)
	other := cluster.Issue(servers.Account{Namespace: "dev", Name: "db", UID: "v", Audience: "grove"}, s.clock)
	hub.Put("amys", servers.User{Login: "amy", Orgs: []string{"acme"}})
	hub.Put("eves", servers.User{Login: "eve", Orgs: []string{"other"}})
	foreign := servers.NewKubernetes(s.T).Issue(account, s.clock)
	trusted := alike{ // the cluster as the issuer of JWTs; another one is none
		set: []attempt{
			{"config", obj{"jwt_validation_pubkeys": cluster.PublicKey()}}, {"role/web", obj{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "grove"}},
		},
		passing: attempt{"login", obj{"role": "web", "jwt": jwt}},
		failing: []attempt{
			{"login", obj{"role": "web", "jwt": foreign}}, {"login", obj{"role": "none", "jwt": foreign}},
		},
	}
	return map[string]alike{
		"userpass": {
			set:     []attempt{{"users/bob", obj{"password": "pw"}}},
			passing: attempt{"login/bob", obj{"password": "pw"}},
			failing: []attempt{{"login/bob", obj{"password": "no"}}, {"login/eve", obj{"password": "pw"}}},
		},
		"approle": {
			set:     []attempt{{"role/r", obj{"role_id": "rid"}}, {"role/r/custom-secret-id", obj{"secret_id": "sid"}}},
			passing: attempt{"login", obj{"role_id": "rid", "secret_id": "sid"}},
			failing: []attempt{{"login", obj{"role_id": "rid", "secret_id": "no"}}, {"login", obj{"role_id": "none", "secret_id": "sid"}}},
		},
		"kubernetes": {
			set: []attempt{
				{"config", obj{"kubernetes_host": cluster.URL, "kubernetes_ca_cert": cluster.CA, "token_reviewer_jwt": servers.Reviewer}},
				{"role/web", obj{"bound_service_account_names": "web", "bound_service_account_namespaces": "prod", "audience": "grove"}},
			},
			passing: attempt{"login", obj{"role": "web", "jwt": jwt}},
			failing: []attempt{
				{"login", obj{"role": "web", "jwt": other}}, {"login", obj{"role": "none", "jwt": jwt}}, {"login", obj{"role": "web", "jwt": "x"}},
				{"login", obj{"role": "web", "jwt": cluster.Sign(servers.Claims(account, s.clock.Add(-time.Minute)))}},
			},
		},
		"jwt":  trusted,
		"oidc": trusted, // which takes JWTs as well
		"github": {
			set:     []attempt{{"config", obj{"organization": "acme", "base_url": hub.URL}}},
			passing: attempt{"login", obj{"token": "amys"}},
			failing: []attempt{{"login", obj{"token": "none"}}, {"login", obj{"token": "eves"}}},
		},
	}
}

// TestWrongAndUnknownAreAlike: whoever guesses at the login of any method learns from status and body nothing of who there is. Nor
// from the time, where a check takes any: the faster of two such attempts takes at least half as long as the other.
func TestWrongAndUnknownAreAlike(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	cases := alikes(s)
	for kind := range catalogue.Methods() {
		c, ok := cases[kind]
		if !ok {
			t.Errorf("no case for %s", kind)
			continue
		}
		s.post(rootID, "sys/auth/"+kind, obj{"type": kind}).want(204)
		for _, a := range c.set {
			if got := s.post(rootID, "auth/"+kind+"/"+a.path, a.body); got.status > 299 {
				t.Fatalf("%s: %d %s", got.what, got.status, got.raw)
			}
		}
		s.post("", "auth/"+kind+"/"+c.passing.path, c.passing.body).want(200)
		first, quickest := "", make([]time.Duration, len(c.failing))
		for i, a := range c.failing {
			quickest[i] = time.Hour
			for range 3 {
				start := time.Now()
				got := s.post("", "auth/"+kind+"/"+a.path, a.body)
				quickest[i] = min(quickest[i], time.Since(start))
				if first == "" {
					first = got.raw
				}
				if got.status != 400 && got.status != 403 || got.raw != first {
					t.Errorf("%s with %v: %d %s, want %s", got.what, a.body, got.status, got.raw, first)
				}
			}
		}
		for i, d := range quickest {
			if most := quickest[0]; most > 10*time.Millisecond && (d < most/2 || d > 2*most) {
				t.Errorf("%s: attempt %d takes %s, the first takes %s", kind, i+1, d, most)
			}
		}
	}
}

// TestLoginRateOfEveryMethod: no way to log in is without a limit of its own, and who is refused there is so by nothing else.
func TestLoginRateOfEveryMethod(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const rate = 1
	var err error
	s.handler, err = New(Config{
		Store: s.store, Cluster: s.cluster, Now: s.store.now, Limits: Limits{LoginRate: rate}, Engines: Engines{Methods: catalogue.Methods()},
	})
	if err != nil {
		t.Fatal(err)
	}
	verbs := map[engine.Operation]string{engine.Read: "GET", engine.Write: "POST", engine.Delete: "DELETE", engine.List: "LIST"}
	vars := regexp.MustCompile(`\{[^}]*\}`)
	for kind, m := range catalogue.Methods() {
		s.post(rootID, "sys/auth/"+kind, obj{"type": kind}).want(204)
		logins := 0
		for _, p := range m.Paths() {
			if !p.Login {
				continue
			}
			for op := range p.Ops {
				logins++
				path := "auth/" + kind + "/" + vars.ReplaceAllString(p.Pattern, "x")
				s.clock = s.clock.Add(time.Hour) // all may try again
				for range rate * loginSeconds {
					if got := s.call(verbs[op], "", path, nil); got.status == 429 {
						t.Fatalf("%s: refused before its burst was over", got.what)
					}
				}
				s.call(verbs[op], "", path, nil).refused(429, "too many logins")
			}
		}
		if logins == 0 {
			t.Errorf("%s has no way to log in", kind)
		}
	}
}
