package forest

// queue holds what died and waits to be unlinked: trees by their root, and path entries.
// Tickets are numbers that are never reused; they give the order, and survive snapshots.
type queue struct {
	items  []deadItem
	next   uint64 // the last ticket that was given
	cursor Ref    // where the depth-first walk of the first item stands; derived
}

// deadItem is a tree (ref, as long as the slot still has seq) or a path entry.
type deadItem struct {
	ticket uint64
	ref    Ref
	seq    uint64
	path   uint32
}

// Pending reports whether dead tokens wait to be unlinked.
func (f *Forest) Pending() bool { return len(f.dead.items) > 0 }

// Revoke kills r and everything below it, at once and in O(1). Revoking twice is harmless.
func (f *Forest) Revoke(r Ref) {
	n := f.nodes.edit(r)
	if n.state != active {
		return
	}
	n.state = revoking
	f.heapDrop(r)
	f.dead.next++
	f.dead.items = append(f.dead.items, deadItem{ticket: f.dead.next, ref: r, seq: n.seq})
}

// RevokeOrphan kills r alone: its children become orphans. O(children).
func (f *Forest) RevokeOrphan(r Ref) {
	for c := f.nodes.at(r).child; c != 0; c = f.nodes.at(r).child {
		f.disown(c)
	}
	f.Revoke(r)
}

// RevokePrefix kills every token whose source path starts with prefix, with all below
// them, in O(matching paths). It returns the number of tokens on these paths.
func (f *Forest) RevokePrefix(prefix string) uint64 {
	var named uint64
	var paths []string
	f.paths.order.from(prefix, func(p string) bool {
		paths = append(paths, p)
		return true
	})
	for _, p := range paths {
		i := f.paths.byPath[p]
		f.paths.detach(p)
		f.dead.next++
		e := f.paths.table.edit(Ref(i))
		e.ticket = f.dead.next
		f.paths.revoked++
		named += uint64(e.count)
		f.dead.items = append(f.dead.items, deadItem{ticket: e.ticket, path: i})
	}
	return named
}

// Reclaim unlinks at most limit dead tokens, oldest death first, leaves before their
// parents, and returns how many. What it unlinks next depends on the logical state only.
func (f *Forest) Reclaim(limit int) int {
	done := 0
	for len(f.dead.items) > 0 {
		root := f.deadRoot(f.dead.items[0])
		if root == 0 {
			f.dead.items = f.dead.items[1:]
			f.dead.cursor = 0
			continue
		}
		if done >= limit {
			return done
		}
		f.reclaimLeaf(root)
		done++
	}
	f.dead.items = nil
	return done
}

// deadRoot returns the next tree of a queue item, 0 when the item is finished.
func (f *Forest) deadRoot(it deadItem) Ref {
	if it.path != 0 {
		if e := f.paths.at(it.path); e.ticket == it.ticket {
			return e.first
		}
		return 0
	}
	if n := f.nodes.at(it.ref); n.state == revoking && n.seq == it.seq {
		return it.ref
	}
	return 0
}

// reclaimLeaf unlinks the leaf that is reached from root by first children. The cursor
// remembers the way, so that a chain of a million is not walked a million times.
func (f *Forest) reclaimLeaf(root Ref) {
	r := f.dead.cursor
	if r == 0 {
		r = root
	}
	for c := f.nodes.at(r).child; c != 0; c = f.nodes.at(r).child {
		r = c
	}
	f.dead.cursor = f.nodes.at(r).parent
	if r == root {
		f.dead.cursor = 0
	}
	f.unlink(r)
}

// unlink frees a node without children.
func (f *Forest) unlink(r Ref) {
	f.disown(r)
	f.heapDrop(r)
	f.pathDrop(r)
	n := f.nodes.edit(r)
	f.hashes.remove(hashKey(n.hash), r)
	f.accessors.remove(accessorKey(f.Accessor(r)), r)
	f.props.release(n.props)
	*n = node{}
	f.free = append(f.free, r)
	f.count--
}
