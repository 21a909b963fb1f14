package forest

import (
	"slices"
	"sort"
	"strings"
)

// pathEntry is one source path and the tokens that were issued there. A prefix revocation
// marks entries dead (ticket) and takes them out of the order, so that a token which is
// issued there later gets a new entry.
type pathEntry struct {
	path   string
	first  Ref
	count  uint32
	ticket uint64 // its place in the queue of the dead; 0: alive
}

// pathTable holds the entries, and the living ones in the order of their paths.
type pathTable struct {
	table   paged[pathEntry]
	byPath  map[string]uint32 // living entries
	order   sorted
	free    []uint32
	revoked int // dead entries that are not reclaimed
}

func (t *pathTable) init() {
	t.byPath = map[string]uint32{}
	t.table.grow() // 0 is none
}

func (t *pathTable) at(i uint32) *pathEntry { return t.table.at(Ref(i)) }

// live returns the living entry of path, a new one if need be.
func (t *pathTable) live(path string) uint32 {
	if i, ok := t.byPath[path]; ok {
		return i
	}
	i := t.add(path, 0)
	t.byPath[t.at(i).path] = i
	t.order.insert(t.at(i).path)
	return i
}

func (t *pathTable) add(path string, ticket uint64) uint32 {
	var i uint32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
	} else {
		i = t.table.grow()
	}
	*t.table.edit(Ref(i)) = pathEntry{path: strings.Clone(path), ticket: ticket}
	if ticket != 0 {
		t.revoked++
	}
	return i
}

// release forgets an entry that has no token.
func (t *pathTable) release(i uint32) {
	e := t.table.edit(Ref(i))
	if e.count > 0 {
		return
	}
	if e.ticket != 0 {
		t.revoked--
	} else {
		t.detach(e.path)
	}
	*e = pathEntry{}
	t.free = append(t.free, i)
}

func (t *pathTable) detach(path string) {
	delete(t.byPath, path)
	t.order.remove(path)
}

// pathPush puts r at the head of its path's list.
func (f *Forest) pathPush(r Ref) {
	n := f.nodes.edit(r)
	e := f.paths.table.edit(Ref(n.path))
	n.pathNext, n.pathPrev = e.first, 0
	if e.first != 0 {
		f.nodes.edit(e.first).pathPrev = r
	}
	e.first = r
	e.count++
}

// pathDrop takes r out of its path's list, and the path away with its last token.
func (f *Forest) pathDrop(r Ref) {
	n := f.nodes.edit(r)
	e := f.paths.table.edit(Ref(n.path))
	if n.pathPrev != 0 {
		f.nodes.edit(n.pathPrev).pathNext = n.pathNext
	} else {
		e.first = n.pathNext
	}
	if n.pathNext != 0 {
		f.nodes.edit(n.pathNext).pathPrev = n.pathPrev
	}
	e.count--
	f.paths.release(n.path)
}

// WalkPaths yields the living paths that start with prefix, in order, each with its
// tokens that are not marked dead.
func (f *Forest) WalkPaths(prefix string, yield func(path string, refs func(func(Ref) bool)) bool) {
	f.paths.order.from(prefix, func(path string) bool {
		e := f.paths.at(f.paths.byPath[path])
		return yield(path, func(each func(Ref) bool) {
			for r := e.first; r != 0; r = f.nodes.at(r).pathNext {
				if f.nodes.at(r).state == active && !each(r) {
					return
				}
			}
		})
	})
}

// chunkSize bounds a chunk of the sorted order.
const chunkSize = 512

// sorted is a set of strings in order, in chunks, so that an insert moves few of them.
type sorted struct {
	chunks [][]string
}

// find returns the chunk and the position where s stands or would stand.
func (o *sorted) find(s string) (int, int, bool) {
	c := sort.Search(len(o.chunks), func(i int) bool { return o.chunks[i][0] > s })
	if c > 0 {
		c--
	}
	if c == len(o.chunks) {
		return c, 0, false
	}
	i, ok := slices.BinarySearch(o.chunks[c], s)
	return c, i, ok
}

func (o *sorted) insert(s string) {
	c, i, ok := o.find(s)
	if ok {
		return
	}
	if c == len(o.chunks) {
		o.chunks = append(o.chunks, []string{s})
		return
	}
	o.chunks[c] = slices.Insert(o.chunks[c], i, s)
	if n := len(o.chunks[c]); n > chunkSize {
		upper := slices.Clone(o.chunks[c][n/2:])
		o.chunks[c] = slices.Clip(o.chunks[c][:n/2])
		o.chunks = slices.Insert(o.chunks, c+1, upper)
	}
}

func (o *sorted) remove(s string) {
	c, i, ok := o.find(s)
	if !ok {
		return
	}
	o.chunks[c] = slices.Delete(o.chunks[c], i, i+1)
	if len(o.chunks[c]) == 0 {
		o.chunks = slices.Delete(o.chunks, c, c+1)
	}
}

// from yields the strings that start with prefix, in order.
func (o *sorted) from(prefix string, yield func(string) bool) {
	c, i, _ := o.find(prefix)
	for ; c < len(o.chunks); c, i = c+1, 0 {
		for _, s := range o.chunks[c][i:] {
			if !strings.HasPrefix(s, prefix) {
				if s > prefix {
					return
				}
				continue
			}
			if !yield(s) {
				return
			}
		}
	}
}
