package forest

import "github.com/tokengrove/grove/fsm/token"

// Alive reports whether the token may be used at now: neither it nor any ancestor was
// revoked, is past its deadline or was issued at a path that was revoked.
//
// The cost does not grow with depth in the normal state. As long as nothing waits to be
// reclaimed and no deadline has passed without its token being expired, nothing in the
// forest is dead, and the token's own node is all that is looked at. Otherwise the
// ancestors are walked, so that the answer is exact at every moment: a tree of a
// million is dead from the instant in which its root is marked.
func (f *Forest) Alive(r Ref, now token.Instant) bool {
	if r == 0 {
		return false
	}
	n := f.node(r)
	if n.state != Active || n.expired(now) {
		return false
	}
	if f.queue.first == 0 && !f.due.passed(now) {
		return true
	}
	return f.standing(r, now)
}

// standing walks from r to its root; now = 0 leaves deadlines out of account.
func (f *Forest) standing(r Ref, now token.Instant) bool {
	for n := f.node(r); ; {
		if n.state != Active || n.expired(now) || f.paths.at(n.source.path).dead {
			return false
		}
		if n.kin.parent == 0 {
			return true
		}
		n = f.node(n.kin.parent)
		if n.state == Orphaning {
			return true
		}
	}
}

// CountAlive returns the number of tokens that are alive at now. It takes time only for
// those that are dead and not reclaimed.
func (f *Forest) CountAlive(now token.Instant) uint64 {
	_, dead := f.deadAt(now)
	return uint64(f.Len() - dead)
}

// WalkAlive is Walk over the tokens that are alive at now. It looks at every token once,
// however deep the trees are.
func (f *Forest) WalkAlive(now token.Instant, yield func(Ref) bool) {
	dead, n := f.deadAt(now)
	f.Walk(func(r Ref) bool { return n > 0 && dead.has(r) || yield(r) })
}

// deadAt returns the set of the tokens that are dead at now, and its size.
func (f *Forest) deadAt(now token.Instant) (refSet, int) {
	if f.queue.first == 0 && !f.due.passed(now) {
		return nil, 0
	}
	set := make(refSet, f.nodes.size()/64)
	n := 0
	for l := f.queue.first; l != 0; l = f.endsOf(l).next {
		if !l.isPath() {
			n += f.spread(set, l.ref())
			continue
		}
		for r := f.paths.at(l.path()).first; r != 0; r = f.node(r).source.older {
			n += f.spread(set, r)
		}
	}
	f.due.due(now, func(r Ref) { n += f.spread(set, r) })
	return set, n
}

// spread adds the tree of root to set and returns how many were not in it. A tree whose
// root is in the set is in it as a whole, and is not entered again.
func (f *Forest) spread(set refSet, root Ref) int {
	added := 0
	for r := root; ; {
		if !set.has(r) {
			set.add(r)
			added++
			if n := f.node(r); n.kin.child != 0 && n.state != Orphaning {
				r = n.kin.child
				continue
			}
		}
		for r != root && f.node(r).kin.older == 0 {
			r = f.node(r).kin.parent
		}
		if r == root {
			return added
		}
		r = f.node(r).kin.older
	}
}

// refSet is a bitmap over the Refs of a forest.
type refSet []uint64

func (s refSet) has(r Ref) bool { return s[r/64]&(1<<(r%64)) != 0 }

func (s refSet) add(r Ref) { s[r/64] |= 1 << (r % 64) }
