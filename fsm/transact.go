package fsm

import (
	"slices"
	"time"

	"github.com/tokengrove/grove/fsm/lockout"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

// Transact is one step of an engine: what it has read at the edge, what it writes, and at most one
// effect. Apply does all of it, or nothing: if anything that was read has changed since, or the mount
// has, the answer is Stale, and the edge runs the engine again.
//
// The Caller of a login has no token, but an epoch: the mount may not have changed since.
type Transact struct {
	Caller Caller    `cbor:"1,keyasint,omitzero"`
	Mount  string    `cbor:"2,keyasint"` // its path
	UUID   string    `cbor:"3,keyasint"` // of the mount
	Reads  []Read    `cbor:"4,keyasint,omitempty"`
	Listed []Listing `cbor:"5,keyasint,omitempty"`
	Writes []Write   `cbor:"6,keyasint,omitempty"`
	Login  *Login    `cbor:"7,keyasint,omitempty"`
	Renew  *Renewal  `cbor:"8,keyasint,omitempty"`
}

// Bounds of one transaction.
const (
	MaxTransactItems = 4096    // reads, and as many listings and writes
	MaxTransactBytes = 8 << 20 // of all writes
)

// Read says of which version an entry was when it was read; 0: there was none.
type Read struct {
	Key     string `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
}

// Listing says what was found directly below a prefix.
type Listing struct {
	Prefix string      `cbor:"1,keyasint"`
	Sum    storage.Sum `cbor:"2,keyasint"`
}

// WriteKind says what a Write does. The numbers are on disk: never reuse one.
type WriteKind uint8

const (
	// WritePut writes a value.
	WritePut WriteKind = 1
	// WriteDelete deletes the entry, if there is one.
	WriteDelete WriteKind = 2
	// WriteDeletePrefix deletes all entries whose keys start with Key.
	WriteDeletePrefix WriteKind = 3
)

// Write is one change of a mount's storage.
type Write struct {
	Kind  WriteKind `cbor:"1,keyasint"`
	Key   string    `cbor:"2,keyasint"`
	Value []byte    `cbor:"3,keyasint,omitempty"`
}

// Login is the effect that makes a token without a parent. Its record says what the method
// decided; times are set by apply.
type Login struct {
	Token token.Record `cbor:"1,keyasint"`
	// Alias is who logged in, as failures count it; "": nobody is counted. A user who is
	// locked out is refused, whatever the edge saw; one who is not has a clean slate afterwards.
	Alias string `cbor:"2,keyasint,omitempty"`
}

// Renewal is the effect that renews a token by the terms of the method that made it.
type Renewal struct {
	Target      Target        `cbor:"1,keyasint"`
	Increment   time.Duration `cbor:"2,keyasint,omitempty"`
	TTL         time.Duration `cbor:"3,keyasint,omitempty"`
	Period      time.Duration `cbor:"4,keyasint,omitempty"`
	ExplicitMax time.Duration `cbor:"5,keyasint,omitempty"`
	DefaultTTL  time.Duration `cbor:"6,keyasint"`
	MaxTTL      time.Duration `cbor:"7,keyasint"`
}

func (c *Transact) asks() Caller { return c.Caller }

// moved reports whether the ground on which the engine decided has moved: the mount was
// changed, or something that was read.
func (c *Transact) moved(m *Machine) bool {
	if !m.MountUnchanged(c.Mount, c.UUID, c.Caller.Epoch) {
		return true
	}
	s := m.stores[c.UUID]
	return slices.ContainsFunc(c.Reads, func(r Read) bool { return s.Find(r.Key).Version != r.Version }) ||
		slices.ContainsFunc(c.Listed, func(l Listing) bool { return s.SumOf(l.Prefix) != l.Sum })
}

// apply checks everything before it does anything, so that a refusal leaves no trace.
func (c *Transact) apply(m *Machine, x *applyContext) Result {
	if c.Login != nil && c.Renew != nil {
		return refuse(Invalid, "a transaction has one effect")
	}
	after, err := c.written(m.stores[c.UUID], x.index)
	if err != nil {
		return refuse(Invalid, "%v", err)
	}
	var r Result
	switch {
	case c.Login != nil:
		r = c.login(m, x)
	case c.Renew != nil:
		r = c.Renew.apply(m, x)
	}
	if r.Code == 0 {
		m.keep(c.UUID, after)
	}
	return r
}

// written returns the storage after all writes, unless they are out of bounds.
func (c *Transact) written(s storage.Store, index uint64) (storage.Store, error) {
	if max(len(c.Reads), len(c.Listed), len(c.Writes)) > MaxTransactItems {
		return s, Errorf(Invalid, "a transaction has at most %d reads, listings and writes", MaxTransactItems)
	}
	size := 0
	for i := range c.Writes {
		w := &c.Writes[i]
		switch w.Kind {
		case WritePut:
			if err := storage.CheckKey(w.Key); err != nil {
				return s, err
			}
			if len(w.Value) > storage.MaxValue {
				return s, Errorf(Invalid, "a stored value has at most %d bytes, that of %q has %d", storage.MaxValue, w.Key, len(w.Value))
			}
			s = s.Put(w.Key, storage.Entry{Value: w.Value, Version: index})
			size += len(w.Key) + len(w.Value)
		case WriteDelete:
			s = s.Delete(w.Key)
		case WriteDeletePrefix:
			s = s.DeletePrefix(w.Key)
		default:
			return s, Errorf(Invalid, "unknown kind %d of a write", w.Kind)
		}
	}
	switch {
	case size > MaxTransactBytes:
		return s, Errorf(Invalid, "a transaction writes at most %d bytes, this one %d", MaxTransactBytes, size)
	case size > 0 && s.Bytes() > storage.MaxBytes:
		return s, Errorf(Invalid, "the storage of a mount has at most %d bytes, and is full", storage.MaxBytes)
	}
	return s, nil
}

// login makes the token.
func (c *Transact) login(m *Machine, x *applyContext) Result {
	user := lockout.User{Mount: c.UUID, Alias: c.Login.Alias}
	if m.lockedNow(c.Mount, user) {
		return refuse(Forbidden, "permission denied")
	}
	create := CreateToken{Token: c.Login.Token}
	switch rec := &create.Token; {
	case !rec.Orphan():
		return refuse(Invalid, "a login's token has no parent")
	case rec.Login.Mount != c.UUID:
		return refuse(Invalid, "a login's token names its mount")
	case len(rec.Path) < len(c.Mount) || rec.Path[:len(c.Mount)] != c.Mount:
		return refuse(Invalid, "a login's token has a source path below its mount")
	}
	r := create.insert(m, &applyContext{index: x.index, at: x.at})
	if r.Code == 0 {
		m.failures.Clear(user)
	}
	return r
}

// apply renews the target.
func (c *Renewal) apply(m *Machine, x *applyContext) Result {
	ref := m.find(c.Target)
	if ref == 0 {
		return refuse(NotFound, "token not found")
	}
	rec := m.forest.Record(ref)
	return m.renew(ref, &rec, Terms{
		Increment: c.Increment, TTL: c.TTL, Period: c.Period, ExplicitMax: shorter(rec.ExplicitMax, c.ExplicitMax),
		Default: c.DefaultTTL, Max: c.MaxTTL, Created: rec.Created,
	}, x)
}
