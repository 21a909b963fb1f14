// Package storage holds what engines keep: for each mount an ordered map of paths to bytes.
//
// Contract: a Store is a value that never changes. Writing makes a new one, which shares with the old
// one all that is equal, so that a snapshot, or a reader who goes on without the machine's
// lock, keeps what it has seen for the price of a pointer.
package storage

import (
	"crypto/sha256"
	"fmt"
	"strings"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
)

// Bounds of what an engine can keep.
const (
	MaxKey   = 1024      // bytes of a key
	MaxValue = 1 << 20   // bytes of a value
	MaxBytes = 256 << 20 // of all keys and values of one mount
	// MaxListed bounds the names of one listing that a transaction relies on.
	MaxListed = 1 << 16
)

// Entry is one value. Version is the log index at which it was written; 0 stands for no entry.
type Entry struct {
	Value   []byte
	Version uint64
}

// Store is what one mount keeps. The zero Store is empty.
type Store struct {
	tree  *iradix.Tree[Entry]
	bytes int
}

// Sum is a digest of the names of a listing.
type Sum [sha256.Size]byte

// Len returns the number of entries.
func (s Store) Len() int {
	if s.tree == nil {
		return 0
	}
	return s.tree.Len()
}

// Bytes returns how much keys and values take.
func (s Store) Bytes() int { return s.bytes }

// Find returns the entry at key, and one of version 0 when there is none. Its bytes belong to
// the Store.
func (s Store) Find(key string) Entry {
	if s.tree == nil {
		return Entry{}
	}
	e, _ := s.tree.Get([]byte(key))
	return e
}

// Put returns a Store with value at key.
func (s Store) Put(key string, e Entry) Store {
	if s.tree == nil {
		s.tree = iradix.New[Entry]()
	}
	tree, old, was := s.tree.Insert([]byte(key), e)
	if was {
		s.bytes -= len(key) + len(old.Value)
	}
	return Store{tree: tree, bytes: s.bytes + len(key) + len(e.Value)}
}

// Delete returns a Store without key.
func (s Store) Delete(key string) Store {
	if s.tree == nil {
		return s
	}
	tree, old, was := s.tree.Delete([]byte(key))
	if was {
		s.bytes -= len(key) + len(old.Value)
	}
	return Store{tree: tree, bytes: s.bytes}
}

// DeletePrefix returns a Store without the keys that start with prefix.
func (s Store) DeletePrefix(prefix string) Store {
	if s.tree == nil {
		return s
	}
	gone := 0
	s.Walk(prefix, func(key string, e Entry) bool {
		gone += len(key) + len(e.Value)
		return true
	})
	tree, _ := s.tree.DeletePrefix([]byte(prefix))
	return Store{tree: tree, bytes: s.bytes - gone}
}

// Walk yields the entries whose keys start with prefix, in the order of their bytes.
func (s Store) Walk(prefix string, yield func(key string, e Entry) bool) {
	if s.tree == nil {
		return
	}
	it := s.tree.Root().Iterator()
	it.SeekPrefix([]byte(prefix))
	for k, e, ok := it.Next(); ok; k, e, ok = it.Next() {
		if !yield(string(k), e) {
			return
		}
	}
}

// List returns at most limit names directly below prefix that come after the name after: of keys,
// and, with a slash at their end, of the next segments that have keys below. Sorted.
func (s Store) List(prefix, after string, limit int) []string {
	if s.tree == nil {
		return nil
	}
	var names []string
	from := prefix + after
	for len(names) < limit {
		it := s.tree.Root().Iterator()
		it.SeekLowerBound([]byte(from))
		again := false
		for k, _, ok := it.Next(); ok && len(names) < limit; k, _, ok = it.Next() {
			rest, below := strings.CutPrefix(string(k), prefix)
			if !below {
				return names
			}
			name, _, deeper := strings.Cut(rest, "/")
			if deeper {
				name += "/"
			}
			if name > after && name != "" {
				names = append(names, name)
			}
			if deeper { // the next name is after all that is below this one
				from, again = prefix+strings.TrimSuffix(name, "/")+"0", true // '0' follows '/'
				break
			}
		}
		if !again {
			return names
		}
	}
	return names
}

// SumOf is the digest of what List gives without bounds but MaxListed.
func (s Store) SumOf(prefix string) Sum { return SumNames(s.List(prefix, "", MaxListed)) }

// SumNames is the digest of some names.
func SumNames(names []string) Sum {
	h := sha256.New()
	for _, n := range names {
		fmt.Fprintf(h, "%d %s\n", len(n), n)
	}
	var sum Sum
	h.Sum(sum[:0])
	return sum
}

// CheckKey refuses what is no key: a path of segments that are not empty, without a slash at
// either end.
func CheckKey(key string) error {
	switch {
	case key == "" || len(key) > MaxKey:
		return fmt.Errorf("a storage key has 1 to %d bytes, this one has %d", MaxKey, len(key))
	case strings.HasPrefix(key, "/") || strings.HasSuffix(key, "/") || strings.Contains(key, "//"):
		return fmt.Errorf("a storage key has no empty segment: %q", key)
	}
	return nil
}
