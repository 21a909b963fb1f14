package jwt

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/enginetest"
)

type values = engine.Values

// Keys of all tests: to make them takes long.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	ecKey    = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { _, k, err := ed25519.GenerateKey(rand.Reader); return must(k, err) })
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sign makes a token.
func sign(alg jose.SignatureAlgorithm, key any, kid string, c claims) string {
	o := (&jose.SignerOptions{}).WithType("JWT")
	if kid != "" {
		o = o.WithHeader("kid", kid)
	}
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o))
	return must(must(s.Sign(must(json.Marshal(c)))).CompactSerialize())
}

// publicPEM is the public half of a key.
func publicPEM(key crypto.Signer) string {
	der := must(x509.MarshalPKIXPublicKey(key.Public()))
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// issuer is an OpenID provider over HTTPS that does whatever a test wants of it.
type issuer struct {
	*testing.T
	url, ca string
	clock   atomic.Pointer[time.Time] // of the method's caches

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	asked   map[string]int // by path
	codes   map[string]url.Values
	silent  chan struct{} // not nil: no answer until it is closed
	idToken func(c claims) string
	info    claims
	answer  func(w http.ResponseWriter, r *http.Request) bool // instead, if it says so
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{T: t, asked: map[string]int{}, codes: map[string]url.Values{}}
	s := httptest.NewUnstartedServer(http.HandlerFunc(i.serve))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	i.url, i.ca = s.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	i.publish("k1", rsaKey().Public())
	i.idToken = func(c claims) string { return sign(jose.RS256, rsaKey(), "k1", c) }
	i.advance(0)
	return i
}

// publish replaces the keys by one.
func (i *issuer) publish(kid string, key any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = []jose.JSONWebKey{{Key: key, KeyID: kid, Use: "sig"}}
}

// advance moves the clock of caches.
func (i *issuer) advance(d time.Duration) {
	now := time.Unix(1_800_000_000, 0)
	if p := i.clock.Load(); p != nil {
		now = *p
	}
	now = now.Add(d)
	i.clock.Store(&now)
}

// count is how often a path was asked for.
func (i *issuer) count(path string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.asked[path]
}

func (i *issuer) serve(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	i.asked[r.URL.Path]++
	silent, answer := i.silent, i.answer
	i.mu.Unlock()
	if silent != nil {
		select {
		case <-silent:
		case <-r.Context().Done():
		}
		return
	}
	if answer != nil && answer(w, r) {
		return
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.url, "authorization_endpoint": i.url + "/authorize", "token_endpoint": i.url + "/token", "jwks_uri": i.url + "/keys",
			"userinfo_endpoint": i.url + "/userinfo", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"},
		})
	case "/keys":
		i.mu.Lock()
		defer i.mu.Unlock()
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: i.keys})
	case "/token":
		i.token(w, r)
	case "/userinfo":
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.info == nil || r.Header.Get("Authorization") != "Bearer access" {
			http.Error(w, "nothing", http.StatusForbidden)
			return
		}
		json.NewEncoder(w).Encode(i.info)
	default:
		http.NotFound(w, r)
	}
}

// login is what the user does at the provider: it turns the URL into a code.
func (i *issuer) login(authURL string) (code, state string) {
	i.Helper()
	u, err := url.Parse(authURL)
	if err != nil || u.Host == "" {
		i.Fatalf("auth_url %q: %v", authURL, err)
	}
	q := u.Query()
	i.mu.Lock()
	defer i.mu.Unlock()
	code = fmt.Sprintf("code-%d", len(i.codes))
	i.codes[code] = q
	return code, q.Get("state")
}

// token takes a code once, with the client's secret and the PKCE verifier.
func (i *issuer) token(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	refuse := func(what string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant", "error_description": what})
	}
	code := r.FormValue("code")
	q, ok := i.codes[code]
	delete(i.codes, code)
	id, secret, _ := r.BasicAuth()
	challenge := sha256.Sum256([]byte(r.FormValue("code_verifier")))
	switch {
	case !ok:
		refuse("no such code")
	case id != "grove" || secret != "s3cret":
		refuse("wrong client")
	case r.FormValue("redirect_uri") != q.Get("redirect_uri"):
		refuse("another redirect_uri")
	case q.Get("code_challenge_method") != "S256" || base64.RawURLEncoding.EncodeToString(challenge[:]) != q.Get("code_challenge"):
		refuse("wrong verifier")
	default:
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(map[string]any{
			"access_token": "access", "token_type": "Bearer", "expires_in": 60, "id_token": i.idToken(i.claims(q.Get("nonce"))),
		})
	}
}

// claims are those of a good ID token.
func (i *issuer) claims(nonce string) claims {
	now := i.clock.Load().Unix()
	return claims{"iss": i.url, "sub": "u1", "aud": "grove", "exp": now + 300, "iat": now, "nonce": nonce, "email": "bob@example.com", "groups": []string{"dev", "ops"}}
}

// with returns claims with some changed; nil takes one away.
func (c claims) with(changes claims) claims {
	out := maps.Clone(c)
	for k, v := range changes { // order: a map of them
		if v == nil {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

// world is a mount of the method that knows the issuer.
type world struct {
	*enginetest.World
	i *issuer
	m *method
}

func newWorld(t *testing.T) *world {
	t.Helper()
	i := newIssuer(t)
	m := newMethod(func() time.Time { return *i.clock.Load() })
	return &world{enginetest.New(t, m), i, m}
}

// jwks configures the issuer's JWKS URL.
func (w *world) jwks(more values) *world {
	w.Helper()
	v := values{"jwks_url": w.i.url + "/keys", "jwks_ca_pem": w.i.ca}
	maps.Copy(v, more)
	w.Write("config", v)
	return w
}

// oidc configures the issuer as the provider, and a role "web".
func (w *world) oidc(config, role values) *world {
	w.Helper()
	c := values{"oidc_discovery_url": w.i.url, "oidc_discovery_ca_pem": w.i.ca, "oidc_client_id": "grove", "oidc_client_secret": "s3cret", "default_role": "Web"}
	maps.Copy(c, config)
	w.Write("config", c)
	r := values{"user_claim": "email", "allowed_redirect_uris": []string{redirect, "http://localhost:8250/oidc/callback"}, "token_policies": []string{"p"}}
	maps.Copy(r, role)
	w.Write("role/web", r)
	return w
}

const redirect = "https://grove.example/v1/auth/ci/oidc/callback"

// role makes a role "r" for JWTs.
func (w *world) role(more values) *world {
	w.Helper()
	v := values{"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{"grove"}}
	maps.Copy(v, more)
	w.Write("role/r", v)
	return w
}

// claims are those of a good JWT.
func (w *world) claims(changes claims) claims {
	now := w.Now.Time().Unix()
	return claims{"iss": w.i.url, "sub": "bob", "aud": "grove", "exp": now + 300, "iat": now}.with(changes)
}

// jwt is a good token with some claims changed.
func (w *world) jwt(changes claims) string {
	return sign(jose.RS256, rsaKey(), "k1", w.claims(changes))
}

// come logs in with a token.
func (w *world) come(text string) (*engine.Login, error) {
	w.Helper()
	rs, err := w.Do(engine.Write, "login", values{"role": "r", "jwt": text})
	if err != nil {
		return nil, err
	}
	return rs.Login, nil
}
