package forest

import (
	"fmt"
	"slices"
)

// Check verifies every invariant of the package comment and names the first that does
// not hold. It reads everything: O(tokens), some seconds for five million.
func (f *Forest) Check() error {
	for _, check := range f.Checks() {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// Checks are the parts of Check, the longest first. They only read, and may run side by side.
func (f *Forest) Checks() []func() error {
	var checks []func() error
	for _, c := range []struct {
		what string
		run  func() error
	}{
		{"hashes", f.checkHashes},
		{"accessors", f.checkAccessors},
		{"trees", f.checkTrees},
		{"paths", f.checkPaths},
		{"deadlines", f.checkDeadlines},
		{"creation numbers", f.checkNumbers},
		{"properties", f.checkProperties},
		{"order of paths", f.checkOrder},
		{"reclaim queue", f.checkQueue},
		{"memory", f.checkMemory},
	} {
		checks = append(checks, func() error {
			if err := c.run(); err != nil {
				return fmt.Errorf("%s: %w", c.what, err)
			}
			return nil
		})
	}
	return checks
}

// checkHashes: each hash leads to its token and to no other.
func (f *Forest) checkHashes() error {
	for r := range f.Walk {
		if n := f.node(r); f.Find(n.hash) != r {
			return fmt.Errorf("token %s is not found by its hash", n.hash)
		}
	}
	if f.byHash.count != f.Len() {
		return fmt.Errorf("%d tokens, %d hashes", f.Len(), f.byHash.count)
	}
	return f.byHash.check()
}

// checkAccessors: each accessor leads to its token and to no other.
func (f *Forest) checkAccessors() error {
	for r := range f.Walk {
		if f.byAccessor.find(f.accessorHash(r), func(i uint32) bool { return f.sameAccessor(Ref(i), r) }) != uint32(r) {
			return fmt.Errorf("token %s is not found by its accessor", f.node(r).hash)
		}
	}
	if f.byAccessor.count != f.Len() {
		return fmt.Errorf("%d tokens, %d accessors", f.Len(), f.byAccessor.count)
	}
	return f.byAccessor.check()
}

// checkNumbers: creation numbers are unique, and below that of the next token.
func (f *Forest) checkNumbers() error {
	seqs := make([]uint64, 0, f.Len())
	for r := range f.Walk {
		n := f.node(r)
		if n.seq == 0 || n.seq >= f.nextSeq {
			return fmt.Errorf("token %s has number %d, the next is %d", n.hash, n.seq, f.nextSeq)
		}
		seqs = append(seqs, n.seq)
	}
	if len(seqs) != f.Len() {
		return fmt.Errorf("%d tokens, %d in memory", f.Len(), len(seqs))
	}
	slices.Sort(seqs)
	for i := 1; i < len(seqs); i++ {
		if seqs[i] == seqs[i-1] {
			return fmt.Errorf("two tokens have number %d", seqs[i])
		}
	}
	return nil
}

// sameAccessor reports whether two tokens have the same accessor.
func (f *Forest) sameAccessor(a, b Ref) bool {
	m, n := f.node(a), f.node(b)
	if m.accessLen == longAccessor && n.accessLen == longAccessor {
		return f.properties.at(m.properties).longAccessor() == f.properties.at(n.properties).longAccessor()
	}
	return m.accessLen == n.accessLen && m.accessor == n.accessor
}

// checkTrees: every child is in the list of its parent, newest first, and is younger.
func (f *Forest) checkTrees() error {
	children, listed := 0, 0
	for r := range f.Walk {
		n := f.node(r)
		if n.kin.parent != 0 {
			children++
		} else if n.kin.newer != 0 || n.kin.older != 0 {
			return fmt.Errorf("token %s has siblings and no parent", n.hash)
		}
		newer, bound := Ref(0), f.nextSeq
		for c := n.kin.child; c != 0; newer, c = c, f.node(c).kin.older {
			if !f.nodes.has(uint32(c)) {
				return fmt.Errorf("token %s has a child that is not there", n.hash)
			}
			k := f.node(c)
			if k.kin.parent != r || k.kin.newer != newer || k.seq >= bound || k.seq <= n.seq {
				return fmt.Errorf("token %s: child %s is out of place", n.hash, k.hash)
			}
			bound = k.seq
			listed++
		}
	}
	if children != listed {
		return fmt.Errorf("%d tokens have a parent, parents have %d", children, listed)
	}
	return nil
}

// checkPaths: every token is in the list of its path, newest first.
func (f *Forest) checkPaths() error {
	tokens := 0
	for i := range f.paths.all {
		p := f.paths.at(i)
		listed, active := 0, 0
		newer, bound := Ref(0), f.nextSeq
		for r := p.first; r != 0; newer, r = r, f.node(r).source.older {
			n := f.node(r)
			if !f.nodes.has(uint32(r)) || n.source.path != i || n.source.newer != newer || n.seq >= bound {
				return fmt.Errorf("path %q: token %s is out of place", p.name, n.hash)
			}
			bound = n.seq
			listed++
			if n.state == Active {
				active++
			}
		}
		if listed == 0 || listed != int(p.tokens) || active != int(p.active) {
			return fmt.Errorf("path %q has %d tokens, %d active, and counts %d and %d", p.name, listed, active, p.tokens, p.active)
		}
		tokens += listed
	}
	if tokens != f.Len() {
		return fmt.Errorf("%d tokens on paths, %d in all", tokens, f.Len())
	}
	return nil
}

// checkOrder: the live paths are in the order, each once, and are found by name.
func (f *Forest) checkOrder() error {
	live := 0
	for i := range f.paths.all {
		if f.paths.at(i).dead {
			continue
		}
		live++
		if f.paths.find(f.paths.at(i).name) != i {
			return fmt.Errorf("path %q is not found by its name", f.paths.at(i).name)
		}
	}
	ordered, last := 0, uint32(0)
	for _, chunk := range f.paths.order.chunks {
		if len(chunk) == 0 || len(chunk) > chunkSize {
			return fmt.Errorf("a chunk of %d paths", len(chunk))
		}
		for _, i := range chunk {
			if !f.paths.has(i) || f.paths.at(i).dead || (last != 0 && f.paths.at(last).name >= f.paths.at(i).name) {
				return fmt.Errorf("path %q is out of place", f.paths.at(i).name)
			}
			last = i
			ordered++
		}
	}
	if ordered != live || f.paths.byName.count != live {
		return fmt.Errorf("%d live paths, %d in order, %d by name", live, ordered, f.paths.byName.count)
	}
	return f.paths.byName.check()
}

// checkProperties: each is stored once and counts its tokens.
func (f *Forest) checkProperties() error {
	refs := make([]uint32, f.properties.size())
	for r := range f.Walk {
		if p := f.node(r).properties; !f.properties.has(p) {
			return fmt.Errorf("token %s has none", f.node(r).hash)
		}
		refs[f.node(r).properties]++
	}
	texts := make(map[string]bool, f.properties.count)
	for i := range f.properties.all {
		p := f.properties.at(i)
		if refs[i] == 0 || refs[i] != p.tokens || texts[p.text] {
			return fmt.Errorf("%q has %d tokens and counts %d, or is there twice", p.text, refs[i], p.tokens)
		}
		texts[p.text] = true
	}
	if f.properties.byText.count != len(texts) {
		return fmt.Errorf("%d, and %d by text", len(texts), f.properties.byText.count)
	}
	return f.properties.byText.check()
}

// checkDeadlines: what is active and has a deadline is in the heap, and in heap order.
func (f *Forest) checkDeadlines() error {
	d := &f.due
	for i := range d.heap.len {
		e := d.heap.at(i)
		n := f.node(e.ref)
		switch {
		case !f.nodes.has(uint32(e.ref)) || *d.places.at(int(e.ref)) != uint32(i+1):
			return fmt.Errorf("place %d holds a token that is elsewhere", i)
		case n.state != Active || n.terms.deadline != e.deadline || e.deadline == 0:
			return fmt.Errorf("token %s has state %d and deadline %d, its entry %d", n.hash, n.state, n.terms.deadline, e.deadline)
		case i > 0 && !d.less(d.heap.at((i-1)/4), e):
			return fmt.Errorf("token %s is due before the one above it", n.hash)
		}
	}
	due := 0
	for r := range f.Walk {
		if n := f.node(r); n.state == Active && n.terms.deadline != 0 {
			due++
		}
	}
	if due != d.heap.len {
		return fmt.Errorf("%d tokens are due some day, %d in the heap", due, d.heap.len)
	}
	return nil
}

// checkQueue: it holds the tokens and paths that were revoked themselves, each once.
func (f *Forest) checkQueue() error {
	want := 0
	for r := range f.Walk {
		if f.node(r).state != Active {
			want++
		} else if f.node(r).queue != (ends{}) {
			return fmt.Errorf("token %s is active and in the queue", f.node(r).hash)
		}
	}
	for i := range f.paths.all {
		if f.paths.at(i).dead {
			want++
		}
	}
	got, prev := 0, link(0)
	for l := f.queue.first; l != 0; prev, l = l, f.endsOf(l).next {
		if f.endsOf(l).prev != prev || got > want {
			return fmt.Errorf("element %d is out of place", got)
		}
		if l.isPath() && !f.paths.at(l.path()).dead || !l.isPath() && f.node(l.ref()).state == Active {
			return fmt.Errorf("element %d was not revoked", got)
		}
		got++
	}
	if got != want || f.queue.last != prev {
		return fmt.Errorf("%d elements, of %d that were revoked", got, want)
	}
	return nil
}

// checkMemory: the arenas agree with themselves.
func (f *Forest) checkMemory() error {
	if err := f.nodes.check(); err != nil {
		return fmt.Errorf("tokens: %w", err)
	}
	if err := f.paths.arena.check(); err != nil {
		return fmt.Errorf("paths: %w", err)
	}
	return f.properties.arena.check()
}

func (a *arena[T]) check() error {
	spare := make(map[uint32]bool, len(a.spare))
	for _, p := range a.spare {
		if spare[p] || a.meta[p].count == pageSize {
			return fmt.Errorf("page %d has no room, or is listed twice", p)
		}
		spare[p] = true
	}
	items := 0
	for range a.all {
		items++
	}
	counted := -1 // slot 0
	for p := range a.meta {
		m := &a.meta[p]
		counted += int(m.count)
		if m.count < pageSize && !spare[uint32(p)] || m.count > 0 && a.pages[p] == nil {
			return fmt.Errorf("page %d has %d items and is not as it should be", p, m.count)
		}
	}
	if items != a.count || counted != a.count {
		return fmt.Errorf("%d items, counted %d and %d", items, counted, a.count)
	}
	return nil
}
