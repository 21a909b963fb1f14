package forest

import "fmt"

// The index is an extendible hash table of item numbers: a directory, indexed by the
// top bits of the hash, of small open-addressing tables (shards) that split and merge
// one at a time. One big table would have to move all its entries at once when it
// doubles: half a second at five million tokens.
//
//	hash: | directory: depth bits ... | ... | tag: 7 bits | slot: 10 bits |

const (
	shardSlots = 1024
	shardFull  = shardSlots / 8 * 7 // slots that are not empty, at most
	shardSmall = shardSlots / 8     // two buddies that are both below are merged

	// reserve leaves so many items to a shard; few get so many more that they split.
	shardReserved = shardFull - shardFull/8

	tagEmpty   = 0
	tagDeleted = 1
)

// index finds items by key. The keys stay with the items: hash computes the hash of an
// item's key again when a shard is rebuilt.
type index struct {
	dir   []*shard
	depth uint
	count int
	hash  func(uint32) uint64
}

// shard has no pointers, so that the garbage collector does not look into it.
type shard struct {
	depth uint16
	used  uint16 // slots that are not empty
	live  uint16
	tags  [shardSlots]uint8
	items [shardSlots]uint32
}

func newIndex(hash func(uint32) uint64) index {
	return index{dir: []*shard{new(shard)}, hash: hash}
}

func tagOf(h uint64) uint8 { return uint8(h>>10) | 0x80 }

// at returns the place in the directory; a shift by 64 gives 0.
func (x *index) at(h uint64) uint64 { return h >> (64 - x.depth) }

// find returns the item with hash h that same accepts, or 0.
func (x *index) find(h uint64, same func(uint32) bool) uint32 {
	s := x.dir[x.at(h)]
	tag := tagOf(h)
	for i := h % shardSlots; ; i = (i + 1) % shardSlots {
		switch s.tags[i] {
		case tagEmpty:
			return 0
		case tag:
			if same(s.items[i]) {
				return s.items[i]
			}
		}
	}
}

// add inserts an item that is not in the index.
func (x *index) add(h uint64, item uint32) {
	s := x.dir[x.at(h)]
	for s.used >= shardFull {
		x.grow(s, h)
		s = x.dir[x.at(h)]
	}
	s.put(h, item)
	x.count++
}

func (s *shard) put(h uint64, item uint32) {
	i := h % shardSlots
	for s.tags[i] > tagDeleted {
		i = (i + 1) % shardSlots
	}
	if s.tags[i] == tagEmpty {
		s.used++
	}
	s.tags[i], s.items[i] = tagOf(h), item
	s.live++
}

// remove takes out an item that is in the index.
func (x *index) remove(h uint64, item uint32) {
	s := x.dir[x.at(h)]
	i := h % shardSlots
	for s.items[i] != item || s.tags[i] <= tagDeleted {
		i = (i + 1) % shardSlots
	}
	s.tags[i] = tagDeleted
	s.live--
	x.count--
	if s.tags[(i+1)%shardSlots] == tagEmpty { // nothing behind it: no search needs to pass here
		for ; s.tags[i] == tagDeleted; i = (i - 1) % shardSlots {
			s.tags[i] = tagEmpty
			s.used--
		}
	}
	if s.live < shardSmall && s.depth > 0 {
		x.merge(s, h)
	}
}

// grow makes room in s, the shard of h: it drops the deleted slots or splits the shard.
func (x *index) grow(s *shard, h uint64) {
	if s.live <= shardFull/2 {
		x.replace(s, h, x.rebuilt(s.depth, s))
		return
	}
	x.split(s, h)
}

// split puts two shards in the place of s, the shard of h.
func (x *index) split(s *shard, h uint64) {
	if uint(s.depth) == x.depth {
		dir := make([]*shard, 2*len(x.dir))
		for i, d := range x.dir {
			dir[2*i], dir[2*i+1] = d, d
		}
		x.dir = dir
		x.depth++
	}
	lo, hi := &shard{depth: s.depth + 1}, &shard{depth: s.depth + 1}
	for i, item := range s.items {
		if s.tags[i] <= tagDeleted {
			continue
		}
		ih := x.hash(item)
		if ih>>(63-s.depth)&1 == 0 {
			lo.put(ih, item)
		} else {
			hi.put(ih, item)
		}
	}
	first, span := x.places(s, h)
	for i := range span {
		if i < span/2 {
			x.dir[first+i] = lo
		} else {
			x.dir[first+i] = hi
		}
	}
}

// reserve splits the shards as n items will need it, while there are few items to move.
func (x *index) reserve(n int) {
	for h := uint64(0); ; {
		s := x.dir[x.at(h)]
		if n>>s.depth > shardReserved {
			x.split(s, h)
			continue
		}
		if h += 1 << (64 - s.depth); h == 0 {
			return
		}
	}
}

// merge joins s, the shard of h, with its buddy if that is small too.
func (x *index) merge(s *shard, h uint64) {
	buddy := x.dir[x.at(h^1<<(64-s.depth))]
	if buddy.depth != s.depth || buddy.live >= shardSmall {
		return
	}
	m := x.rebuilt(s.depth-1, s, buddy)
	x.replace(m, h, m)
}

// rebuilt returns a shard with the live items of others.
func (x *index) rebuilt(depth uint16, from ...*shard) *shard {
	n := &shard{depth: depth}
	for _, s := range from {
		for i, item := range s.items {
			if s.tags[i] > tagDeleted {
				n.put(x.hash(item), item)
			}
		}
	}
	return n
}

// replace puts n wherever the directory has a shard of hash h and the depth of old.
func (x *index) replace(old *shard, h uint64, n *shard) {
	first, span := x.places(old, h)
	for i := range span {
		x.dir[first+i] = n
	}
}

// places returns the part of the directory that leads to s, the shard of h.
func (x *index) places(s *shard, h uint64) (first, span uint64) {
	span = 1 << (x.depth - uint(s.depth))
	return x.at(h) &^ (span - 1), span
}

// check verifies that the index finds exactly what it holds.
func (x *index) check() error {
	items := 0
	for i, s := range x.dir {
		used, live := 0, 0
		for j, tag := range s.tags {
			if tag != tagEmpty {
				used++
			}
			if tag <= tagDeleted {
				continue
			}
			live++
			item := s.items[j]
			h := x.hash(item)
			if x.dir[x.at(h)] != s || x.find(h, func(c uint32) bool { return c == item }) != item {
				return fmt.Errorf("item %d is where nobody looks for it", item)
			}
		}
		if int(s.used) != used || int(s.live) != live || used > shardFull {
			return fmt.Errorf("%d slots and %d items in a shard, counted %d and %d", used, live, s.used, s.live)
		}
		if first, span := x.places(s, uint64(i)<<(64-x.depth)); uint64(i) == first+span-1 {
			items += live
		}
	}
	if items != x.count {
		return fmt.Errorf("%d items, counted %d", items, x.count)
	}
	return nil
}
