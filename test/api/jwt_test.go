package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
)

// signer is who issues JWTs, with a JWKS URL over HTTPS.
type signer struct {
	*testing.T
	url, ca string

	mu  sync.Mutex
	key jose.JSONWebKey // of now
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	s := &signer{T: t}
	s.rotate("first")
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{s.key.Public()}})
	}))
	t.Cleanup(srv.Close)
	s.url, s.ca = srv.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}))
	return s
}

// rotate makes a new key; the old one is published no more.
func (s *signer) rotate(kid string) {
	s.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		s.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.key = jose.JSONWebKey{Key: k, KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

// issue makes a token.
func (s *signer) issue(claims obj) string {
	s.Helper()
	all := obj{"iss": s.url, "aud": "grove", "sub": "bob", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Minute).Unix()}
	for k, v := range claims {
		all[k] = v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sig, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: s.key}, nil)
	if err != nil {
		s.Fatal(err)
	}
	b, err := json.Marshal(all)
	if err != nil {
		s.Fatal(err)
	}
	jws, err := sig.Sign(b)
	if err != nil {
		s.Fatal(err)
	}
	text, err := jws.CompactSerialize()
	if err != nil {
		s.Fatal(err)
	}
	return text
}

// loopbackOnly skips where the nodes cannot reach what the test starts.
func loopbackOnly(t *testing.T) {
	t.Helper()
	if u, err := url.Parse(nodes[0]); err != nil || u.Hostname() != "127.0.0.1" && u.Hostname() != "localhost" {
		t.Skip("the nodes are not on loopback: they cannot reach the provider of this test")
	}
}

// TestJWTOnEveryNode: configured on one node, used on all, also after the keys were rotated.
func TestJWTOnEveryNode(t *testing.T) {
	u := root(t)
	loopbackOnly(t)
	s, at := newSigner(t), u.mount("jwt")
	u.post("auth/"+at+"/config", obj{"jwks_url": s.url, "jwks_ca_pem": s.ca, "bound_issuer": s.url}).want(204)
	u.post("auth/"+at+"/role/ci", obj{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": "grove", "bound_claims_type": "glob", "bound_claims": obj{"ref": []string{"refs/heads/release-*", "refs/heads/main"}},
		"claim_mappings": obj{"ref": "ref"}, "policies": "default", "ttl": "5m", "num_uses": 2, "clock_skew_leeway": -1,
	}).want(204)
	u.list("auth/"+at+"/role").want(200).is("data.keys", []string{"ci"})
	u.get("auth/"+at+"/role/ci").want(200).is("data.clock_skew_leeway", -1).is("data.bound_claims", obj{"ref": []string{"refs/heads/release-*", "refs/heads/main"}}).
		is("data.num_uses", 2).is("data.token_num_uses", 2).is("data.oidc_scopes", nil)
	for _, kid := range []string{"first", "second"} {
		if kid != "first" {
			s.rotate(kid)
		}
		for range len(nodes) {
			token := s.issue(obj{"ref": "refs/heads/release-1"})
			r := u.as("").post("auth/"+at+"/login", obj{"role": "ci", "jwt": token}).want(200).
				is("auth.metadata", obj{"role": "ci", "ref": "refs/heads/release-1"}).is("auth.lease_duration", 300).is("auth.num_uses", 2)
			one := u.as(r.str("auth.client_token"))
			one.get("auth/token/lookup-self").want(200).is("data.display_name", at+"-bob")
			one.get("auth/token/lookup-self").want(200)
			one.get("auth/token/lookup-self").want(403)
		}
	}
	u.as("").post("auth/"+at+"/login", obj{"role": "ci", "jwt": s.issue(obj{"ref": "refs/heads/feature"})}).refused(400, `claim "ref" does not match`)
	u.as("").post("auth/"+at+"/login", obj{"role": "ci", "jwt": s.issue(obj{"ref": "refs/heads/main", "exp": time.Now().Unix() - 2})}).refused(400, "token is expired")
}

// TestJWTStaticKeys: keys in the configuration need nothing outside.
func TestJWTStaticKeys(t *testing.T) {
	u := root(t)
	s, at := newSigner(t), u.mount("jwt")
	der, err := x509.MarshalPKIXPublicKey(s.key.Public().Key)
	if err != nil {
		t.Fatal(err)
	}
	key := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	u.post("auth/"+at+"/config", obj{"jwt_validation_pubkeys": key, "default_role": "ci"}).want(204)
	u.post("auth/"+at+"/role/ci", obj{"role_type": "jwt", "user_claim": "sub", "bound_audiences": "grove"}).want(204)
	for range len(nodes) {
		u.as("").post("auth/"+at+"/login", obj{"jwt": s.issue(nil)}).want(200).is("auth.metadata", obj{"role": "ci"})
	}
	u.as("").post("auth/"+at+"/oidc/auth_url", obj{"role": "ci", "redirect_uri": "https://x"}).refused(400, "OIDC login is not configured for this mount")
	s.rotate("other")
	u.as("").post("auth/"+at+"/login", obj{"jwt": s.issue(nil)}).refused(400, "failed to verify id token signature")
	u.post("auth/"+at+"/config", obj{"jwt_validation_pubkeys": key, "jwt_supported_algs": "HS256"}).refused(400, "unsupported signing algorithm")
}
