// Package ban remembers below which source paths everything was revoked, and when: what is stored nowhere, such as a
// batch token, can only be killed by what it says of itself.
//
// Contract: a token that was issued at a path, on a state before the ban of that path or of one above it, is dead. A Book
// is bounded: when there are too many bans, the oldest becomes one of every path, so that nothing that was revoked
// ever comes back; only what is older than all that are remembered is killed besides.
package ban

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// Bounds of a Book. A longer prefix has nothing to ban, because no banned token's path is longer.
const (
	MaxBans = 16_384
	MaxPath = 1024 // bytes
)

// Life is how long a ban is remembered: no token that can be banned lives longer.
const Life = 366 * 24 * time.Hour

// Point is a place in the history of a state: the index of an entry, after a number of restores. It only ever grows.
type Point struct {
	Restores uint64 `cbor:"1,keyasint,omitempty"`
	Index    uint64 `cbor:"2,keyasint"`
}

// Before reports whether p comes before q.
func (p Point) Before(q Point) bool {
	return p.Restores < q.Restores || (p.Restores == q.Restores && p.Index < q.Index)
}

// Compare orders points.
func (p Point) Compare(q Point) int {
	return cmp.Or(cmp.Compare(p.Restores, q.Restores), cmp.Compare(p.Index, q.Index))
}

// Ban kills what was issued at Prefix or below it before Point; the empty prefix is every path. The CBOR keys
// are on disk: never reuse one.
type Ban struct {
	Prefix string        `cbor:"1,keyasint,omitempty"`
	Point  Point         `cbor:"2,keyasint"`
	At     token.Instant `cbor:"3,keyasint"`
}

// Book is the bans of a state. The zero Book has none. A copy of a Book stays what it is when the other is added to.
type Book struct {
	bans []Ban // in the order of their points
	by   map[string]Point
}

// Len returns the number of bans.
func (b *Book) Len() int { return len(b.bans) }

// All returns the bans, the oldest first. They must not be changed.
func (b *Book) All() []Ban { return b.bans }

// Add bans a prefix, which has no slash at its end. Bans that it covers, and those that are over at the time of this one,
// are forgotten.
func (b *Book) Add(n Ban) {
	if len(n.Prefix) > MaxPath {
		return
	}
	kept := make([]Ban, 0, len(b.bans)+1)
	for _, old := range b.bans {
		if old.At.Add(Life) > n.At && !below(old.Prefix, n.Prefix) {
			kept = append(kept, old)
		}
	}
	kept = append(kept, n)
	if len(kept) > MaxBans {
		kept = widen(kept)
	}
	b.set(kept)
}

// widen makes room for one: the second oldest ban becomes one of every path, and so covers the oldest.
func widen(bans []Ban) []Ban {
	bans = bans[1:]
	bans[0].Prefix = ""
	return bans
}

func (b *Book) set(bans []Ban) {
	b.bans, b.by = bans, make(map[string]Point, len(bans))
	for _, x := range bans {
		b.by[x.Prefix] = x.Point
	}
}

// below reports whether path is prefix, or lies below it.
func below(path, prefix string) bool {
	rest, ok := strings.CutPrefix(path, prefix)
	return ok && (prefix == "" || rest == "" || rest[0] == '/')
}

// Kills reports whether something that was issued at path, on the state at p, is banned.
func (b *Book) Kills(path string, p Point) bool {
	if len(b.bans) == 0 || !p.Before(b.bans[len(b.bans)-1].Point) {
		return false // it is younger than all
	}
	if b.kills("", p) || b.kills(path, p) {
		return true
	}
	for i := 1; i < len(path); i++ {
		if path[i] == '/' && b.kills(path[:i], p) {
			return true
		}
	}
	return false
}

func (b *Book) kills(prefix string, p Point) bool {
	at, ok := b.by[prefix]
	return ok && p.Before(at)
}

// Restore takes the next ban.
func (b *Book) Restore(n Ban) error {
	if len(b.bans) > 0 && n.Point.Compare(b.bans[len(b.bans)-1].Point) < 0 {
		return fmt.Errorf("ban of %q out of order", n.Prefix)
	}
	if _, ok := b.by[n.Prefix]; ok {
		return fmt.Errorf("a second ban of %q", n.Prefix)
	}
	if b.by == nil {
		b.by = map[string]Point{}
	}
	b.bans = append(b.bans, n)
	b.by[n.Prefix] = n.Point
	return nil
}

// Check verifies that the bans are in order, within bounds, not covered by one that came later, and not after last.
func (b *Book) Check(last Point) error {
	if len(b.bans) > MaxBans || len(b.by) != len(b.bans) {
		return fmt.Errorf("%d bans by %d prefixes, at most %d", len(b.bans), len(b.by), MaxBans)
	}
	for i, x := range b.bans {
		switch {
		case len(x.Prefix) > MaxPath || strings.HasSuffix(x.Prefix, "/"):
			return fmt.Errorf("ban of %q", x.Prefix)
		case b.by[x.Prefix] != x.Point || last.Before(x.Point):
			return fmt.Errorf("ban of %q at %v, known at %v, the state is at %v", x.Prefix, x.Point, b.by[x.Prefix], last)
		case i > 0 && x.Point.Before(b.bans[i-1].Point):
			return fmt.Errorf("ban of %q out of order", x.Prefix)
		}
	}
	return nil
}
