package forest

import (
	"encoding/binary"

	"github.com/tokengrove/grove/fsm/token"
)

// shards splits an index, so that growing one part of it is short.
const shards = 256

// index maps 64-bit keys to Refs. It stores neither keys nor pointers: a probe yields
// candidates, and the owner compares them with the node. Deleting shifts back, so that
// there are no tombstones.
type index struct {
	shards [shards]shard
}

type shard struct {
	slots []slot
	count int
}

// slot is one entry; ref 0 is empty. Part of the key saves most visits to nodes.
type slot struct {
	ref Ref
	tag uint32
}

// cursor walks the candidates of a key.
type cursor struct {
	slots []slot
	at    uint32
	tag   uint32
}

func hashKey(h token.Hash) uint64 { return binary.LittleEndian.Uint64(h[:8]) }

// accessorKey is FNV-1a with a final mix.
func accessorKey(a token.Accessor) uint64 {
	k := uint64(14695981039346656037)
	for i := range len(a) {
		k = (k ^ uint64(a[i])) * 1099511628211
	}
	k ^= k >> 32
	k *= 0x9e3779b97f4a7c15
	return k ^ k>>29
}

// A key is split: low byte = shard, upper half = tag, which also gives the home slot.
func (x *index) shard(key uint64) *shard { return &x.shards[key%shards] }

func tagOf(key uint64) uint32 { return uint32(key >> 32) }

func (x *index) probe(key uint64) cursor {
	s := x.shard(key)
	c := cursor{slots: s.slots, tag: tagOf(key)}
	if len(s.slots) > 0 {
		c.at = c.tag & uint32(len(s.slots)-1)
	}
	return c
}

// next returns the next candidate, 0 at the end.
func (c *cursor) next() Ref {
	if len(c.slots) == 0 {
		return 0
	}
	for {
		s := c.slots[c.at]
		if s.ref == 0 {
			return 0
		}
		c.at = (c.at + 1) & uint32(len(c.slots)-1)
		if s.tag == c.tag {
			return s.ref
		}
	}
}

func (x *index) insert(key uint64, r Ref) {
	s := x.shard(key)
	if (s.count+1)*4 > len(s.slots)*3 {
		s.resize(max(8, len(s.slots)*2))
	}
	s.put(slot{ref: r, tag: tagOf(key)})
	s.count++
}

func (s *shard) resize(n int) {
	old := s.slots
	s.slots = make([]slot, n)
	for _, e := range old {
		if e.ref != 0 {
			s.put(e)
		}
	}
}

func (s *shard) put(e slot) {
	mask := uint32(len(s.slots) - 1)
	i := e.tag & mask
	for s.slots[i].ref != 0 {
		i = (i + 1) & mask
	}
	s.slots[i] = e
}

// remove deletes the entry of r under key.
func (x *index) remove(key uint64, r Ref) {
	s := x.shard(key)
	mask := uint32(len(s.slots) - 1)
	i := tagOf(key) & mask
	for s.slots[i].ref != r {
		i = (i + 1) & mask
	}
	// Shift back every later entry that may stand nearer to its home slot.
	for j := (i + 1) & mask; s.slots[j].ref != 0; j = (j + 1) & mask {
		home := s.slots[j].tag & mask
		if (j-home)&mask >= (j-i)&mask {
			s.slots[i] = s.slots[j]
			i = j
		}
	}
	s.slots[i] = slot{}
	s.count--
	if len(s.slots) > 64 && s.count*8 < len(s.slots) {
		s.resize(len(s.slots) / 2)
	}
}
