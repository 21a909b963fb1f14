package httpapi

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
	book "github.com/tokengrove/grove/fsm/answer"
	"github.com/tokengrove/grove/fsm/token"
)

// maxKey is the length of the longest idempotency key.
const maxKey = 255

// keyed is what a request with an Idempotency-Key has besides. Everything in it that leaves this node is made with the
// caller's ID, the secret that comes with every request and is stored nowhere.
type keyed struct {
	text    string
	nonce   [nonceLength]byte // of the request that happened: this one, or an earlier one that it repeats
	secret  []byte            // extracted from the caller's ID and salt
	salt    token.Salt        // that secret was made with
	key     book.Key
	request book.Digest
	memo    memo
	// replayed: the answer is an earlier one.
	replayed bool
}

// memo is what an answer says besides apply's result. It is stored sealed, beside that.
type memo struct {
	Warnings []string      `json:"w,omitempty"`
	Ignored  []string      `json:"i,omitempty"`
	Replaced []string      `json:"r,omitempty"`
	ID       token.ID      `json:"t,omitempty"` // that was chosen, or that is renewed
	Text     string        `json:"x,omitempty"` // a secret that is shown once
	TTL      time.Duration `json:"d,omitempty"`
	Period   time.Duration `json:"p,omitempty"` // of a renewal that it may have capped
	Refused  bool          `json:"n,omitempty"` // by the edge, with these texts
	Texts    []string      `json:"f,omitempty"`
	Status   int           `json:"s,omitempty"` // of a refusal by the edge, or of a read
	Body     []byte        `json:"b,omitempty"` // of a read
	Own      bool          `json:"o,omitempty"` // a read that shows its caller, as it was charged
}

// takeKey reads the header Idempotency-Key. Where nothing is remembered, it has no meaning.
func (rq *request) takeKey(rt *route) error {
	vs, ok := rq.http.Header["Idempotency-Key"]
	if !ok {
		return nil
	}
	text, err := parseKey(vs)
	if err != nil || (rt.reads(rq.op) && !rq.remembersRead()) {
		return err
	}
	if isBatch(rq.id) {
		return errBatchKey
	}
	k := &keyed{text: text}
	if _, err := io.ReadFull(rq.api.cfg.Rand, k.nonce[:]); err != nil {
		return fmt.Errorf("a nonce for an idempotency key: %w", err)
	}
	rq.keyed = k
	return nil
}

// parseKey takes a bare value, or the string of the IETF's draft: in quotes, with \" and \\ for these
// two characters.
func parseKey(vs []string) (string, error) {
	if len(vs) != 1 {
		return "", invalid("header Idempotency-Key: one is allowed, there are %d", len(vs))
	}
	text := strings.TrimSpace(vs[0])
	if strings.HasPrefix(text, `"`) {
		var ok bool
		if text, ok = unquote(text[1:]); !ok {
			return "", invalid(`header Idempotency-Key: a string that starts with a quotation mark ends with one, has nothing after it, and has \ only before " and \`)
		}
	}
	if len(text) == 0 || len(text) > maxKey {
		return "", invalid("header Idempotency-Key: a key has 1 to %d characters, this one has %d", maxKey, len(text))
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return "", invalid("header Idempotency-Key: only visible ASCII characters are allowed, character %d is not", i+1)
		}
	}
	return text, nil
}

// unquote reads the rest of a quoted string.
func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i == len(s)-1
		case '\\':
			i++
			if i == len(s) || (s[i] != '"' && s[i] != '\\') {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", false
}

// derive makes what depends on the caller and on the request, once the cluster's salt is known.
func (k *keyed) derive(rq *request) error {
	if k.secret != nil && k.salt == rq.identity.Salt {
		return nil // a node that has just started may not have had the salt before
	}
	var err error
	if k.secret, err = secretOf(rq.id, rq.identity.Salt, "idempotency"); err != nil {
		return fmt.Errorf("deriving an idempotency key: %w", err)
	}
	k.salt = rq.identity.Salt
	body, err := json.Marshal(rq.raw) // its keys are sorted
	if err != nil {
		return fmt.Errorf("digesting a request: %w", err)
	}
	k.key = k.mac("key", []byte(k.text))
	k.request = k.mac("request", fmt.Appendf(nil, "%d %d %q %s", rq.op, rq.wrap, rq.path, body))
	return nil
}

// mac is a keyed hash of data for one purpose.
func (k *keyed) mac(purpose string, data []byte) (sum [32]byte) {
	m := hmac.New(sha256.New, k.secret)
	io.WriteString(m, "grove idempotency "+purpose+"\x00")
	m.Write(data)
	m.Sum(sum[:0])
	return sum
}

// of is mac for this request alone: its key and its nonce.
func (k *keyed) of(purpose string) [32]byte { return k.mac(purpose, append(k.nonce[:], k.key[:]...)) }

// mint makes the ID of the request's new token. The nonce is in it, so that the same key after its time makes
// another one, and never revives the first.
func (k *keyed) mint() (token.ID, error) {
	sum := k.of("token")
	stream, err := hkdf.Expand(sha256.New, sum[:], "grove token id", 1024)
	if err != nil {
		return "", fmt.Errorf("deriving a token's ID: %w", err)
	}
	return token.NewID(strings.NewReader(string(stream)))
}

// mintID makes the ID of a new token: at random, or so that it can be made again.
func (rq *request) mintID() (token.ID, error) {
	if rq.keyed != nil {
		return rq.keyed.mint()
	}
	return token.NewID(rq.api.cfg.Rand)
}

// newRequestID makes the name of an answer; one that is given again keeps its name.
func (rq *request) newRequestID() string {
	if rq.keyed == nil || rq.keyed.secret == nil {
		return rq.api.requestID()
	}
	sum := rq.keyed.mac("answer", append(rq.keyed.key[:], rq.keyed.request[:]...))
	return formatUUID([16]byte(sum[:16]))
}

// once wraps a command with the request's key, and with what the answer is to say.
func (rq *request) once(c fsm.Command) (fsm.Command, error) {
	k := rq.keyed
	k.memo.Warnings, k.memo.Ignored, k.memo.Replaced = rq.warnings, rq.ignored, rq.replaced
	sealed, err := k.seal()
	if err != nil {
		return nil, err
	}
	return fsm.NewOnce(k.key, k.request, sealed, c)
}

// refused turns what apply says of the key itself into the answer. Nothing has happened and nothing was charged.
func (k *keyed) refused(r *fsm.Result) error {
	switch r.Code {
	case fsm.Replayed:
		return errStale // what was said then is in the state
	case fsm.KeyReused:
		return fail(http.StatusUnprocessableEntity, r.Message)
	case fsm.TooMany:
		return fail(http.StatusTooManyRequests, r.Message)
	}
	return nil
}
