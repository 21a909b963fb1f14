package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// oidcServer is a server that lets a browser log in, and the browser that reads what the command says.
type oidcServer struct {
	*testing.T
	*httptest.Server
	visit func(s *oidcServer, back, state string) // what the browser does

	mu     sync.Mutex
	nonce  string // the client's
	posted url.Values
	said   bytes.Buffer
	went   bool
}

func newOIDCServer(t *testing.T, visit func(s *oidcServer, back, state string)) *oidcServer {
	s := &oidcServer{T: t, visit: visit}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *oidcServer) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, _ := io.ReadAll(r.Body)
	refuse := func(text string) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"errors":[%q]}`, text)
	}
	switch {
	case r.URL.Path == "/v1/auth/sso/oidc/auth_url":
		m := regexp.MustCompile(`"client_nonce":"(\w{20,})","redirect_uri":"(http://localhost:\d+/oidc/callback)","role":"(\w*)"`).FindSubmatch(b)
		switch {
		case m == nil:
			refuse("body " + string(b))
		case string(m[3]) == "none":
			io.WriteString(w, `{"data":{"auth_url":""}}`)
		default:
			s.nonce = string(m[1])
			fmt.Fprintf(w, `{"data":{"auth_url":"https://provider.example/login?state=the-state&redirect_uri=%s"}}`, url.QueryEscape(string(m[2])))
		}
	case r.Method == http.MethodPost && r.URL.Path == "/v1/auth/sso/oidc/callback":
		s.posted, _ = url.ParseQuery(string(b))
		io.WriteString(w, "<html>")
	case r.Method == http.MethodGet && r.URL.Path == "/v1/auth/sso/oidc/callback":
		q := r.URL.Query()
		switch {
		case q.Get("client_nonce") != s.nonce || q.Get("state") != "the-state":
			refuse("not this login: " + r.URL.RawQuery)
		case q.Get("error") != "":
			refuse("Vault login failed. " + q.Get("error"))
		case q.Get("code") != "the-code":
			refuse("not this code")
		default:
			io.WriteString(w, `{"auth":{"client_token":"hvs.browser","accessor":"a","policies":["default"],"token_policies":["default"],"lease_duration":60,"renewable":true}}`)
		}
	default:
		http.NotFound(w, r)
	}
}

// Write takes what the command says on standard error, and goes where it says.
func (s *oidcServer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said.Write(b)
	if m := regexp.MustCompile(`https://provider\S+`).Find(s.said.Bytes()); m != nil && !s.went {
		s.went = true
		u, err := url.Parse(string(m))
		if err != nil {
			s.Errorf("the URL: %v", err)
			return len(b), nil
		}
		go s.visit(s, u.Query().Get("redirect_uri"), u.Query().Get("state"))
	}
	return len(b), nil
}

func (s *oidcServer) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.said.String()
}

// login runs the command.
func (s *oidcServer) login(ctx context.Context, args ...string) (code int, out string) {
	var stdout bytes.Buffer
	vars := map[string]string{"VAULT_ADDR": s.URL, "HOME": s.TempDir()}
	env := &environment{stdin: strings.NewReader(""), stdout: &stdout, stderr: s, getenv: func(k string) string { return vars[k] }}
	code = run(ctx, append([]string{"login", "-method=oidc", "-path=sso", "-no-store", "-field=token"}, args...), env)
	return code, stdout.String()
}

// get is a page that the browser sees.
func (s *oidcServer) get(at string) (int, string) {
	r, err := http.Get(at)
	if err != nil {
		s.Errorf("the browser: %v", err)
		return 0, ""
	}
	defer r.Body.Close()
	b, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(b)
}

func TestLoginWithBrowser(t *testing.T) {
	t.Parallel()
	s := newOIDCServer(t, func(s *oidcServer, back, state string) {
		for _, other := range []string{"?state=forged&code=x", ""} { // somebody else's page
			if status, _ := s.get(back + other); status != http.StatusBadRequest {
				s.Errorf("a request of another login: %d", status)
			}
		}
		if status, page := s.get(back + "?code=the-code&state=" + state); status != 200 || !strings.Contains(page, "You are logged in") {
			s.Errorf("the browser sees %d %s", status, page)
		}
	})
	if code, out := s.login(t.Context(), "role=web", "port=0"); code != 0 || strings.TrimSpace(out) != "hvs.browser" {
		t.Errorf("code %d, out %q\n%s", code, out, s.text())
	}
}

// TestLoginWithFormPost: what the provider has the browser post is posted on.
func TestLoginWithFormPost(t *testing.T) {
	t.Parallel()
	s := newOIDCServer(t, func(s *oidcServer, back, state string) {
		r, err := http.PostForm(back, url.Values{"state": {state}, "code": {"the-code"}, "id_token": {"a.b.c"}})
		if err != nil {
			s.Errorf("the browser: %v", err)
			return
		}
		r.Body.Close()
	})
	code, out := s.login(t.Context(), "role=web", "port=0")
	if code != 0 || strings.TrimSpace(out) != "hvs.browser" || s.posted.Get("id_token") != "a.b.c" || s.posted.Get("state") != "the-state" {
		t.Errorf("code %d, out %q, posted %v\n%s", code, out, s.posted, s.text())
	}
}

func TestRefusedBrowserLogins(t *testing.T) {
	t.Parallel()
	s := newOIDCServer(t, func(s *oidcServer, back, state string) {
		if status, page := s.get(back + "?error=<denied>&state=" + state); status != http.StatusBadRequest || !strings.Contains(page, "Login failed") || strings.Contains(page, "<denied>") {
			s.Errorf("the browser sees %d %s", status, page)
		}
	})
	if code, out := s.login(t.Context(), "port=0"); code != 2 || out != "" || !strings.Contains(s.text(), "Vault login failed. <denied>") {
		t.Errorf("code %d, out %q\n%s", code, out, s.text())
	}
	s = newOIDCServer(t, nil)
	if code, _ := s.login(t.Context(), "role=none", "port=0"); code == 0 || !strings.Contains(s.text(), "among its allowed_redirect_uris") {
		t.Errorf("code %d\n%s", code, s.text())
	}
	ctx, cancel := context.WithCancel(t.Context())
	s = newOIDCServer(t, func(*oidcServer, string, string) { cancel() }) // Ctrl-C instead of a login
	if code, _ := s.login(ctx, "role=web", "port=0"); code == 0 {
		t.Error("a login that was broken off succeeds")
	}
	for args, text := range map[string]string{"port=99999": "istening for the browser", "port=0 port=1": "given more than once"} {
		if code, _ := s.login(t.Context(), strings.Fields(args)...); code == 0 || !strings.Contains(s.text(), text) {
			t.Errorf("%s: code %d\n%s", args, code, s.text())
		}
	}
}
