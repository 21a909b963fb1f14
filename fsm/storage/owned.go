package storage

import (
	iradix "github.com/hashicorp/go-immutable-radix/v2"

	"github.com/tokengrove/grove/fsm/token"
)

// Owned is a Store for each of many tokens. Like a Store it is a value that never changes; the zero
// Owned is empty. No Store in it is.
type Owned struct {
	tree    *iradix.Tree[Store]
	entries int
	bytes   int
}

// Len returns the number of owners.
func (o Owned) Len() int {
	if o.tree == nil {
		return 0
	}
	return o.tree.Len()
}

// Entries returns the number of entries of all owners.
func (o Owned) Entries() int { return o.entries }

// Bytes returns how much the keys and values of all owners take.
func (o Owned) Bytes() int { return o.bytes }

// Of returns what one token has.
func (o Owned) Of(owner token.Hash) Store {
	if o.tree == nil {
		return Store{}
	}
	s, _ := o.tree.Get(owner[:])
	return s
}

// With returns an Owned in which owner has s.
func (o Owned) With(owner token.Hash, s Store) Owned {
	old := o.Of(owner)
	if old.Len() == 0 && s.Len() == 0 {
		return o
	}
	if o.tree == nil {
		o.tree = iradix.New[Store]()
	}
	tree := o.tree
	if s.Len() == 0 {
		tree, _, _ = tree.Delete(owner[:])
	} else {
		tree, _, _ = tree.Insert(owner[:], s)
	}
	return Owned{tree: tree, entries: o.entries + s.Len() - old.Len(), bytes: o.bytes + s.Bytes() - old.Bytes()}
}

// Walk yields what every owner has, in the order of their hashes.
func (o Owned) Walk(yield func(owner token.Hash, s Store) bool) {
	if o.tree == nil {
		return
	}
	it := o.tree.Root().Iterator()
	for k, s, ok := it.Next(); ok; k, s, ok = it.Next() {
		if !yield(token.Hash(k), s) {
			return
		}
	}
}
