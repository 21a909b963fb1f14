package forest

import "fmt"

// Check verifies every invariant of the package comment and names the first that does not
// hold. O(tokens).
func (f *Forest) Check() error {
	used, inHeap, refs := 0, 0, map[uint32]uint32{}
	for i := uint32(1); i < f.nodes.len; i++ {
		r := Ref(i)
		n := f.nodes.at(r)
		if n.state == free {
			continue
		}
		used++
		refs[n.props]++
		if n.heap != 0 {
			inHeap++
		}
		if err := f.checkNode(r); err != nil {
			return fmt.Errorf("token %s: %w", n.hash, err)
		}
	}
	if used != f.count || used+len(f.free)+1 != int(f.nodes.len) {
		return fmt.Errorf("%d tokens and %d free slots of %d, counted %d", used, len(f.free), f.nodes.len, f.count)
	}
	if inHeap != len(f.deadlines) {
		return fmt.Errorf("%d tokens say that they are in the deadline heap of %d", inHeap, len(f.deadlines))
	}
	for i, n := range refs { // order: any failure will do
		if got := f.props.at(i).refs; got != n {
			return fmt.Errorf("property %d has %d references, counted %d", i, n, got)
		}
	}
	if len(refs) != len(f.props.byKey) {
		return fmt.Errorf("%d properties in use, %d interned", len(refs), len(f.props.byKey))
	}
	if err := f.checkIndexes(); err != nil {
		return err
	}
	return f.checkPaths()
}

func (f *Forest) checkNode(r Ref) error {
	n := f.nodes.at(r)
	switch {
	case f.Find(n.hash) != r:
		return fmt.Errorf("not found by its hash")
	case f.FindAccessor(f.Accessor(r)) != r:
		return fmt.Errorf("not found by its accessor")
	case n.seq == 0 || n.seq >= f.nextSeq:
		return fmt.Errorf("sequence number %d, the next is %d", n.seq, f.nextSeq)
	case (n.heap != 0) != (n.deadline != 0 && n.state == active):
		return fmt.Errorf("deadline %d, state %d, heap position %d", n.deadline, n.state, n.heap)
	case n.heap != 0 && f.deadlines[n.heap-1] != r:
		return fmt.Errorf("heap position %d holds another", n.heap)
	case n.heap > 1 && f.sooner(r, f.deadlines[(n.heap-2)/4]):
		return fmt.Errorf("expires before its heap parent")
	}
	if n.parent != 0 {
		p := f.nodes.at(n.parent)
		if p.state == free || p.seq >= n.seq {
			return fmt.Errorf("parent in state %d with sequence number %d, own %d", p.state, p.seq, n.seq)
		}
		if n.prev == 0 && p.child != r {
			return fmt.Errorf("first sibling is not its parent's first child")
		}
	}
	if n.next != 0 {
		s := f.nodes.at(n.next)
		if s.prev != r || s.parent != n.parent || s.seq >= n.seq {
			return fmt.Errorf("next sibling is not linked back, has another parent, or is newer")
		}
	}
	if n.child != 0 && f.nodes.at(n.child).parent != r {
		return fmt.Errorf("first child has another parent")
	}
	return nil
}

func (f *Forest) checkIndexes() error {
	for name, x := range map[string]*index{"hash": &f.hashes, "accessor": &f.accessors} { // order: any failure will do
		n := 0
		for i := range x.shards {
			n += x.shards[i].count
		}
		if n != f.count {
			return fmt.Errorf("%s index has %d entries for %d tokens", name, n, f.count)
		}
	}
	return nil
}

func (f *Forest) checkPaths() error {
	total, entries, dead := 0, 0, 0
	for i := uint32(1); i < f.paths.table.len; i++ {
		e := f.paths.at(i)
		if e.path == "" && e.first == 0 {
			continue
		}
		entries++
		if e.ticket != 0 {
			dead++
		} else if f.paths.byPath[e.path] != i {
			return fmt.Errorf("path %q is not found by its name", e.path)
		}
		n, prev := 0, Ref(0)
		for r := e.first; r != 0; r = f.nodes.at(r).pathNext {
			if nd := f.nodes.at(r); nd.path != i || nd.pathPrev != prev || nd.state == free {
				return fmt.Errorf("path %q: broken list", e.path)
			}
			n, prev = n+1, r
		}
		if n != int(e.count) || n == 0 {
			return fmt.Errorf("path %q: %d tokens, counted %d", e.path, e.count, n)
		}
		total += n
	}
	ordered := 0
	f.paths.order.from("", func(string) bool { ordered++; return true })
	if total != f.count || dead != f.paths.revoked || ordered != entries-dead || ordered != len(f.paths.byPath) {
		return fmt.Errorf("%d tokens on %d paths, %d dead (%d noted), %d in order (%d by name)", total, entries, dead, f.paths.revoked, ordered, len(f.paths.byPath))
	}
	return nil
}
