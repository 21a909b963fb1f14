package fsm

import (
	"errors"
	"fmt"

	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

// Bounds of what tokens keep for themselves. At one of them a write is refused.
const (
	MaxCubbyholeEntries = 1024      // of one token
	MaxCubbyholeBytes   = 4 << 20   // keys and sealed values of one token
	MaxCubbyholes       = 512 << 20 // of all tokens, with what an entry takes besides
)

// cubbyholeOverhead is about what an entry and an owner take besides keys and values.
const cubbyholeOverhead = 512

// cubbyholes is what tokens keep for themselves, by their hashes. A dead token's is found by nobody, and
// goes when the forest lets go of the token. Values are sealed by the edge with keys that only the
// token's ID gives, so that they are readable in no log, snapshot or memory.
type cubbyholes struct{ held storage.Owned }

// size is about how much memory all cubbyholes take.
func (h *cubbyholes) size() int {
	return h.held.Bytes() + cubbyholeOverhead*(h.held.Entries()+h.held.Len())
}

// died forgets what a token kept.
func (h *cubbyholes) died(t token.Hash) {
	if h.held.Len() > 0 {
		h.held = h.held.With(t, storage.Store{})
	}
}

// put writes one entry, unless it is out of bounds.
func (h *cubbyholes) put(t token.Hash, path string, e storage.Entry) (r Result, ok bool) {
	if err := storage.CheckKey(path); err != nil {
		return refuse(Invalid, "%v", err), false
	}
	s := h.held.Of(t)
	after := h.held.With(t, s.Put(path, e))
	switch kept := after.Of(t); {
	case kept.Len() > MaxCubbyholeEntries && kept.Len() > s.Len():
		return refuse(Invalid, "a cubbyhole has at most %d entries, and is full", MaxCubbyholeEntries), false
	case kept.Bytes() > MaxCubbyholeBytes && kept.Bytes() > s.Bytes():
		return refuse(Invalid, "a cubbyhole has at most %d bytes, with this entry it would have %d", MaxCubbyholeBytes, kept.Bytes()), false
	case h.full() && (kept.Bytes() > s.Bytes() || kept.Len() > s.Len()):
		return refuse(Unavailable, "the cubbyholes of all tokens have %d MiB, which is all they may have: delete what is not needed, or try again later", MaxCubbyholes>>20), false
	}
	h.held = after
	return Result{}, true
}

// full reports whether nothing more may be kept.
func (h *cubbyholes) full() bool { return h.size() >= MaxCubbyholes }

// CubbyholeRow is one entry of a token's cubbyhole.
type CubbyholeRow struct {
	Token   token.Hash `cbor:"1,keyasint"`
	Path    string     `cbor:"2,keyasint"`
	Value   []byte     `cbor:"3,keyasint,omitempty"`
	Version uint64     `cbor:"4,keyasint"`
}

// rows yields all entries, sorted.
func (h *cubbyholes) rows(yield func(RowKind, any) error) error {
	var err error
	h.held.Walk(func(t token.Hash, s storage.Store) bool {
		s.Walk("", func(path string, e storage.Entry) bool {
			err = yield(RowCubbyhole, CubbyholeRow{Token: t, Path: path, Value: e.Value, Version: e.Version})
			return err == nil
		})
		return err == nil
	})
	return err
}

// restore takes the next entry.
func (h *cubbyholes) restore(row CubbyholeRow) error {
	s := h.held.Of(row.Token)
	if s.Find(row.Path).Version != 0 || row.Version == 0 {
		return fmt.Errorf("entry %q of the cubbyhole of %s, of version %d, after one of version %d", row.Path, row.Token, row.Version, s.Find(row.Path).Version)
	}
	h.held = h.held.With(row.Token, s.Put(row.Path, storage.Entry{Value: row.Value, Version: row.Version}))
	return nil
}

// checkCubbyholes verifies that every cubbyhole has its token, and the bounds.
func (m *Machine) checkCubbyholes() error {
	var wrong error
	entries, bytes := 0, 0
	m.cubbyholes.held.Walk(func(t token.Hash, s storage.Store) bool {
		entries, bytes = entries+s.Len(), bytes+s.Bytes()
		if err := checkStore(s, m.index); err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("cubbyhole of %s: %w", t, err))
		}
		switch {
		case m.forest.Find(t) == 0:
			wrong = errors.Join(wrong, fmt.Errorf("a cubbyhole of token %s, which is gone", t))
		case s.Len() == 0 || s.Len() > MaxCubbyholeEntries || s.Bytes() > MaxCubbyholeBytes:
			wrong = errors.Join(wrong, fmt.Errorf("the cubbyhole of %s has %d entries of %d bytes", t, s.Len(), s.Bytes()))
		}
		return wrong == nil
	})
	if held := m.cubbyholes.held; wrong == nil && (entries != held.Entries() || bytes != held.Bytes()) {
		wrong = fmt.Errorf("cubbyholes have %d entries of %d bytes, counted %d of %d", entries, bytes, held.Entries(), held.Bytes())
	}
	return wrong
}

// Cubbyhole returns what a token keeps, sealed; false if the token is not alive. The Store is good without
// the machine's lock.
func (m *Machine) Cubbyhole(t token.Hash, now token.Instant) (storage.Store, bool) {
	if _, alive := m.Lookup(t, now); !alive {
		return storage.Store{}, false
	}
	return m.cubbyholes.held.Of(t), true
}

// Cubbyholes returns how many tokens keep something, and in about how many bytes.
func (m *Machine) Cubbyholes() (tokens, bytes int) {
	return m.cubbyholes.held.Len(), m.cubbyholes.size()
}

// CubbyholesFull reports whether nothing more may be kept.
func (m *Machine) CubbyholesFull() bool { return m.cubbyholes.full() }
