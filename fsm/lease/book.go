package lease

import (
	"errors"
	"strings"

	"github.com/tokengrove/grove/fsm/token"
)

// What Add and Commit may refuse.
var (
	ErrTaken    = errors.New("another lease has this ID")
	ErrFull     = errors.New("there are as many leases as there may be: revoke some, or try again later")
	ErrTooMany  = errors.New("this token has as many leases as one token may have")
	ErrNoIntent = errors.New("what was to be leased is gone, or was revoked meanwhile")
	ErrBadRow   = errors.New("a lease needs an ID with a slash in it, an owner, a mount and a TTL, and has its bounds")
)

// Book holds all rows. The zero Book is empty and ready.
type Book struct {
	image
	mounts  map[string]int // rows of each mount
	counts  map[uint64]int // rows that belong to each owner, by its number
	intents int
	bytes   int
	tally   Tally
}

// image is what a copy is an image of. The indexes can all be made of the rows, but for who is dying.
type image struct {
	rows   tree[*Lease] // by ID
	owners tree[uint64] // token hash → number, of tokens that are not removed
	dying  tree[uint64] // place → number, of those that are and have rows left
	owned  tree[string] // number, sequence → ID
	due    tree[string] // deadline, sequence → ID
	queue  tree[string] // next attempt, turn → ID
	lines  tree[string] // mount, resource, turn → ID
	cuts   []Cut        // oldest first; never changed in place
	next   Header
}

// Header is what there is once. The CBOR keys are on disk: never reuse one.
type Header struct {
	Seq    uint64 `cbor:"1,keyasint"` // of the last row
	Number uint64 `cbor:"2,keyasint"` // of the last owner
	Place  uint64 `cbor:"3,keyasint"` // of the last that died
	Turn   uint64 `cbor:"4,keyasint"` // of the last revocation
}

// Cut kills all rows up to a sequence number whose ID starts with a prefix. It holds from the moment at which it is
// there; Reclaim turns the rows into revocations and goes on behind After. The CBOR keys are on disk: never reuse one.
type Cut struct {
	Prefix string `cbor:"1,keyasint"`
	Seq    uint64 `cbor:"2,keyasint"`
	Forced bool   `cbor:"3,keyasint,omitempty"`
	After  string `cbor:"4,keyasint,omitempty"`
}

func (c *Cut) kills(l *Lease) bool { return l.Seq <= c.Seq && strings.HasPrefix(l.ID, c.Prefix) }

// Len returns the number of rows in any state.
func (b *Book) Len() int { return b.rows.len() }

// Bytes returns about how much all rows take.
func (b *Book) Bytes() int { return b.bytes }

// OfMount returns how many rows a mount has.
func (b *Book) OfMount(uuid string) int { return b.mounts[uuid] }

// Row returns a row in any state, dead or alive.
func (b *Book) Row(id string) (*Lease, bool) { return b.rows.get(id) }

// Add takes a new row, Intended or Active. Its sequence and its owner's number are set here.
func (b *Book) Add(l Lease) error {
	if !l.valid() {
		return ErrBadRow
	}
	n, known := b.owners.get(string(l.Owner[:]))
	switch {
	case b.has(l.ID):
		return ErrTaken
	case b.bytes+l.bytes() > MaxBytes, l.State == Intended && b.intents >= MaxIntents:
		return ErrFull
	case known && b.counts[n] >= MaxOwned:
		return ErrTooMany
	case !known:
		b.next.Number++
		n = b.next.Number
		b.owners.put(string(l.Owner[:]), n)
	}
	b.next.Seq++
	l.Seq, l.Number = b.next.Seq, n
	b.insert(&l)
	return nil
}

// valid reports whether l is a row that may be new.
func (l *Lease) valid() bool {
	intended := l.State == Intended && l.Until > 0
	return (intended || (l.State == Active && l.Until == 0)) && l.Path() != "" && !strings.HasSuffix(l.ID, "/") && !l.Owner.IsZero() && l.Mount != "" && l.TTL > 0 && l.Expires > 0 &&
		len(l.ID) <= MaxName && len(l.Resource) <= MaxName && len(l.Data) <= MaxData && !strings.Contains(l.Mount+l.Resource, "\x00") && l.Revocation == Revocation{} && !l.Doomed
}

func (b *Book) has(id string) bool {
	_, ok := b.rows.get(id)
	return ok
}

// insert puts a row into the indexes of its state, but for the queue.
func (b *Book) insert(l *Lease) {
	b.rows.put(l.ID, l)
	b.bytes += l.bytes()
	b.tally.count(l, 1)
	if b.mounts == nil {
		b.mounts, b.counts = map[string]int{}, map[uint64]int{}
	}
	b.mounts[l.Mount]++
	if l.State == Intended {
		b.intents++
	}
	if l.owned() {
		b.owned.put(l.ownedKey(), l.ID)
		b.counts[l.Number]++
	}
	if l.State != Revoking {
		b.due.put(l.dueKey(), l.ID)
	} else if !l.Revocation.Parked && l.Resource != "" {
		b.lines.put(l.lineKey(), l.ID)
	}
}

// take takes a row out of all indexes. The queue is its caller's.
func (b *Book) take(l *Lease) {
	b.rows.remove(l.ID)
	b.bytes -= l.bytes()
	b.tally.count(l, -1)
	if b.mounts[l.Mount]--; b.mounts[l.Mount] == 0 {
		delete(b.mounts, l.Mount)
	}
	if l.State == Intended {
		b.intents--
	}
	if l.owned() {
		b.owned.remove(l.ownedKey())
		b.part(l)
	}
	if l.State != Revoking {
		b.due.remove(l.dueKey())
	} else if l.Resource != "" {
		b.lines.remove(l.lineKey())
	}
}

// part takes l from its owner, which is forgotten if it was the last.
func (b *Book) part(l *Lease) {
	if b.counts[l.Number]--; b.counts[l.Number] > 0 {
		return
	}
	delete(b.counts, l.Number)
	if n, ok := b.owners.get(string(l.Owner[:])); ok && n == l.Number {
		b.owners.remove(string(l.Owner[:]))
	}
}

// replace puts a changed row in the place of an old one of the same ID and owner.
func (b *Book) replace(old *Lease, l Lease) *Lease {
	if old.owned() && l.owned() {
		b.rows.put(l.ID, &l)
		b.bytes += l.bytes() - old.bytes()
		if old.State == Intended && l.State != Intended {
			b.intents--
		}
		b.due.remove(old.dueKey())
		b.due.put(l.dueKey(), l.ID)
		return &l
	}
	b.take(old)
	b.insert(&l)
	return &l
}

// Holds reports whether l is a lease that nothing but its token's death can have ended by now.
func (b *Book) Holds(l *Lease, now token.Instant) bool {
	if l.State != Active || l.Expires <= now {
		return false
	}
	if n, ok := b.owners.get(string(l.Owner[:])); !ok || n != l.Number {
		return false
	}
	for i := range b.cuts {
		if b.cuts[i].kills(l) {
			return false
		}
	}
	return true
}

// Commit makes a lease of an intent of a token.
func (b *Book) Commit(id string, owner token.Hash) (*Lease, error) {
	l, ok := b.rows.get(id)
	if !ok || l.Owner != owner || l.State != Intended {
		return nil, ErrNoIntent
	}
	after := *l
	after.State, after.Until = Active, 0
	if !b.Holds(&after, l.Issued) || l.Doomed {
		return nil, ErrNoIntent
	}
	return b.replace(l, after), nil
}

// Renew gives an active lease another end.
func (b *Book) Renew(l *Lease, now, expires token.Instant) *Lease {
	after := *l
	after.Renewed, after.Expires = now, expires
	return b.replace(l, after)
}

// Died says that a token is removed: what it had is nobody's from now on.
func (b *Book) Died(h token.Hash) {
	n, ok := b.owners.get(string(h[:]))
	if !ok {
		return
	}
	b.owners.remove(string(h[:]))
	b.next.Place++
	b.dying.put(number(b.next.Place), n)
}

// Cut kills all rows whose ID starts with prefix. Forced ones are tried once more and then given up, those that are in
// the queue already among them.
func (b *Book) Cut(prefix string, forced bool) {
	if b.rows.has(prefix) {
		b.cuts = append(b.cuts[:len(b.cuts):len(b.cuts)], Cut{Prefix: prefix, Seq: b.next.Seq, Forced: forced})
	}
}
