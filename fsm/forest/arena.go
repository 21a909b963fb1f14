package forest

import "math/bits"

// pageSize is the number of items in a page. 128 nodes of 144 bytes are exactly one of
// the Go allocator's size classes (18432). A larger page makes a freeze cheaper and the
// first write to a page after it dearer, and that is what a request waits for: one must
// be a few microseconds, the other happens every few minutes.
const pageSize = 128

// arena is a growing array of T in pages that can be frozen: after freeze the pages
// are shared with the image, and the writer clones each before its first write to it.
//
// A pointer from at is for reading at once: an edit of the same page may leave it
// pointing at the frozen copy. A pointer from edit is good until the next freeze.
type arena[T any] struct {
	pages []*[pageSize]T
	meta  []pageMeta
	// spare is a stack of the pages that have a free slot, each once. Which slot the
	// next item gets is nobody's business: nothing observable depends on it.
	spare []uint32
	idle  uint32 // the page that was empty last
	round uint32 // how many images were taken
	count int
}

// pageMeta is the writer's knowledge about a page.
type pageMeta struct {
	used  [pageSize / 64]uint64
	count uint16
	since uint32 // the round in which the page was made: a later image shares it
}

// newArena returns an empty arena. Slot 0 stays unused, so that 0 can mean "none".
func newArena[T any]() arena[T] {
	var a arena[T]
	a.alloc()
	a.count = 0
	return a
}

// at returns item i for reading.
func (a *arena[T]) at(i uint32) *T { return &a.pages[i/pageSize][i%pageSize] }

// edit returns item i for writing.
func (a *arena[T]) edit(i uint32) *T {
	p := i / pageSize
	if a.meta[p].since != a.round {
		clone := *a.pages[p]
		a.pages[p] = &clone
		a.meta[p].since = a.round
	}
	return &a.pages[p][i%pageSize]
}

// alloc returns the index of a new zero item.
func (a *arena[T]) alloc() uint32 {
	if len(a.spare) == 0 {
		a.spare = append(a.spare, uint32(len(a.pages)))
		a.pages = append(a.pages, nil)
		a.meta = append(a.meta, pageMeta{})
	}
	p := a.spare[len(a.spare)-1]
	m := &a.meta[p]
	if a.pages[p] == nil {
		a.pages[p] = new([pageSize]T)
		m.since = a.round
	}
	w := 0
	for m.used[w] == ^uint64(0) {
		w++
	}
	b := bits.TrailingZeros64(^m.used[w])
	m.used[w] |= 1 << b
	m.count++
	a.count++
	if m.count == pageSize {
		a.spare = a.spare[:len(a.spare)-1]
	}
	return p*pageSize + uint32(w*64+b)
}

// free zeroes item i and takes it back. The memory of empty pages is let go, except for
// that of one, so that a page that is emptied and filled in turn costs nothing.
func (a *arena[T]) free(i uint32) {
	var zero T
	*a.edit(i) = zero
	p := i / pageSize
	m := &a.meta[p]
	m.used[i%pageSize/64] &^= 1 << (i % 64)
	if m.count == pageSize {
		a.spare = append(a.spare, p)
	}
	m.count--
	a.count--
	if m.count == 0 {
		if a.idle != p && a.meta[a.idle].count == 0 {
			a.pages[a.idle] = nil
		}
		a.idle = p
	}
}

// has reports whether i is an item.
func (a *arena[T]) has(i uint32) bool {
	p := i / pageSize
	return i != 0 && int(p) < len(a.meta) && a.meta[p].used[i%pageSize/64]&(1<<(i%64)) != 0
}

// size returns a number above every index in use.
func (a *arena[T]) size() uint32 { return uint32(len(a.pages)) * pageSize }

// all yields the indexes of all items in ascending order.
func (a *arena[T]) all(yield func(uint32) bool) {
	for p := range a.meta {
		for w, word := range a.meta[p].used {
			if p == 0 && w == 0 {
				word &^= 1
			}
			for ; word != 0; word &= word - 1 {
				if !yield(uint32(p*pageSize + w*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}

// freeze returns an image of the arena in O(pages): it copies the pointers to them, and from
// the new round on no page counts as the writer's own.
func (a *arena[T]) freeze() frozenArena[T] {
	a.round++
	pages := make([]*[pageSize]T, len(a.pages))
	copy(pages, a.pages)
	return frozenArena[T]{pages: pages}
}

// frozenArena is what freeze saw. Nobody writes to its pages any more.
type frozenArena[T any] struct{ pages []*[pageSize]T }

func (z *frozenArena[T]) at(i uint32) *T { return &z.pages[i/pageSize][i%pageSize] }
