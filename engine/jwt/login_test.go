package jwt

import (
	"net/http"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
)

func TestLoginWithJWKS(t *testing.T) {
	w := newWorld(t).jwks(values{"bound_issuer": "", "default_role": "R"})
	w.role(values{
		"bound_claims": map[string]any{"team": []any{"ops", "dev"}}, "claim_mappings": map[string]string{"/o/mail": "mail", "none": "none"}, "groups_claim": "groups",
		"token_policies": []string{"p"}, "token_ttl": time.Hour, "token_num_uses": int64(3),
	})
	token := w.jwt(claims{"team": "dev", "o": map[string]any{"mail": "b@x"}, "groups": []string{"g"}})
	l, err := w.come(" " + token + "\n")
	if err != nil {
		t.Fatal(err)
	}
	if l.Alias != "bob" || l.DisplayName != "bob" || l.Data != "r" || l.TTL != time.Hour || l.NumUses != 3 || len(l.Policies) != 1 {
		t.Errorf("got %+v", l)
	}
	if len(l.Metadata) != 2 || l.Metadata["mail"] != "b@x" || l.Metadata["role"] != "r" {
		t.Errorf("metadata %v", l.Metadata)
	}
	if rs, err := w.Do(engine.Write, "login", values{"jwt": token}); err != nil || rs.Login == nil {
		t.Errorf("with the default role: %v", err)
	}
	if n := w.i.count("/keys"); n != 1 {
		t.Errorf("keys were fetched %d times, want once", n)
	}
	if terms, err := w.Renew(l); err != nil || terms.TTL != time.Hour {
		t.Errorf("renewal: %+v %v", terms, err)
	}
	w.Must(engine.Delete, "role/r", nil)
	_, err = w.Renew(l)
	w.Fails(fsm.Invalid, "role r does not exist during renewal", err)
}

func TestRefusedLogins(t *testing.T) {
	w := newWorld(t)
	w.Refused(fsm.Invalid, "could not load configuration", engine.Write, "login", values{"role": "r", "jwt": "x"})
	w.jwks(values{"bound_issuer": w.i.url})
	w.Refused(fsm.Invalid, "missing role", engine.Write, "login", values{"jwt": "x"})
	w.Refused(fsm.Invalid, `role "r" could not be found`, engine.Write, "login", values{"role": "R", "jwt": w.jwt(nil)})
	w.Refused(fsm.Invalid, "error validating token: ", engine.Write, "login", values{"role": "R", "jwt": "x"}) // who has no token learns no role
	w.role(values{"bound_claims": map[string]any{"team": "ops"}, "groups_claim": "groups", "claim_mappings": map[string]string{"level": "level"}})
	w.Refused(fsm.Invalid, "missing token", engine.Write, "login", values{"role": "r"})
	good := claims{"team": "ops", "groups": []string{"g"}}
	if _, err := w.come(w.jwt(good)); err != nil {
		t.Fatal(err)
	}
	now := w.Now.Time().Unix()
	for name, c := range map[string]struct {
		changes claims
		want    string
	}{
		"expired":          {claims{"exp": now - 61}, "error validating token: invalid expiration time (exp)"},
		"too early":        {claims{"nbf": now + 61}, "error validating token: invalid not before (nbf)"},
		"of the future":    {claims{"nbf": now, "iat": now + 61}, "error validating token: invalid issued at (iat)"},
		"wrong issuer":     {claims{"iss": "https://other"}, "invalid issuer (iss)"},
		"wrong audience":   {claims{"aud": "other"}, "aud claim does not match"},
		"no audience":      {claims{"aud": nil}, "aud claim does not match"},
		"unbound claim":    {claims{"team": "dev"}, `error validating claims: claim "team" does not match`},
		"missing claim":    {claims{"team": nil}, `claim "team" is missing`},
		"no user":          {claims{"sub": nil}, `claim "sub" not found in token`},
		"a number as user": {claims{"sub": 7}, `claim "sub" could not be converted to string`},
		"an empty user":    {claims{"sub": ""}, "the name of a user has 1 to 512"},
		"a long user":      {claims{"sub": strings.Repeat("x", 513)}, "the name of a user has 1 to 512"},
		"no groups":        {claims{"groups": nil}, `"groups" claim not found in token`},
		"odd groups":       {claims{"groups": []any{"g", 1}}, "could not be converted to string list"},
		"a mapped number":  {claims{"level": 3}, "error converting claim 'level' to string"},
	} {
		_, err := w.come(sign(jose.RS256, rsaKey(), "k1", w.claims(good).with(c.changes)))
		if err == nil {
			t.Errorf("%s: a login", name)
			continue
		}
		w.Fails(fsm.Invalid, c.want, err)
	}
	_, err := w.come(raw(`{"alg":"none"}`, w.claims(good), nil))
	w.Fails(fsm.Invalid, "error validating token: error parsing token", err)
	w.From = "198.51.100.1:1"
	w.role(values{"token_bound_cidrs": []string{"192.0.2.0/24"}})
	if _, err = w.come(w.jwt(good)); err != engine.ErrForbidden {
		t.Errorf("from elsewhere: %v, want %v", err, engine.ErrForbidden)
	}
	w.Write("role/r", values{"user_claim": "sub", "allowed_redirect_uris": []string{"https://x"}})
	_, err = w.come(w.jwt(good))
	w.Fails(fsm.Invalid, "role with oidc role_type is not allowed", err)
}

// TestAudienceNeedsBound: a token for somebody in particular is for nobody else.
func TestAudienceNeedsBound(t *testing.T) {
	w := newWorld(t).jwks(nil)
	w.role(values{"bound_audiences": []string{}, "bound_subject": "bob"})
	_, err := w.come(w.jwt(nil))
	w.Fails(fsm.Invalid, "audience claim found in JWT but no audiences bound to the role", err)
	if _, err := w.come(w.jwt(claims{"aud": nil})); err != nil {
		t.Error(err)
	}
	_, err = w.come(w.jwt(claims{"aud": nil, "sub": "eve"}))
	w.Fails(fsm.Invalid, "invalid subject (sub)", err)
}

func TestLoginWithStaticKeys(t *testing.T) {
	w := newWorld(t)
	w.Write("config", values{"jwt_validation_pubkeys": []string{publicPEM(ecKey()), publicPEM(rsaKey())}, "jwt_supported_algs": []string{"ES256"}})
	w.role(values{"user_claim": "/who/name", "user_claim_json_pointer": true})
	c := w.claims(claims{"who": map[string]any{"name": "bob"}})
	if l, err := w.come(sign(jose.ES256, ecKey(), "any", c)); err != nil || l.Alias != "bob" {
		t.Errorf("%v %v", l, err)
	}
	_, err := w.come(sign(jose.RS256, rsaKey(), "", c))
	w.Fails(fsm.Invalid, "no JWT that is signed with one of ES256", err)
	w.Write("config", values{"jwt_validation_pubkeys": []string{publicPEM(rsaKey())}})
	_, err = w.come(sign(jose.ES256, ecKey(), "", c))
	w.Fails(fsm.Invalid, "failed to verify id token signature", err)
	if _, err := w.come(sign(jose.PS384, rsaKey(), "", c)); err != nil {
		t.Error(err)
	}
}

// TestRotation: a new key works at once, an old one no longer than it is kept.
func TestRotation(t *testing.T) {
	w := newWorld(t).jwks(nil).role(nil)
	old := w.jwt(nil)
	if _, err := w.come(old); err != nil {
		t.Fatal(err)
	}
	w.i.publish("k2", otherRSA().Public())
	fresh := sign(jose.RS256, otherRSA(), "k2", w.claims(nil))
	if _, err := w.come(fresh); err != nil {
		t.Errorf("after a rotation: %v", err)
	}
	_, err := w.come(old)
	w.Fails(fsm.Invalid, "failed to verify id token signature", err)
	before := w.i.count("/keys")
	for range 20 { // of anybody
		if _, err := w.come(sign(jose.RS256, rsaKey(), "k3", w.claims(nil))); err == nil {
			t.Fatal("an unknown key is taken")
		}
	}
	if n := w.i.count("/keys") - before; n > refreshBurst {
		t.Errorf("unknown keys had them fetched %d times, at most %d are allowed", n, refreshBurst)
	}
	if _, err := w.come(fresh); err != nil {
		t.Errorf("the known key, after that: %v", err)
	}
	w.i.publish("k1", rsaKey().Public())
	w.i.advance(refreshEvery)
	if _, err := w.come(old); err != nil {
		t.Errorf("after a pause: %v", err)
	}
	w.i.publish("k2", otherRSA().Public()) // the first is withdrawn
	w.i.advance(keysFresh)
	_, err = w.come(old)
	w.Fails(fsm.Invalid, "failed to verify id token signature", err)
}

// TestConfigurationsDoNotMix: another configuration does not meet the keys of the one before.
func TestConfigurationsDoNotMix(t *testing.T) {
	w := newWorld(t).jwks(nil).role(nil)
	if _, err := w.come(w.jwt(nil)); err != nil {
		t.Fatal(err)
	}
	other := newIssuer(t)
	other.publish("k1", otherRSA().Public())
	w.Write("config", values{"jwks_url": other.url + "/keys", "jwks_ca_pem": other.ca})
	_, err := w.come(w.jwt(nil))
	w.Fails(fsm.Invalid, "failed to verify id token signature", err)
	if _, err := w.come(sign(jose.RS256, otherRSA(), "k1", w.claims(nil))); err != nil {
		t.Error(err)
	}
}

// TestUnreachable: what does not answer is a 503, within the time that a question may take, and asked once for many.
func TestUnreachable(t *testing.T) {
	w := newWorld(t).jwks(nil).role(nil)
	w.i.mu.Lock()
	w.i.answer = func(rw http.ResponseWriter, r *http.Request) bool { http.Error(rw, "down", 500); return true }
	w.i.mu.Unlock()
	w.i.advance(keysFresh)
	if _, err := w.come(w.jwt(nil)); err != nil {
		t.Errorf("keys that are not fresh are better than none: %v", err)
	}
	w.i.advance(oldest)
	before := w.i.count("/keys")
	for range 5 {
		_, err := w.come(w.jwt(nil))
		w.Fails(fsm.Unavailable, "the keys that tokens are signed with cannot be fetched: the server answers with status 500", err)
	}
	if n := w.i.count("/keys") - before; n != 1 {
		t.Errorf("a host that fails was asked %d times in a moment, want once", n)
	}
	w.i.mu.Lock()
	w.i.answer = nil
	w.i.mu.Unlock()
	w.i.advance(pause)
	if _, err := w.come(w.jwt(nil)); err != nil {
		t.Errorf("once it is back: %v", err)
	}
}
