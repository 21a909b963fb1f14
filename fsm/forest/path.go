package forest

import (
	"hash/maphash"
	"strings"
)

// path is a source path that tokens were issued at. Revoking it makes it dead and takes
// it out of the index: a later token at the same name gets a new path.
type path struct {
	name   string
	first  Ref    // newest token
	tokens uint32 // in the list that starts at first
	active uint32 // of these, how many were not revoked themselves
	queue  ends   // in the reclaim queue, if dead
	dead   bool
}

// pathTable finds the live paths by name and in order.
type pathTable struct {
	arena[path]
	byName index
	order  order
	seed   maphash.Seed
}

func (t *pathTable) init() {
	t.arena = newArena[path]()
	t.seed = maphash.MakeSeed()
	t.byName = newIndex(func(i uint32) uint64 { return maphash.String(t.seed, t.at(i).name) })
	t.order.name = func(i uint32) string { return t.at(i).name }
}

// find returns the live path with that name, or 0.
func (t *pathTable) find(name string) uint32 {
	return t.byName.find(maphash.String(t.seed, name), func(i uint32) bool { return t.at(i).name == name })
}

// acquire returns the live path with that name, which may be new.
func (t *pathTable) acquire(name string) uint32 {
	if i := t.find(name); i != 0 {
		return i
	}
	i := t.alloc()
	// The caller's string may be part of something big.
	t.edit(i).name = strings.Clone(name)
	t.byName.add(maphash.String(t.seed, name), i)
	t.order.add(i)
	return i
}

// kill makes path i dead. It is the caller who takes it out of the order.
func (t *pathTable) kill(i uint32) {
	t.byName.remove(maphash.String(t.seed, t.at(i).name), i)
	t.edit(i).dead = true
}

// release frees path i, which has no tokens and is not in the queue.
func (t *pathTable) release(i uint32) {
	if p := t.at(i); !p.dead {
		t.byName.remove(maphash.String(t.seed, p.name), i)
		t.order.remove(i)
	}
	t.free(i)
}

// enter puts token r on path i.
func (f *Forest) enter(i uint32, r Ref) {
	p := f.paths.edit(i)
	n := f.edit(r)
	n.source = source{path: i, older: p.first}
	if p.first != 0 {
		f.edit(p.first).source.newer = r
	}
	p.first = r
	p.tokens++
	if n.state == Active {
		p.active++
	}
}

// leave takes token r off its path, which goes when it was the last.
func (f *Forest) leave(r Ref) {
	n := f.edit(r)
	s := n.source
	p := f.paths.edit(s.path)
	if s.newer != 0 {
		f.edit(s.newer).source.older = s.older
	} else {
		p.first = s.older
	}
	if s.older != 0 {
		f.edit(s.older).source.newer = s.newer
	}
	p.tokens--
	if n.state == Active {
		p.active--
	}
	if p.tokens > 0 {
		return
	}
	if p.dead {
		f.dequeue(linkToPath(s.path))
	}
	f.paths.release(s.path)
}

// WalkPaths yields the source paths that start with prefix, sorted by their bytes, and
// for each a walk over its tokens, newest first. Paths that were revoked are not among
// them; a token may still be dead. The forest must not change during the walk.
func (f *Forest) WalkPaths(prefix string, yield func(path string, refs func(func(Ref) bool)) bool) {
	f.paths.order.walk(prefix, func(i uint32) bool {
		p := f.paths.at(i)
		return yield(p.name, func(yield func(Ref) bool) {
			for r := p.first; r != 0; r = f.node(r).source.older {
				if !yield(r) {
					return
				}
			}
		})
	})
}
