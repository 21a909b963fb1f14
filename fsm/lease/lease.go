package lease

import (
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// State is where in its life a row is. The numbers are on disk: never reuse one.
type State uint8

// The states, in the order in which a row goes through them.
const (
	// Intended: what it stands for may be being made now.
	Intended State = 1
	// Active: it was handed out.
	Active State = 2
	// Revoking: what it stands for must be taken back.
	Revoking State = 3
)

// Bounds. At one of them nothing new is lent.
const (
	MaxData    = 96 << 10 // sealed bytes of one row
	MaxName    = 4 << 10  // bytes of an ID, of a resource
	MaxError   = 1 << 10  // bytes of an error that is kept; longer ones are cut
	MaxIntents = 4096     // that are open at one time
	MaxOwned   = 1 << 16  // rows of one token
	MaxBytes   = 1 << 30  // of all rows, with what a row takes besides
)

// overhead is about what a row and its places in the indexes take besides its texts.
const overhead = 1024

// Lease is one row. A row in a Book is never changed: another one takes its place. The CBOR keys are on disk: never reuse
// one.
type Lease struct {
	ID string `cbor:"1,keyasint"` // the request's path and a random name
	// Owner is the token that asked; Number stands for this life of that hash.
	Owner  token.Hash `cbor:"2,keyasint"`
	Number uint64     `cbor:"3,keyasint"`
	Mount  string     `cbor:"4,keyasint"` // UUID
	Seq    uint64     `cbor:"5,keyasint"` // order of issue, from 1
	State  State      `cbor:"6,keyasint"`
	Terms
	Resource string `cbor:"13,keyasint,omitempty"`
	Data     []byte `cbor:"14,keyasint,omitempty"` // sealed
	// Until is when an intent that nobody has committed becomes a revocation; 0 for a lease.
	Until token.Instant `cbor:"15,keyasint,omitempty"`
	// Doomed intents belong to nobody any more: they can be abandoned, and not committed.
	Doomed     bool       `cbor:"16,keyasint,omitempty"`
	Revocation Revocation `cbor:"17,keyasint,omitzero"`
}

// Terms are how long a lease lives. They are a part of its row.
type Terms struct {
	Issued    token.Instant `cbor:"7,keyasint"`
	Expires   token.Instant `cbor:"8,keyasint"`
	Renewed   token.Instant `cbor:"9,keyasint,omitempty"`
	TTL       time.Duration `cbor:"10,keyasint"` // as it was issued
	MaxTTL    time.Duration `cbor:"11,keyasint"` // from Issued on
	Renewable bool          `cbor:"12,keyasint,omitempty"`
}

// Revocation is how far taking back is. It is zero unless the state is Revoking.
type Revocation struct {
	Turn     uint64        `cbor:"1,keyasint"` // order of death, from 1; of this row for ever
	Since    token.Instant `cbor:"2,keyasint"`
	Next     token.Instant `cbor:"3,keyasint"` // when the next attempt is due
	Attempts uint32        `cbor:"4,keyasint,omitempty"`
	Error    string        `cbor:"5,keyasint,omitempty"` // of the last attempt
	Parked   bool          `cbor:"6,keyasint,omitempty"` // not tried again by itself
	Forced   bool          `cbor:"7,keyasint,omitempty"` // given up with the next attempt that fails
}

// Path returns the path of the request that made the lease.
func (l *Lease) Path() string { return l.ID[:max(0, strings.LastIndexByte(l.ID, '/'))] }

// bytes is about what the row takes.
func (l *Lease) bytes() int {
	return len(l.ID) + len(l.Mount) + len(l.Resource) + len(l.Data) + len(l.Revocation.Error) + overhead
}

// ownedKey is the row's place among those of its owner.
func (l *Lease) ownedKey() string { return number(l.Number) + number(l.Seq) }

// dueKey is the row's place in the order of deadlines.
func (l *Lease) dueKey() string {
	if l.State == Intended {
		return moment(l.Until, l.Seq)
	}
	return moment(l.Expires, l.Seq)
}

// queueKey is the row's place in the queue, if it is there.
func (l *Lease) queueKey() string { return moment(l.Revocation.Next, l.Revocation.Turn) }

// line is what the keys of all rows start with that wait for each other; "": the row waits for none.
func (l *Lease) line() string {
	if l.Resource == "" {
		return ""
	}
	return l.Mount + "\x00" + l.Resource + "\x00"
}

// lineKey is the row's place in its line.
func (l *Lease) lineKey() string { return l.line() + number(l.Revocation.Turn) }

// owned reports whether the row belongs to a token.
func (l *Lease) owned() bool { return l.State == Active || (l.State == Intended && !l.Doomed) }

// IntentLife is how long an intent may stay uncommitted: longer than anybody works on it.
const IntentLife = 2 * time.Minute
