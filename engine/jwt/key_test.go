package jwt

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	jose "github.com/go-jose/go-jose/v4"
)

func jsonOf(v any) ([]byte, error) { return json.Marshal(v) }

// raw makes a token by hand, as an attacker does.
func raw(header string, c claims, signature []byte) string {
	e := base64.RawURLEncoding
	return e.EncodeToString([]byte(header)) + "." + e.EncodeToString(must(jsonOf(c))) + "." + e.EncodeToString(signature)
}

// TestAlgorithmConfusion: nothing that a token says about itself makes a public key a secret, or a signature unnecessary.
func TestAlgorithmConfusion(t *testing.T) {
	t.Parallel()
	c := claims{"sub": "admin"}
	asSecret := []byte(publicPEM(rsaKey()))
	good := sign(jose.RS256, rsaKey(), "", c)
	parts := strings.Split(good, ".")
	keys := staticKeys{rsaKey().Public(), ecKey().Public(), edKey().Public()}
	const parse, wrong = "error parsing token", "failed to verify id token signature"
	for _, tt := range []struct {
		name, token string
		allowed     []jose.SignatureAlgorithm
		want        string
	}{
		{"good", good, allAlgorithms, ""},
		{"none", raw(`{"alg":"none"}`, c, nil), allAlgorithms, parse},
		{"None", raw(`{"alg":"None"}`, c, nil), allAlgorithms, parse},
		{"no algorithm", raw(`{}`, c, nil), allAlgorithms, parse},
		{"good signature under none", raw(`{"alg":"none"}`, c, []byte(parts[2])), allAlgorithms, parse},
		{"HS256 with the public key as its secret", sign(jose.HS256, asSecret, "", c), allAlgorithms, parse},
		{"HS512 likewise", sign(jose.HS512, asSecret, "", c), allAlgorithms, parse},
		{"RS256 called PS256", strings.Join([]string{base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"PS256"}`)), parts[1], parts[2]}, "."), allAlgorithms, wrong},
		{"RS256 called ES256", strings.Join([]string{base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256"}`)), parts[1], parts[2]}, "."), allAlgorithms, wrong},
		{"an algorithm that is not configured", good, []jose.SignatureAlgorithm{jose.ES256}, parse},
		{"its own key in the header", withOwnKey(c), allAlgorithms, wrong},
		{"another key", sign(jose.RS256, otherRSA(), "", c), allAlgorithms, wrong},
		{"other claims", parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"root"}`)) + "." + parts[2], allAlgorithms, wrong},
		{"no signature", parts[0] + "." + parts[1] + ".", allAlgorithms, wrong},
		{"two parts", parts[0] + "." + parts[1], allAlgorithms, parse},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`, allAlgorithms, parse},
		{"a critical header that nobody knows", raw(`{"alg":"RS256","crit":["x"],"x":1}`, c, []byte("s")), allAlgorithms, ""},
		{"ECDSA", sign(jose.ES256, ecKey(), "", c), allAlgorithms, ""},
		{"Ed25519", sign(jose.EdDSA, edKey(), "", c), allAlgorithms, ""},
		{"PS512", sign(jose.PS512, rsaKey(), "", c), allAlgorithms, ""},
		{"empty", "", allAlgorithms, parse},
		{"too long", strings.Repeat("x", maxToken+1), allAlgorithms, "at most 65536 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := verify(t.Context(), keys, tt.token, tt.allowed)
			if strings.HasPrefix(tt.name, "a critical header") {
				if err == nil {
					t.Fatal("a token with an unknown critical header is taken")
				}
				return
			}
			wantError(t, err, tt.want)
			if err == nil && got.text("sub") != "admin" {
				t.Errorf("claims %v", got.claims)
			}
		})
	}
}

// withOwnKey is a token that brings the key it is signed with.
func withOwnKey(c claims) string {
	s := must(jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: otherRSA()}, &jose.SignerOptions{EmbedJWK: true}))
	return must(must(s.Sign(must(jsonOf(c)))).CompactSerialize())
}

// TestKeySet: of a JWK set only public keys for signatures count, with their own algorithm and name.
func TestKeySet(t *testing.T) {
	t.Parallel()
	set := func(keys ...jose.JSONWebKey) []byte { return must(jsonOf(jose.JSONWebKeySet{Keys: keys})) }
	secret := jose.JSONWebKey{Key: []byte("a secret of 32 bytes, or thereby"), KeyID: "s"}
	private := jose.JSONWebKey{Key: ecKey(), KeyID: "p"}
	for name, body := range map[string][]byte{
		"a secret": set(secret), "a private key": set(private), "for encryption": set(jose.JSONWebKey{Key: ecKey().Public(), Use: "enc"}), "none": []byte(`{"keys":[]}`),
		"of no known type": []byte(`{"keys":[{"kty":"XX"}]}`), "no JSON": []byte(`x`), "no keys": []byte(`{}`), "not a list": []byte(`{"keys":7}`),
	} {
		if keys, err := parseKeySet(body); err == nil {
			t.Errorf("%s: %d keys, want an error", name, len(keys))
		}
	}
	mixed := set(secret, jose.JSONWebKey{Key: ecKey().Public(), KeyID: "ec", Algorithm: "ES256", Use: "sig"}, jose.JSONWebKey{Key: ed25519.PublicKey(edKey().Public().(ed25519.PublicKey))})
	keys, err := parseKeySet([]byte(strings.Replace(string(mixed), `"keys":[`, `"keys":[{"kty":"XX","kid":"new"},{"kty":"RSA","n":"!"},`, 1)))
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v, want the two that are good", len(keys), err)
	}
	for token, want := range map[string]bool{
		sign(jose.ES256, ecKey(), "ec", claims{"a": 1}): true, sign(jose.ES256, ecKey(), "", claims{"a": 2}): true, sign(jose.ES256, ecKey(), "other", claims{"a": 3}): false,
		sign(jose.EdDSA, edKey(), "", claims{"a": 4}): true, sign(jose.EdDSA, edKey(), "ec", claims{"a": 5}): false, sign(jose.EdDSA, edKey(), "x", claims{"a": 6}): false,
	} {
		jws := must(jose.ParseSignedCompact(token, allAlgorithms))
		if _, ok := try(keys, jws); ok != want {
			t.Errorf("%s of key %q: verified %v, want %v", jws.UnsafePayloadWithoutVerification(), jws.Signatures[0].Header.KeyID, ok, want)
		}
	}
	keys[0].Algorithm = "ES384" // a key says for which algorithm it is
	if _, ok := try(keys, must(jose.ParseSignedCompact(sign(jose.ES256, ecKey(), "ec", claims{}), allAlgorithms))); ok {
		t.Error("a key is used with another algorithm than its own")
	}
}

func TestParsePublicKey(t *testing.T) {
	t.Parallel()
	for _, text := range []string{publicPEM(rsaKey()), publicPEM(ecKey()), publicPEM(edKey()), newIssuer(t).ca} {
		if k, err := parsePublicKey(text); err != nil || !public(k) {
			t.Errorf("%T %v", k, err)
		}
	}
	for text, want := range map[string]string{
		"": "PEM", "x": "PEM", "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n": `type "X509 CRL"`,
		"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n": "error parsing public key",
	} {
		_, err := parsePublicKey(text)
		wantError(t, err, want)
	}
}

func FuzzToken(f *testing.F) {
	f.Add(sign(jose.RS256, rsaKey(), "k", claims{"sub": "x"}))
	f.Add("a.b.c")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := verify(t.Context(), staticKeys{otherRSA().Public()}, text, allAlgorithms); err == nil {
			t.Errorf("%q is taken without the key", text)
		} else if errors.Is(err, errSignature) && len(text) > maxToken {
			t.Errorf("a token of %d bytes was verified", len(text))
		}
	})
}
