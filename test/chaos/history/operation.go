package history

import (
	"fmt"
	"slices"
	"time"
)

// Kind says what a client asked for.
type Kind uint8

// The kinds. Token is the token that the operation makes, uses, renews, kills or looks at.
const (
	// Create makes Token. Its parent is By, unless Request.Orphan.
	Create Kind = 1
	// Use is a lookup-self by Token: it charges a limited token a use, and shows what is left.
	Use Kind = 2
	// Lookup looks at Token with the root token, and charges nothing.
	Lookup Kind = 3
	// Renew is a renew-self by Token; Request.TTL is the increment. It charges a limited token, too.
	Renew Kind = 4
	// Revoke kills the tree of Token, asked by By.
	Revoke Kind = 5
	// RevokePrefix kills every token that was issued at Request.Path or below, with its tree.
	RevokePrefix Kind = 6
	// Replay sends the Create of Token again, under its Idempotency-Key.
	Replay Kind = 7
	// Attempt is one sending of a Create with an Idempotency-Key that got no answer and was sent again. It is there for
	// what it says about its node; what it did is part of the Create.
	Attempt Kind = 8
)

var kinds = []string{"", "create", "use", "lookup", "renew", "revoke", "revoke-prefix", "replay", "attempt"}

// String returns the name of k.
func (k Kind) String() string { return nameOf(kinds, uint8(k)) }

// MarshalText implements encoding.TextMarshaler.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (k *Kind) UnmarshalText(b []byte) error { return numberOf((*uint8)(k), kinds, b) }

// Outcome is what the client knows about the effect.
type Outcome uint8

// The outcomes are never merged: what is unknown may have happened, once, before or after the
// return.
const (
	// Applied: the answer is a success.
	Applied Outcome = 1
	// Refused: the server decided, and changed nothing but a use of a limited token: 400, 403, 404.
	Refused Outcome = 2
	// Not: it certainly did not happen: 503, or the request never left.
	Not Outcome = 3
	// Unknown: no answer, or one that says so: 500.
	Unknown Outcome = 4
)

var outcomes = []string{"", "applied", "refused", "not", "unknown"}

// String returns the name of o.
func (o Outcome) String() string { return nameOf(outcomes, uint8(o)) }

// MarshalText implements encoding.TextMarshaler.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *Outcome) UnmarshalText(b []byte) error { return numberOf((*uint8)(o), outcomes, b) }

func nameOf(names []string, n uint8) string {
	if int(n) < len(names) && n > 0 {
		return names[n]
	}
	return fmt.Sprintf("number %d", n)
}

func numberOf(n *uint8, names []string, text []byte) error {
	i := slices.Index(names, string(text))
	if i <= 0 {
		return fmt.Errorf("%q is none of %q", text, names[1:])
	}
	*n = uint8(i)
	return nil
}

// Token numbers a token within its run, from 1 in the order in which the creations were invoked: a
// parent has a smaller number than its children. 0 is the cluster's root token.
type Token uint32

// Operation is one request of one client, from the moment before it was sent to the moment after
// its answer was read. What the client sent again under an Idempotency-Key is one operation.
type Operation struct {
	Number  uint64        `json:"n"`
	Client  int32         `json:"client"`
	Node    int32         `json:"node"` // index into Header.Nodes
	Kind    Kind          `json:"kind"`
	Outcome Outcome       `json:"outcome"`
	Token   Token         `json:"token"`
	By      Token         `json:"by"`
	Invoke  time.Duration `json:"invoke"`
	Return  time.Duration `json:"return"`
	Request Request       `json:"req,omitzero"`
	Answer  Answer        `json:"answer,omitzero"`
}

// Request is what was asked for besides the token.
type Request struct {
	Uses   int32         `json:"uses,omitempty"` // num_uses; 0: unlimited
	TTL    time.Duration `json:"ttl,omitempty"`
	Path   string        `json:"path,omitempty"` // the source path of a new token, or a prefix
	Orphan bool          `json:"orphan,omitempty"`
	// Sent is how often it was sent, if more than once.
	Sent int32 `json:"sent,omitempty"`
}

// Answer is what the server said.
type Answer struct {
	Status int32  `json:"status,omitempty"` // 0: no answer
	Error  string `json:"error,omitempty"`
	// Left is num_uses: the uses that are left, after this one.
	Left     int32         `json:"left,omitempty"`
	TTL      time.Duration `json:"ttl,omitempty"`
	Accessor string        `json:"accessor,omitempty"` // of Create and Replay
	Index    uint64        `json:"index,omitempty"`    // X-Grove-Index
}

// Failed reports whether a client of a healthy cluster would call it an error: no answer, or one
// that is the server's fault.
func (o *Operation) Failed() bool { return o.Outcome == Not || o.Outcome == Unknown }
