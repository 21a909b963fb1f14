package jwt

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
)

// begin asks for the URL to log in at.
func (w *world) begin(more values) string {
	w.Helper()
	v := values{"redirect_uri": redirect}
	for k, x := range more { // order: a map of them
		v[k] = x
	}
	u, _ := w.Write("oidc/auth_url", v)["auth_url"].(string)
	return u
}

// back is the browser that comes back.
func (w *world) back(v values) (*engine.Login, error) {
	w.Helper()
	rs, err := w.Do(engine.Read, "oidc/callback", v)
	if err != nil {
		return nil, err
	}
	return rs.Login, nil
}

func TestBrowserLogin(t *testing.T) {
	w := newWorld(t).oidc(nil, values{"claim_mappings": map[string]string{"phone": "phone"}, "oidc_scopes": []string{"email"}, "max_age": time.Hour, "groups_claim": "groups",
		"bound_claims": map[string]any{"aud": "grove"}}) // whatever userinfo says
	w.i.info = claims{"sub": "u1", "phone": "123", "iss": "https://evil", "aud": "evil"}
	w.i.idToken = func(c claims) string {
		return sign(jose.RS256, rsaKey(), "k1", c.with(claims{"auth_time": c["iat"], "at_hash": half("access")}))
	}
	at := w.begin(nil)
	u := must(url.Parse(at))
	q := u.Query()
	for name, want := range map[string]string{
		"client_id": "grove", "redirect_uri": redirect, "response_type": "code", "scope": "openid email", "code_challenge_method": "S256", "max_age": "3600", "response_mode": "",
	} {
		if got := q.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if w.Keys("done/")+w.Keys("posted/") != 0 {
		t.Error("a login that has only begun is stored")
	}
	code, state := w.i.login(at)
	l, err := w.back(values{"code": code, "state": state})
	if err != nil {
		t.Fatal(err)
	}
	if l.Alias != "bob@example.com" || l.Data != "web" || l.Metadata["role"] != "web" || l.Metadata["phone"] != "123" || len(l.Policies) != 1 {
		t.Errorf("got %+v", l)
	}
	if w.Keys("done/") != 1 {
		t.Error("the state is not marked")
	}
	for _, c := range []string{code, "another"} {
		_, err = w.back(values{"code": c, "state": state})
		w.Fails(fsm.Invalid, "Vault login failed. Expired or missing OAuth state.", err)
	}
}

// half is what an at_hash says of an access token.
func half(s string) string { return hashOf(jose.RS256, s) }

// TestAnyNodeFinishes: another node, which has never heard of the login, finishes it, once.
func TestAnyNodeFinishes(t *testing.T) {
	w := newWorld(t).oidc(nil, nil)
	code, state := w.i.login(w.begin(nil))
	w.Method = newMethod(func() time.Time { return *w.i.clock.Load() })
	if _, err := w.back(values{"code": code, "state": state}); err != nil {
		t.Fatal(err)
	}
	w.Method = newMethod(func() time.Time { return *w.i.clock.Load() })
	_, err := w.back(values{"code": code, "state": state})
	w.Fails(fsm.Invalid, "Expired or missing OAuth state", err)
}

// TestCallbackRunsAgain: a handler may run twice for one request; a provider takes a code once.
func TestCallbackRunsAgain(t *testing.T) {
	w := newWorld(t).oidc(nil, nil)
	code, state := w.i.login(w.begin(nil))
	v := values{"code": code, "state": state}
	for range 2 { // what the first has decided is not applied
		rs, err := w.m.callback(t.Context(), w.Request(engine.Read, "oidc/callback", v))
		if err != nil || rs.Login == nil {
			t.Fatalf("%+v %v", rs, err)
		}
	}
	if n := w.i.count("/token"); n != 1 {
		t.Errorf("the code was exchanged %d times, want once", n)
	}
	_, err := w.back(values{"code": "another", "state": state})
	w.Fails(fsm.Invalid, "Expired or missing OAuth state", err)
	if _, err := w.back(v); err != nil {
		t.Error(err)
	}
}

func TestRefusedCallbacks(t *testing.T) {
	w := newWorld(t)
	w.Refused(fsm.Invalid, "Could not load configuration", engine.Read, "oidc/callback", values{"state": "x", "code": "x"})
	w.oidc(nil, nil)
	_, good := w.i.login(w.begin(nil))
	other := good[:20] + string("AB"[strings.Count(good[20:21], "A")]) + good[21:]
	for name, c := range map[string]struct {
		v    values
		want string
	}{
		"no state":      {values{"code": "x"}, "Expired or missing OAuth state"},
		"no base64":     {values{"code": "x", "state": "!"}, "Expired or missing OAuth state"},
		"with more":     {values{"code": "x", "state": good + "AAAA"}, "Expired or missing OAuth state"},
		"forged":        {values{"code": "x", "state": other}, "Expired or missing OAuth state"},
		"nothing":       {values{"state": good}, "No code or id_token received."},
		"nothing saved": {values{"state": good, "code": "no_code"}, "No code or id_token received."},
		"an error":      {values{"state": good, "error": "access_denied", "error_description": "no"}, "The provider answers: access_denied no"},
		"a bad code":    {values{"state": good, "code": "x"}, `Error exchanging oidc code: "invalid_grant no such code".`},
	} {
		_, err := w.back(c.v)
		if err == nil {
			t.Errorf("%s: a login", name)
			continue
		}
		w.Fails(fsm.Invalid, c.want, err)
	}
	code, state := w.i.login(w.begin(nil))
	w.Now = w.Now.Add(attemptLife)
	_, err := w.back(values{"code": code, "state": state})
	w.Fails(fsm.Invalid, "Expired or missing OAuth state", err)
	code, state = w.i.login(w.begin(nil))
	w.Write("role/web", values{"token_bound_cidrs": []string{"10.0.0.0/8"}})
	if _, err = w.back(values{"code": code, "state": state}); err != engine.ErrForbidden {
		t.Errorf("from elsewhere: %v", err)
	}
	w.Must(engine.Delete, "role/web", values{})
	_, err = w.back(values{"code": code, "state": state})
	w.Fails(fsm.Invalid, "Role could not be found", err)
	w.Write("config", values{"jwt_validation_pubkeys": []string{publicPEM(ecKey())}})
	_, err = w.back(values{"code": code, "state": state})
	w.Fails(fsm.Invalid, "OIDC login is not configured for this mount", err)
}

// TestClientNonce: who began with a nonce of its own must name it in the end; a wrong one spends nothing.
func TestClientNonce(t *testing.T) {
	w := newWorld(t).oidc(nil, nil)
	code, state := w.i.login(w.begin(values{"client_nonce": "mine"}))
	for _, n := range []string{"", "yours"} {
		_, err := w.back(values{"code": code, "state": state, "client_nonce": n})
		w.Fails(fsm.Invalid, "invalid client_nonce", err)
	}
	if w.i.count("/token") != 0 {
		t.Error("the code was spent")
	}
	if _, err := w.back(values{"code": code, "state": state, "client_nonce": "mine"}); err != nil {
		t.Error(err)
	}
}

// TestStatesDoNotMix: a state of another mount, or with the code of another login, is worth nothing.
func TestStatesDoNotMix(t *testing.T) {
	w := newWorld(t).oidc(nil, nil)
	code, state := w.i.login(w.begin(nil))
	v := values{"code": code, "state": state}
	rq := w.Request(engine.Read, "oidc/callback", v)
	rq.Mount.UUID = "mount-2"
	_, err := w.m.callback(t.Context(), rq)
	w.Fails(fsm.Invalid, "Expired or missing OAuth state", err)
	stolen, _ := w.i.login(w.begin(nil))
	_, err = w.back(values{"code": stolen, "state": state})
	w.Fails(fsm.Invalid, "wrong verifier", err)
}

func TestBadIDTokens(t *testing.T) {
	for name, c := range map[string]struct {
		token func(c claims) string
		want  string
	}{
		"HS256 with the client secret":         {func(c claims) string { return sign(jose.HS256, []byte("s3cret-of-32-bytes-s3cret-of-32b"), "", c) }, "error parsing token"},
		"none":                                 {func(c claims) string { return raw(`{"alg":"none"}`, c, nil) }, "error parsing token"},
		"an algorithm that is not the default": {func(c claims) string { return sign(jose.PS256, rsaKey(), "k1", c) }, "signed with one of RS256"},
		"another key":                          {func(c claims) string { return sign(jose.RS256, otherRSA(), "k1", c) }, "failed to verify id token signature"},
		"another nonce":                        {func(c claims) string { return sign(jose.RS256, rsaKey(), "k1", c.with(claims{"nonce": "x"})) }, "another nonce"},
		"another audience":                     {func(c claims) string { return sign(jose.RS256, rsaKey(), "k1", c.with(claims{"aud": "x"})) }, "not for the client"},
		"another issuer":                       {func(c claims) string { return sign(jose.RS256, rsaKey(), "k1", c.with(claims{"iss": "https://x"})) }, "issued by"},
		"expired":                              {func(c claims) string { return sign(jose.RS256, rsaKey(), "k1", c.with(claims{"exp": 1_700_000_000})) }, "expired"},
		"another access token":                 {func(c claims) string { return sign(jose.RS256, rsaKey(), "k1", c.with(claims{"at_hash": half("x")})) }, "at_hash claim of the ID token does not fit"},
		"unbound subject":                      {func(c claims) string { return sign(jose.RS256, rsaKey(), "k1", c.with(claims{"sub": "u2"})) }, "sub claim does not match bound subject"},
		"no user":                              {func(c claims) string { return sign(jose.RS256, rsaKey(), "k1", c.with(claims{"email": nil})) }, `claim "email" not found`},
		"unbound claim":                        {func(c claims) string { return sign(jose.RS256, rsaKey(), "k1", c.with(claims{"groups": "x"})) }, "error validating claims"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t).oidc(nil, values{"bound_subject": "u1", "bound_claims": map[string]any{"groups": "ops"}})
			w.i.idToken = c.token
			code, state := w.i.login(w.begin(nil))
			_, err := w.back(values{"code": code, "state": state})
			w.Fails(fsm.Invalid, c.want, err)
			if w.Keys("done/") != 0 {
				t.Error("a refusal has marked the state")
			}
		})
	}
}

// TestUserInfoOfSomebodyElse: what the provider tells of another user, or not at all, does not count.
func TestUserInfoOfSomebodyElse(t *testing.T) {
	w := newWorld(t).oidc(nil, values{"claim_mappings": map[string]string{"phone": "phone"}})
	for _, info := range []claims{{"sub": "u2", "phone": "1"}, {"SUB": "u1", "phone": "1"}, nil} {
		w.i.info = info
		code, state := w.i.login(w.begin(nil))
		l, err := w.back(values{"code": code, "state": state})
		if err != nil || l.Metadata["phone"] != "" {
			t.Errorf("%v: %+v %v", info, l, err)
		}
	}
}

func TestAuthURL(t *testing.T) {
	w := newWorld(t)
	w.Refused(fsm.Invalid, "could not load configuration", engine.Write, "oidc/auth_url", values{})
	w.jwks(nil)
	w.Refused(fsm.Invalid, "OIDC login is not configured for this mount", engine.Write, "oidc/auth_url", values{})
	w.oidc(values{"default_role": ""}, nil).role(nil)
	w.Refused(fsm.Invalid, "missing role", engine.Write, "oidc/auth_url", values{"redirect_uri": redirect})
	w.Refused(fsm.Invalid, `role "x" could not be found`, engine.Write, "oidc/auth_url", values{"role": "X", "redirect_uri": redirect})
	w.Refused(fsm.Invalid, "missing redirect_uri", engine.Write, "oidc/auth_url", values{"role": "web"})
	for _, v := range []values{{"role": "web", "redirect_uri": "https://evil"}, {"role": "r"}, {"role": "web", "redirect_uri": "http://localhost:1/other"}} {
		if u := w.begin(v); u != "" {
			t.Errorf("%v: %s, want none", v, u)
		}
	}
	for _, v := range []string{redirect, "http://localhost:1234/oidc/callback"} {
		if u := w.begin(values{"role": "WEB", "redirect_uri": v}); must(url.Parse(u)).Query().Get("redirect_uri") != v {
			t.Errorf("%s: %q", v, u)
		}
	}
	at := w.begin(values{"role": "web", "redirect_uri": redirect + "?namespace=ns1"})
	code, state := w.i.login(at)
	if !strings.HasSuffix(state, ",ns=ns1") || must(url.Parse(at)).Query().Get("redirect_uri") != redirect {
		t.Errorf("a namespace: %s", at)
	}
	if _, err := w.back(values{"code": code, "state": state}); err != nil {
		t.Errorf("with the namespace in the state: %v", err)
	}
}

func TestValidRedirect(t *testing.T) {
	t.Parallel()
	allowed := []string{"https://App.example/cb", "http://localhost:8250/oidc/callback", "http://127.0.0.1/cb", "http://[::1]/cb", ":bad"}
	for in, want := range map[string]bool{
		"https://app.example/cb": true, "https://app.example:443/cb": false, "https://app.example/cb/": false, "https://app.example.evil/cb": false,
		"http://localhost/oidc/callback": true, "http://localhost:9/oidc/callback": true, "https://localhost:9/oidc/callback": false, "http://localhost/oidc/callback?x": false,
		"http://127.0.0.1:5/cb": true, "http://[::1]:5/cb": true, "http://127.0.0.2:5/cb": false, "http://user@localhost:9/oidc/callback": false, ":bad": false, "": false,
	} {
		if got := validRedirect(in, allowed); got != want {
			t.Errorf("%q: %v, want %v", in, got, want)
		}
	}
}

// TestFormPost: what the provider has the browser post goes on with the page, or is kept until the browser has gone on.
func TestFormPost(t *testing.T) {
	w := newWorld(t).oidc(nil, nil)
	rs, err := w.Do(engine.Write, "oidc/callback", values{"state": "x"})
	if err != nil || rs.Status != http.StatusMethodNotAllowed {
		t.Errorf("without form_post: %+v %v", rs, err)
	}
	w.oidc(values{"oidc_response_mode": "form_post"}, nil)
	at := w.begin(nil)
	if got := must(url.Parse(at)).Query().Get("response_mode"); got != "form_post" {
		t.Errorf("response_mode is %q", got)
	}
	code, state := w.i.login(at)
	rs, err = w.Do(engine.Write, "oidc/callback", values{"state": state, "code": code})
	if err != nil || rs.Status != 200 || !strings.HasPrefix(rs.Raw.ContentType, "text/html") || !bytes.Contains(rs.Raw.Body, []byte(code)) || !bytes.Contains(rs.Raw.Body, []byte("postMessage")) {
		t.Fatalf("%+v %v", rs, err)
	}
	if csp := rs.Raw.Headers["Content-Security-Policy"]; !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "script-src 'nonce-") {
		t.Errorf("policy %q", csp)
	}
	if _, err := w.back(values{"state": state, "code": code}); err != nil {
		t.Error(err)
	}
	for name, v := range map[string]values{"used": {"state": state, "code": code}, "nothing": {"state": second(w.i.login(w.begin(nil)))}, "forged": {"state": "<script>", "code": "x"}} {
		rs, err := w.Do(engine.Write, "oidc/callback", v)
		if err != nil || rs.Status != 400 || !bytes.Contains(rs.Raw.Body, []byte("Login failed")) || bytes.Contains(rs.Raw.Body, []byte("<script")) {
			t.Errorf("%s: %+v %v", name, rs, err)
		}
	}
}

func second(_, b string) string { return b }

func TestPostedIDToken(t *testing.T) {
	w := newWorld(t).oidc(values{"oidc_response_mode": "form_post", "oidc_response_types": []string{"id_token"}}, nil)
	at := w.begin(values{"client_nonce": "mine"})
	q := must(url.Parse(at)).Query()
	if q.Get("response_type") != "id_token" || q.Get("response_mode") != "form_post" || q.Get("code_challenge") != "" {
		t.Errorf("auth_url %s", at)
	}
	state := q.Get("state")
	good := sign(jose.RS256, rsaKey(), "k1", w.i.claims(q.Get("nonce")))
	bad := sign(jose.RS256, rsaKey(), "k1", w.i.claims("another"))
	rs, err := w.Do(engine.Write, "oidc/callback", values{"state": state, "id_token": bad})
	if err != nil || rs.Status != 400 || w.Keys("posted/") != 0 {
		t.Fatalf("a bad one: %+v %v, %d are kept", rs, err, w.Keys("posted/"))
	}
	rs, err = w.Do(engine.Write, "oidc/callback", values{"state": state, "id_token": good})
	if err != nil || rs.Status != 200 || !bytes.Contains(rs.Raw.Body, []byte("no_code")) || w.Keys("posted/") != 1 {
		t.Fatalf("%+v %v, %d are kept", rs, err, w.Keys("posted/"))
	}
	w.Store.Walk("posted/", func(_ string, e storage.Entry) bool {
		if bytes.Contains(e.Value, []byte(good)) {
			t.Error("the ID token is kept in clear")
		}
		return true
	})
	_, err = w.back(values{"state": state, "code": "no_code"})
	w.Fails(fsm.Invalid, "invalid client_nonce", err)
	_, err = w.back(values{"state": state, "code": "a-code", "client_nonce": "mine"})
	w.Fails(fsm.Invalid, "oidc_response_types is id_token", err)
	l, err := w.back(values{"state": state, "code": "no_code", "client_nonce": "mine"})
	if err != nil || l.Alias != "bob@example.com" || w.Keys("posted/") != 0 || w.Keys("done/") != 1 {
		t.Errorf("%+v %v", l, err)
	}
	_, err = w.back(values{"state": state, "client_nonce": "mine"})
	w.Fails(fsm.Invalid, "Expired or missing OAuth state", err)
}

// TestMarksAreTidied: what logins leave behind goes away with later ones.
func TestMarksAreTidied(t *testing.T) {
	w := newWorld(t).oidc(nil, nil)
	in := func() {
		t.Helper()
		code, state := w.i.login(w.begin(nil))
		if _, err := w.back(values{"code": code, "state": state}); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 * tidied {
		in()
	}
	if n := w.Keys("done/"); n != 3*tidied {
		t.Fatalf("%d marks, want %d", n, 3*tidied)
	}
	w.Now = w.Now.Add(attemptLife + time.Second)
	w.i.advance(attemptLife + time.Second)
	for range 4 {
		in()
	}
	if n := w.Keys("done/"); n != 4 {
		t.Errorf("%d marks, want the 4 that may still matter", n)
	}
}

// TestCrowdedProvider: one dead provider takes a bounded part of the node.
func TestCrowdedProvider(t *testing.T) {
	w := newWorld(t).oidc(nil, nil)
	code, state := w.i.login(w.begin(nil))
	s := must(w.m.source(must(loadConfig(w.Request(engine.Read, "config", values{})))))
	for range maxWaiting {
		if err := s.turn(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.back(values{"code": code, "state": state})
	w.Fails(fsm.Unavailable, "32 requests wait for it already", err)
	s.done()
	if _, err := w.back(values{"code": code, "state": state}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// TestSilentProvider: who waits for a host that is silent waits as long as one question may take; all others are told at once.
func TestSilentProvider(t *testing.T) {
	w := newWorld(t).oidc(nil, nil)
	_, state := w.i.login(w.begin(nil))
	closed := make(chan struct{})
	t.Cleanup(func() { close(closed) })
	w.i.mu.Lock()
	w.i.silent = closed
	w.i.mu.Unlock()
	w.i.advance(oldest)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	asking, waiting := w.Request(engine.Read, "oidc/callback", values{"state": state, "code": "x"}), w.Request(engine.Read, "oidc/callback", values{"state": state, "code": "x"})
	go func() { // fetches for all
		_, err := w.m.callback(t.Context(), asking)
		done <- err
	}()
	for w.i.count("/.well-known/openid-configuration") < 2 {
		time.Sleep(time.Millisecond) // until it has asked
	}
	_, err := w.m.callback(ctx, waiting)
	w.Fails(fsm.Unavailable, "the OpenID provider cannot be asked: the server did not answer in time", err)
	select {
	case err := <-done:
		w.Fails(fsm.Unavailable, "the OpenID provider cannot be asked", err)
	case <-time.After(4 * askWait):
		t.Fatal("a login hangs at a provider that is silent")
	}
	_, err = w.m.callback(t.Context(), w.Request(engine.Read, "oidc/callback", values{"state": state, "code": "x"}))
	w.Fails(fsm.Unavailable, "the OpenID provider cannot be asked", err)
}
