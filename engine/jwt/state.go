package jwt

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

// attemptLife is how long a user has to log in at the provider.
const attemptLife = 10 * time.Minute

// attempt is a login by browser, from auth_url to the callback. It is kept nowhere: the state parameter is the attempt, sealed. So any
// node finishes what another began, and nobody can fill anything by beginning. Its seed makes what must be secret or unique.
type attempt struct {
	Seed     []byte        `json:"s"` // 32 random bytes
	Role     string        `json:"r"`
	Redirect string        `json:"u"`
	Deadline token.Instant `json:"d"`
	// Client is the SHA-256 of the client's own nonce, empty without one.
	Client []byte `json:"c,omitempty"`
}

// derive makes a text of 43 characters for one purpose.
func (a *attempt) derive(purpose string) string {
	h := hmac.New(sha256.New, a.Seed)
	io.WriteString(h, purpose)
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

func (a *attempt) nonce() string    { return a.derive("nonce") }
func (a *attempt) verifier() string { return a.derive("PKCE verifier") }

// key is where something about the attempt is stored: in the order of deadlines, so that what is over comes first.
func (a *attempt) key(prefix string) string {
	return fmt.Sprintf("%s%011d-%s", prefix, a.Deadline.Time().Unix(), a.derive("key"))
}

func newAttempt(rq *engine.Request, role, redirect, clientNonce string) (*attempt, error) {
	a := &attempt{Seed: make([]byte, 32), Role: role, Redirect: redirect, Deadline: rq.Now.Add(attemptLife)}
	if _, err := io.ReadFull(rq.Rand, a.Seed); err != nil {
		return nil, fmt.Errorf("random bytes: %w", err)
	}
	if clientNonce != "" {
		sum := sha256.Sum256([]byte(clientNonce))
		a.Client = sum[:]
	}
	return a, nil
}

// state seals the attempt.
func (a *attempt) state(rq *engine.Request) (string, error) {
	plain, err := json.Marshal(a)
	if err != nil {
		return "", fmt.Errorf("encoding a state: %w", err)
	}
	sealed, err := rq.Seal(statePlace, plain)
	return base64.RawURLEncoding.EncodeToString(sealed), err
}

// errState is one answer for a state that is missing, forged, too old, or has got its token.
var errState = engine.Invalid(loginFailed + " Expired or missing OAuth state.")

// loginFailed starts the texts that clients look for.
const loginFailed = "Vault login failed."

// namespaceMark is put between a state and the namespace that it carries.
const namespaceMark = ",ns="

// openAttempt returns the attempt that a request is about, if it has time left and no token yet.
func openAttempt(rq *engine.Request) (*attempt, error) {
	text, _, _ := strings.Cut(rq.Text("state"), namespaceMark)
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sealed) == 0 {
		return nil, errState
	}
	plain, err := rq.Open(statePlace, sealed)
	var known *fsm.Error
	switch {
	case errors.As(err, &known):
		return nil, err // there is no key to open it with
	case err != nil:
		return nil, errState
	}
	a := new(attempt)
	if err := json.Unmarshal(plain, a); err != nil {
		return nil, fmt.Errorf("decoding a state: %w", err)
	}
	if a.Deadline <= rq.Now {
		return nil, errState
	}
	if _, done := rq.Storage.Find(a.key(donePrefix)); done {
		return nil, errState
	}
	return a, nil
}

// fits reports whether a client that named a nonce at the start names it again.
func (a *attempt) fits(clientNonce string) bool {
	if len(a.Client) == 0 {
		return true
	}
	sum := sha256.Sum256([]byte(clientNonce))
	return subtle.ConstantTimeCompare(sum[:], a.Client) == 1
}

// What is stored of attempts.
const (
	donePrefix   = "done/"
	postedPrefix = "posted/"
)

// tidied is how many entries a write looks at: more than it adds, so that what is over goes away.
const tidied = 8

// finish marks the attempt as one that has got its token, in the same transaction.
func (a *attempt) finish(tx *engine.Tx) {
	tx.Put(a.key(donePrefix), nil)
	tx.Delete(a.key(postedPrefix))
}

// tidy deletes some of what is over.
func tidy(rq *engine.Request) {
	now := fmt.Sprintf("%011d", rq.Now.Time().Unix())
	for _, prefix := range []string{donePrefix, postedPrefix} {
		for _, name := range rq.Storage.Names(prefix, "", tidied) {
			if name < now {
				rq.Storage.Delete(prefix + name)
			}
		}
	}
}
