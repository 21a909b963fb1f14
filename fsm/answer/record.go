package answer

import (
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// Lifetime is how long a record is found.
const Lifetime = 24 * time.Hour

// Bounds of what is remembered. At one of them a new key is refused, and no old one forgotten.
const (
	MaxKeys     = 1000      // of one caller
	CallerBytes = 4 << 20   // of one caller; its last record may go beyond
	TotalBytes  = 256 << 20 // of all; the last record may go beyond
)

// What a record occupies besides its texts (itself, its places in the queue and under its caller, what the
// allocator rounds up), and what a caller does besides its records. BenchmarkRecord compares.
const (
	recordOverhead = 320
	callerOverhead = 384
)

// Key is the keyed hash of what a client sent as its idempotency key.
type Key [32]byte

// Digest is the keyed hash of a request: operation, path and body.
type Digest [32]byte

// Record is one request and what it was answered. The CBOR keys are on disk: never renumber or
// reuse one.
type Record struct {
	Caller   token.Hash     `cbor:"1,keyasint"`
	Accessor token.Accessor `cbor:"2,keyasint"` // of the caller: its hash can be taken again, this cannot
	Key      Key            `cbor:"3,keyasint"`
	Request  Digest         `cbor:"4,keyasint"`
	At       token.Instant  `cbor:"5,keyasint"`
	Memo     []byte         `cbor:"6,keyasint,omitempty"` // what the edge needs to answer again, sealed
	Result   []byte         `cbor:"7,keyasint"`           // what apply said
	// Remains is what is left of a caller that died of a request of its own; nil while it lives.
	Remains *Remains `cbor:"8,keyasint,omitempty"`
}

// Remains are the conditions under which a dead caller's records are still found.
type Remains struct {
	// Final: the request revoked its caller. Its answer has nothing that could be misused, and is found
	// whatever happens to others.
	Final bool `cbor:"1,keyasint,omitempty"`
	// Otherwise the caller has used its last use, and whatever would have killed it still counts.
	Deadline   token.Instant  `cbor:"2,keyasint,omitempty"` // 0: never
	Parent     token.Accessor `cbor:"3,keyasint,omitempty"` // "": an orphan
	Path       string         `cbor:"4,keyasint,omitempty"`
	BoundCIDRs []string       `cbor:"5,keyasint,omitempty"`
}

// Expired reports whether r is over at now, swept or not.
func (r *Record) Expired(now token.Instant) bool { return r.At.Add(Lifetime) <= now }

func (r *Record) size() int {
	n := recordOverhead + len(r.Accessor) + len(r.Memo) + len(r.Result)
	if m := r.Remains; m != nil {
		n += len(m.Parent) + len(m.Path)
		for _, c := range m.BoundCIDRs {
			n += len(c)
		}
	}
	return n
}
