package kubernetes

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/enginetest"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/test/outside"
)

type values = engine.Values

// world is a mount for a cluster.
type world struct {
	*enginetest.World
	cluster *outside.Kubernetes
}

// newWorld configures a cluster, and role "web" for the accounts web-* in prod and stage-*.
func newWorld(t *testing.T, config values) *world {
	t.Helper()
	m := New().(*method)
	m.pod = t.TempDir()
	w := &world{enginetest.New(t, m), outside.NewKubernetes(t)}
	v := values{"kubernetes_host": w.cluster.URL, "kubernetes_ca_cert": w.cluster.CA, "token_reviewer_jwt": outside.Reviewer}
	for name, x := range config {
		v[name] = x
	}
	w.Write("config", v)
	w.Write("role/web", values{
		"bound_service_account_names": []string{"web-*", "ops"}, "bound_service_account_namespaces": []string{"prod", "stage-*"}, "audience": "grove",
		"token_policies": []string{"p"}, "token_ttl": time.Minute,
	})
	return w
}

var web = outside.Account{Namespace: "prod", Name: "web-1", UID: "u-1", Audience: "grove"}

func (w *world) issue(a outside.Account) string { return w.cluster.Issue(a, w.Now.Time()) }

// forbidden wants the one answer to all that is wrong.
func (w *world) forbidden(role, jwt string) {
	w.Helper()
	if _, err := w.Do(engine.Write, "login", values{"role": role, "jwt": jwt}); !errors.Is(err, engine.ErrForbidden) {
		w.Errorf("role %q: got %v, want %v", role, err, engine.ErrForbidden)
	}
}

func TestLogin(t *testing.T) {
	w := newWorld(t, nil)
	l := w.Login(values{"role": "WEB", "jwt": w.issue(web)})
	if l.Alias != "u-1" || l.DisplayName != "prod-web-1" || l.TTL != time.Minute || l.Data != "WEB" || len(l.Policies) != 1 {
		t.Errorf("logged in as %+v", l)
	}
	for name, want := range map[string]string{
		"role": "WEB", "service_account_uid": "u-1", "service_account_name": "web-1", "service_account_namespace": "prod", "service_account_secret_name": "",
	} {
		if got, ok := l.Metadata[name]; !ok || got != want {
			t.Errorf("metadata %s is %q, want %q", name, got, want)
		}
	}
	w.Login(values{"role": "web", "jwt": w.issue(outside.Account{Namespace: "stage-2", Name: "ops", UID: "u-2", Audience: "grove"})})
	w.Write("role/web", values{"alias_name_source": aliasName})
	if l := w.Login(values{"role": "web", "jwt": w.issue(web)}); l.Alias != "prod/web-1" {
		t.Errorf("the alias is %q", l.Alias)
	}
	w.Refused(fsm.Invalid, "missing role", engine.Write, "login", values{"jwt": "x"})
	w.Refused(fsm.Invalid, "missing jwt", engine.Write, "login", values{"role": "web"})
}

// TestWhateverIsWrongIsForbidden: and a token of a known role costs the cluster as many questions as one of a role that is not there.
func TestWhateverIsWrongIsForbidden(t *testing.T) {
	w := newWorld(t, nil)
	now := w.Now.Time()
	good := w.issue(web)
	with := func(change func(a *outside.Account)) string {
		a := web
		change(&a)
		return w.issue(a)
	}
	expired := outside.Claims(web, now.Add(-2*time.Hour))
	for name, tt := range map[string]struct{ role, jwt string }{
		"no such role":     {"none", good},
		"a role's path":    {"web/../web", good},
		"never issued":     {"web", w.cluster.Sign(outside.Claims(web, now))},
		"wrong name":       {"web", with(func(a *outside.Account) { a.Name = "db" })},
		"wrong namespace":  {"web", with(func(a *outside.Account) { a.Namespace = "dev" })},
		"wrong audience":   {"web", with(func(a *outside.Account) { a.Audience = "other" })},
		"audience of none": {"none", with(func(a *outside.Account) { a.Audience = "other" })},
	} {
		before := w.cluster.Calls()
		w.forbidden(tt.role, tt.jwt)
		if n := w.cluster.Calls() - before; n != 1 {
			t.Errorf("%s: the cluster was asked %d times, want once", name, n)
		}
	}
	asked := w.cluster.Calls()
	for _, jwt := range []string{"no token", "a.b.c", strings.Repeat("x", maxToken+1), w.cluster.Sign(expired), w.cluster.Sign(map[string]any{"sub": "me"})} {
		w.forbidden("web", jwt)
		w.forbidden("none", jwt)
	}
	if w.cluster.Calls() != asked {
		t.Error("the cluster was asked about what is no token of a service account")
	}
	w.Write("role/web", values{"token_bound_cidrs": []string{"198.51.100.0/24"}})
	w.forbidden("web", good)
	w.From = "198.51.100.3:1"
	w.Login(values{"role": "web", "jwt": good})
	w.cluster.Delete(web)
	w.forbidden("web", good)
}

// TestUnsignedClaimsProveNothing: who says to be another account than the one that the cluster names is refused.
func TestUnsignedClaimsProveNothing(t *testing.T) {
	w := newWorld(t, nil)
	text := w.issue(web)
	for _, of := range []string{"system:serviceaccount:prod:web-2", "system:node:web-1", "web-1", "system:serviceaccount:stage-1:web-1"} {
		w.cluster.Break(reviewed(of, "u-1", nil))
		w.forbidden("web", text)
	}
	w.cluster.Break(reviewed("system:serviceaccount:prod:web-1", "u-2", nil))
	w.forbidden("web", text)
	w.cluster.Break(reviewed("system:serviceaccount:prod:web-1", "u-1", []string{"another audience"}))
	w.forbidden("web", text)
	w.cluster.Break(answered(false, "system:serviceaccount:prod:web-1", "u-1", nil))
	w.forbidden("web", text)
	w.cluster.Break(reviewed("system:serviceaccount:prod:web-1", "u-1", nil)) // an API that does not know audiences
	w.Login(values{"role": "web", "jwt": text})
	abroad := web
	abroad.Audience = "other"
	w.forbidden("web", w.issue(abroad))
}

// reviewed answers every review with the same user.
func reviewed(username, uid string, audiences []string) http.HandlerFunc {
	return answered(true, username, uid, audiences)
}

func answered(authenticated bool, username, uid string, audiences []string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		status := map[string]any{"authenticated": authenticated, "user": map[string]string{"username": username, "uid": uid}, "audiences": audiences}
		json.NewEncoder(w).Encode(map[string]any{"kind": "TokenReview", "status": status})
	}
}

func TestKeysOfTheCluster(t *testing.T) {
	other := outside.NewKubernetes(t)
	w := newWorld(t, nil)
	configure := func(keys ...string) {
		w.Write("config", values{"kubernetes_host": w.cluster.URL, "kubernetes_ca_cert": w.cluster.CA, "token_reviewer_jwt": outside.Reviewer, "pem_keys": keys})
	}
	good := w.issue(web)
	configure(other.PublicKey(), w.cluster.PublicKey())
	w.Login(values{"role": "web", "jwt": good})
	configure(other.PublicKey())
	asked := w.cluster.Calls()
	w.forbidden("web", good)
	w.forbidden("none", good)
	if w.cluster.Calls() != asked {
		t.Error("the cluster was asked about a token that none of the keys has signed")
	}
}

func TestIssuer(t *testing.T) {
	w := newWorld(t, values{"disable_iss_validation": false})
	w.forbidden("web", w.issue(web))
	w.Write("role/any", values{"bound_service_account_names": []string{"*"}, "bound_service_account_namespaces": []string{"*"}})
	old := web
	old.Audience = ""
	if l := w.Login(values{"role": "any", "jwt": w.cluster.Legacy(old, "web-token-x")}); l.Metadata["service_account_secret_name"] != "web-token-x" {
		t.Errorf("metadata %v", l.Metadata)
	}
	w.Write("config", values{
		"kubernetes_host": w.cluster.URL, "kubernetes_ca_cert": w.cluster.CA, "token_reviewer_jwt": outside.Reviewer, "disable_iss_validation": false,
		"issuer": "https://kubernetes.default.svc.cluster.local",
	})
	w.Login(values{"role": "web", "jwt": w.issue(web)})
}

// TestWhoReviews: the configured token, else that of the pod, else the token itself.
func TestWhoReviews(t *testing.T) {
	w := newWorld(t, values{"token_reviewer_jwt": ""})
	text := w.issue(web)
	w.Login(values{"role": "web", "jwt": text})
	w.forbidden("web", w.cluster.Sign(outside.Claims(web, w.Now.Time())))
	pod := w.Method.(*method).pod
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(pod, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	bearer := func() (got string) {
		w.cluster.Break(func(rw http.ResponseWriter, r *http.Request) {
			got = r.Header.Get("Authorization")
			rw.WriteHeader(http.StatusTeapot)
		})
		defer w.cluster.Break(nil)
		w.Refused(fsm.Unavailable, "status 418", engine.Write, "login", values{"role": "web", "jwt": text})
		return got
	}
	if got := bearer(); got != "Bearer "+text {
		t.Errorf("without a reviewer, %q asks", got)
	}
	w.Write("config", values{"kubernetes_host": w.cluster.URL, "kubernetes_ca_cert": w.cluster.CA, "token_reviewer_jwt": outside.Reviewer})
	if got := bearer(); got != "Bearer "+outside.Reviewer {
		t.Errorf("with a reviewer, %q asks", got)
	}
	w.Write("config", values{"kubernetes_host": w.cluster.URL, "kubernetes_ca_cert": w.cluster.CA})
	put("token", "not.the.reviewers\n")
	w.Refused(fsm.Unavailable, "does not let token_reviewer_jwt", engine.Write, "login", values{"role": "web", "jwt": text})
	put("token", outside.Reviewer+"\n")
	put("ca.crt", w.cluster.CA)
	w.Write("config", values{"kubernetes_host": w.cluster.URL})
	w.Login(values{"role": "web", "jwt": text})
	w.Write("config", values{"kubernetes_host": w.cluster.URL, "disable_local_ca_jwt": true})
	w.Refused(fsm.Unavailable, "certificate that is not trusted", engine.Write, "login", values{"role": "web", "jwt": text})
	put("ca.crt", "no certificate")
	w.Write("config", values{"kubernetes_host": w.cluster.URL})
	w.Refused(fsm.Unavailable, "no certificate in PEM form", engine.Write, "login", values{"role": "web", "jwt": text})
}

// TestClusterFails: a cluster that does not work is a 503 that says how, for every role, and tells no secret.
func TestClusterFails(t *testing.T) {
	w := newWorld(t, nil)
	text := w.issue(web)
	failures := outside.Failures()
	failures["no review"] = outside.Failure{Handler: func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"kind":"Status"}`) }, Text: "something else than a TokenReview"}
	for name, f := range failures {
		w.cluster.Break(f.Handler)
		for _, role := range []string{"web", "none"} {
			wait := 5 * time.Second
			if name == "slow" {
				wait = 30 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			_, err := w.DoIn(ctx, engine.Write, "login", values{"role": role, "jwt": text})
			cancel()
			w.Fails(fsm.Unavailable, f.Text, err)
			if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), text) || strings.Contains(err.Error(), outside.Reviewer)) {
				t.Errorf("%s: %v tells too much", name, err)
			}
		}
	}
	w.cluster.Break(nil)
	w.Login(values{"role": "web", "jwt": text})
}

func TestConfig(t *testing.T) {
	w := newWorld(t, values{"pem_keys": []string(nil), "issuer": "me"})
	data := w.Must(engine.Read, "config", nil)
	for name, want := range map[string]any{
		"kubernetes_host": w.cluster.URL, "kubernetes_ca_cert": w.cluster.CA, "token_reviewer_jwt_set": true, "pem_keys": []string{}, "issuer": "me",
		"disable_iss_validation": true, "disable_local_ca_jwt": false, "use_annotations_as_alias_metadata": false, "token_reviewer_jwt": nil,
	} {
		w.Is(data, name, want)
	}
	w.Store.Walk("", func(key string, e storage.Entry) bool {
		if strings.Contains(string(e.Value), outside.Reviewer) {
			t.Errorf("%q holds the reviewer's token in clear", key)
		}
		return true
	})
	for text, v := range map[string]values{
		"no host provided":                 {},
		"kubernetes_host: want https://":   {"kubernetes_host": "ftp://x"},
		"kubernetes_ca_cert: there is no":  {"kubernetes_host": "x", "kubernetes_ca_cert": "x"},
		"pem_keys: key 1: data does not":   {"kubernetes_host": "x", "pem_keys": []string{"x"}},
		"pem_keys has at most 16 keys":     {"kubernetes_host": "x", "pem_keys": make([]string, 17)},
		"token_reviewer_jwt is no bearer":  {"kubernetes_host": "x", "token_reviewer_jwt": "a b"},
		"use_annotations_as_alias_metadat": {"kubernetes_host": "x", "use_annotations_as_alias_metadata": true},
	} {
		w.Refused(fsm.Invalid, text, engine.Write, "config", v)
	}
	w.Write("config", values{"kubernetes_host": "10.0.0.1:6443"})
	w.Is(w.Must(engine.Read, "config", nil), "token_reviewer_jwt_set", false) // a write replaces
	w.Sealer = nil
	w.Refused(fsm.Unavailable, "no key to seal", engine.Write, "config", values{"kubernetes_host": "x", "token_reviewer_jwt": "t"})

	w.Store = storage.Store{} // a new mount
	w.Refused(fsm.NotFound, "", engine.Read, "config", nil)
	w.Refused(fsm.Invalid, "could not load backend configuration", engine.Write, "login", values{"role": "web", "jwt": "x"})
}

func TestRoles(t *testing.T) {
	w := newWorld(t, nil)
	rs, err := w.Do(engine.Write, "role/Ops", values{
		"bound_service_account_names": []string{"*"}, "bound_service_account_namespaces": []string{"*"}, "policies": []string{"b", "a"}, "num_uses": int64(3), "token_max_ttl": 48 * time.Hour,
	})
	if err != nil || len(rs.Warnings) != 2 || !strings.Contains(rs.Warnings[0], "truncated") || !strings.Contains(rs.Warnings[1], "audience") {
		t.Errorf("got %+v %v, want two warnings", rs, err)
	}
	data := w.Must(engine.Read, "role/ops", nil)
	for name, want := range map[string]any{
		"bound_service_account_names": []string{"*"}, "bound_service_account_namespaces": []string{"*"}, "bound_service_account_namespace_selector": "", "alias_name_source": aliasUID,
		"policies": []string{"a", "b"}, "token_policies": []string{"a", "b"}, "num_uses": uint32(3), "token_num_uses": uint32(3), "audience": nil,
	} {
		w.Is(data, name, want)
	}
	w.Is(w.Must(engine.Read, "role/web", nil), "audience", "grove")
	if rs, err := w.Do(engine.List, "role", nil); err != nil || strings.Join(rs.Keys, " ") != "ops web" {
		t.Errorf("listed %v %v", rs, err)
	}
	for _, tt := range []struct {
		role, text string
		v          values
	}{
		{"new", `"bound_service_account_names" can not be empty`, values{"bound_service_account_namespaces": []string{"x"}}},
		{"new", `"bound_service_account_namespaces" can not be empty`, values{"bound_service_account_names": []string{"x"}}},
		{"web", `can not mix "*" with values`, values{"bound_service_account_names": []string{"x", "*"}}},
		{"web", `can not mix "*" with values`, values{"bound_service_account_namespaces": []string{"*", "x"}}},
		{"web", "namespace_selector is not supported", values{"bound_service_account_namespace_selector": "{}"}},
		{"web", "must be one of: serviceaccount_uid, serviceaccount_name", values{"alias_name_source": "x"}},
		{"web", "token period of '\"25h0m0s\"' is greater", values{"token_period": 25 * time.Hour}},
		{"web", "'token_ttl' cannot be greater", values{"token_ttl": 2 * time.Hour, "token_max_ttl": time.Hour}},
	} {
		w.Refused(fsm.Invalid, tt.text, engine.Write, "role/"+tt.role, tt.v)
	}
	if !exists(w.Request(engine.Write, "", values{"name": "WEB"})) || exists(w.Request(engine.Write, "", values{"name": "new"})) {
		t.Error("a role is not there that should be, or the other way round")
	}
	l := w.Login(values{"role": "web", "jwt": w.issue(web)})
	if terms, err := w.Renew(l); err != nil || terms.TTL != time.Minute {
		t.Errorf("renewed by %+v %v", terms, err)
	}
	w.Must(engine.Delete, "role/web", nil)
	w.Refused(fsm.NotFound, "", engine.Read, "role/web", nil)
	_, err = w.Renew(l)
	w.Fails(fsm.Invalid, `role "web" does not exist`, err)
}
