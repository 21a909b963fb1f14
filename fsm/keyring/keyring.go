// Package keyring holds the data keys of a cluster, by term, each sealed under the seal key that only the nodes
// have, and when they are rotated. How a key is sealed is not known here.
//
// A Ring is never changed: every change makes another one, so that who has the same pointer has the
// same keys.
package keyring

import (
	"fmt"
	"slices"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// Bounds of a ring, and of how it is rotated. Those of a rotation are the reference's.
const (
	MaxKeys       = 10_000
	MaxSealed     = 256 // bytes of a sealed data key
	MinInterval   = 24 * time.Hour
	MinOperations = 1_000_000
	MaxOperations = 3_865_470_566
)

// SealID names the seal key under which a data key is sealed. It tells nothing about that key.
type SealID [8]byte

// IsZero reports whether no seal key is named.
func (id SealID) IsZero() bool { return id == SealID{} }

// Key is the data key of one term. The CBOR keys are on disk: never reuse one.
type Key struct {
	Term      uint32        `cbor:"1,keyasint"`
	Installed token.Instant `cbor:"2,keyasint"`
	// Cluster is the ID of the cluster that made the key; it is sealed for that cluster and term.
	Cluster string `cbor:"3,keyasint"`
	Seal    SealID `cbor:"4,keyasint"`
	Sealed  []byte `cbor:"5,keyasint"`
}

// Rotation is when the leader makes a new key by itself. The zero Rotation is: never, until somebody sets an
// interval.
type Rotation struct {
	Disabled bool          `cbor:"1,keyasint,omitempty"`
	Interval time.Duration `cbor:"2,keyasint,omitempty"` // 0: no age is too old
	// Operations is kept and shown: the keys are for random nonces of 192 bits, and need no limit.
	Operations int64 `cbor:"3,keyasint,omitempty"` // 0: MaxOperations
}

// Limit is the number of operations that is shown.
func (r Rotation) Limit() int64 {
	if r.Operations == 0 {
		return MaxOperations
	}
	return r.Operations
}

// Check says what is wrong with r, in the reference's words.
func (r Rotation) Check() error {
	switch {
	case r.Interval != 0 && r.Interval < MinInterval:
		return fmt.Errorf("interval must be greater or equal to %s", MinInterval)
	case r.Operations != 0 && (r.Operations < MinOperations || r.Operations > MaxOperations):
		return fmt.Errorf("max_operations must be in the range [%d,%d]", MinOperations, MaxOperations)
	}
	return nil
}

// Ring is the keys of all terms, in their order, and how they are rotated.
type Ring struct {
	Keys     []Key    `cbor:"1,keyasint,omitempty"`
	Rotation Rotation `cbor:"2,keyasint,omitzero"`
}

// IsZero reports whether there is nothing in the ring.
func (r *Ring) IsZero() bool { return len(r.Keys) == 0 && r.Rotation == Rotation{} }

// Key returns the key of a term.
func (r *Ring) Key(term uint32) (Key, bool) {
	i, ok := slices.BinarySearchFunc(r.Keys, term, func(k Key, t uint32) int { return int(int64(k.Term) - int64(t)) })
	if !ok {
		return Key{}, false
	}
	return r.Keys[i], true
}

// Last returns the key of the newest term, the zero Key if there is none.
func (r *Ring) Last() Key {
	if len(r.Keys) == 0 {
		return Key{}
	}
	return r.Keys[len(r.Keys)-1]
}

// Due reports whether the newest key is too old at a time.
func (r *Ring) Due(now token.Instant) bool {
	return !r.Rotation.Disabled && r.Rotation.Interval > 0 && r.Last().Installed.Add(r.Rotation.Interval) <= now
}

// With returns a ring that also has k, the key of the next term.
func (r *Ring) With(k Key) *Ring { return &Ring{append(slices.Clone(r.Keys), k), r.Rotation} }

// Rotated returns a ring that is rotated in another way.
func (r *Ring) Rotated(how Rotation) *Ring { return &Ring{r.Keys, how} }

// Check verifies that the terms are 1, 2, 3 …, and that all keys are whole.
func (r *Ring) Check() error {
	if len(r.Keys) > MaxKeys {
		return fmt.Errorf("keyring of %d terms, at most %d", len(r.Keys), MaxKeys)
	}
	for i, k := range r.Keys {
		switch {
		case int64(k.Term) != int64(i)+1:
			return fmt.Errorf("term %d is at place %d of the keyring", k.Term, i+1)
		case k.Cluster == "" || k.Seal.IsZero() || len(k.Sealed) == 0 || len(k.Sealed) > MaxSealed:
			return fmt.Errorf("the key of term %d is not whole: cluster %q, %d sealed bytes", k.Term, k.Cluster, len(k.Sealed))
		}
	}
	return r.Rotation.Check()
}
