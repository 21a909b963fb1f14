package outside

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// Reviewer is the bearer token that may review others.
const Reviewer = "the.reviewers.token"

// Kubernetes is the API of a cluster: POST of authentication.k8s.io/v1 TokenReview.
type Kubernetes struct {
	server
	key    *ecdsa.PrivateKey
	mu     sync.Mutex
	issued map[string]Account // by token; deleted accounts are not in it
}

// Account is a service account. Audience is what its tokens are for.
type Account struct{ Namespace, Name, UID, Audience string }

// NewKubernetes runs one until the end of the test.
func NewKubernetes(t testing.TB) *Kubernetes {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := &Kubernetes{key: key, issued: map[string]Account{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", k.review)
	k.start(t, true, mux)
	return k
}

// PublicKey is what tokens are signed with, in PEM.
func (k *Kubernetes) PublicKey() string {
	b, err := x509.MarshalPKIXPublicKey(&k.key.PublicKey)
	if err != nil {
		k.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: b}))
}

// Issue makes a token of an account, for an hour from now.
func (k *Kubernetes) Issue(a Account, now time.Time) string {
	k.t.Helper()
	text := k.Sign(Claims(a, now))
	k.mu.Lock()
	defer k.mu.Unlock()
	k.issued[text] = a
	return text
}

// Claims are those of a projected token.
func Claims(a Account, now time.Time) map[string]any {
	return map[string]any{
		"iss": "https://kubernetes.default.svc.cluster.local", "sub": "system:serviceaccount:" + a.Namespace + ":" + a.Name, "aud": []string{a.Audience},
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"kubernetes.io": map[string]any{"namespace": a.Namespace, "serviceaccount": map[string]string{"name": a.Name, "uid": a.UID}},
	}
}

// Sign signs claims that no review takes, unless they are those of a token that was issued.
func (k *Kubernetes) Sign(claims map[string]any) string {
	k.t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: k.key}, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	text, err := jwt.Signed(signer).Claims(claims).Serialize()
	if err != nil {
		k.t.Fatal(err)
	}
	return text
}

// Legacy issues a token of the kind that is kept in a secret: with long names, without audience and end.
func (k *Kubernetes) Legacy(a Account, secret string) string {
	k.t.Helper()
	const prefix = "kubernetes.io/serviceaccount/"
	text := k.Sign(map[string]any{
		"iss": "kubernetes/serviceaccount", prefix + "namespace": a.Namespace, prefix + "service-account.name": a.Name, prefix + "service-account.uid": a.UID, prefix + "secret.name": secret,
	})
	k.mu.Lock()
	defer k.mu.Unlock()
	k.issued[text] = a
	return text
}

// Delete deletes an account: none of its tokens is valid any more.
func (k *Kubernetes) Delete(a Account) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for text, of := range k.issued { // order: each by itself
		if of == a {
			delete(k.issued, text)
		}
	}
}

func (k *Kubernetes) of(text string) (Account, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	a, ok := k.issued[text]
	return a, ok
}

// review is what the API server does: who asks needs the right to, and the token must be for one of the audiences.
func (k *Kubernetes) review(w http.ResponseWriter, r *http.Request) {
	bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if _, own := k.of(bearer); !own && bearer != Reviewer {
		answer(w, http.StatusUnauthorized, map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Unauthorized", "code": 401})
		return
	}
	var asked struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Spec       struct {
			Token     string   `json:"token"`
			Audiences []string `json:"audiences"`
		} `json:"spec"`
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(&asked); err != nil || asked.APIVersion != "authentication.k8s.io/v1" || asked.Kind != "TokenReview" || r.Header.Get("Content-Type") != "application/json" {
		k.t.Errorf("not a TokenReview: %+v %v", asked, err)
	}
	status := map[string]any{"user": map[string]any{}, "error": "[invalid bearer token, service account token has been invalidated]"}
	a, ok := k.of(asked.Spec.Token)
	if ok && (a.Audience == "" || len(asked.Spec.Audiences) == 0 || slices.Contains(asked.Spec.Audiences, a.Audience)) {
		status = map[string]any{"authenticated": true, "user": map[string]any{
			"username": "system:serviceaccount:" + a.Namespace + ":" + a.Name, "uid": a.UID, "groups": []string{"system:serviceaccounts"},
		}}
		if a.Audience != "" {
			status["audiences"] = []string{a.Audience}
		}
	}
	answer(w, http.StatusCreated, map[string]any{"kind": "TokenReview", "apiVersion": "authentication.k8s.io/v1", "metadata": map[string]any{}, "spec": asked.Spec, "status": status})
}
