package forest

// link names what is in the reclaim queue: a token, or a source path if the highest bit
// is set; 0 is none.
type link uint32

const pathBit = 1 << 31

func linkTo(r Ref) link           { return link(r) }
func linkToPath(path uint32) link { return link(path | pathBit) }

func (l link) isPath() bool { return l&pathBit != 0 }
func (l link) ref() Ref     { return Ref(l) }
func (l link) path() uint32 { return uint32(l &^ pathBit) }

// queue is what waits to be reclaimed, linked through the tokens and paths themselves,
// so that anything can leave from the middle and a freeze costs nothing.
type queue struct{ first, last link }

// ends are an element's neighbours in the queue.
type ends struct{ prev, next link }

func (f *Forest) endsOf(l link) ends {
	if l.isPath() {
		return f.paths.at(l.path()).queue
	}
	return f.node(l.ref()).queue
}

func (f *Forest) editEnds(l link) *ends {
	if l.isPath() {
		return &f.paths.edit(l.path()).queue
	}
	return &f.edit(l.ref()).queue
}

// enqueue puts l at the end of the queue.
func (f *Forest) enqueue(l link) {
	*f.editEnds(l) = ends{prev: f.queue.last}
	if f.queue.last != 0 {
		f.editEnds(f.queue.last).next = l
	} else {
		f.queue.first = l
	}
	f.queue.last = l
}

// enqueueFirst puts l at the front of the queue.
func (f *Forest) enqueueFirst(l link) {
	*f.editEnds(l) = ends{next: f.queue.first}
	if f.queue.first != 0 {
		f.editEnds(f.queue.first).prev = l
	} else {
		f.queue.last = l
	}
	f.queue.first = l
}

// dequeue takes l out, wherever it is.
func (f *Forest) dequeue(l link) {
	e := f.endsOf(l)
	if e.prev != 0 {
		f.editEnds(e.prev).next = e.next
	} else {
		f.queue.first = e.next
	}
	if e.next != 0 {
		f.editEnds(e.next).prev = e.prev
	} else {
		f.queue.last = e.prev
	}
	*f.editEnds(l) = ends{}
}

// Pending reports whether dead tokens wait to be reclaimed.
func (f *Forest) Pending() bool { return f.queue.first != 0 }

// Reclaim takes at most limit steps towards removing the dead tokens and returns how
// many tokens it removed. Every step is O(1), so that no tree, wide or deep, makes one
// call longer than another; n tokens never need more than n steps, so that
// Reclaim(Len()) removes everything that was revoked or expired.
func (f *Forest) Reclaim(limit int) (done int) {
	for ; limit > 0 && f.queue.first != 0; limit-- {
		done += f.step()
	}
	return done
}

// step works on the first token of the queue (for a path: on its newest token). It cuts
// off the newest child, which is removed at once if it has no children and is otherwise
// next in the queue. A token whose last child is gone is removed.
//
// That this takes at most one step a token: every step either cuts the edge above one
// token, which from then on costs nothing itself, because it is removed at once or in a
// step that cuts the edge of its last child; or it removes a token that has no edge.
func (f *Forest) step() (removed int) {
	l := f.queue.first
	r := l.ref()
	if l.isPath() {
		r = f.paths.at(l.path()).first
	}
	if child := f.node(r).kin.child; child != 0 {
		f.detach(child)
		if f.node(r).state != Orphaning {
			removed += f.removeOrHasten(child)
		}
		if f.node(r).kin.child != 0 {
			return removed
		}
	}
	f.remove(r)
	return removed + 1
}

// removeOrHasten removes a dead token without children, or puts it first in the queue.
func (f *Forest) removeOrHasten(r Ref) int {
	if f.node(r).kin.child == 0 {
		f.remove(r)
		return 1
	}
	if f.node(r).state == Active {
		f.mark(r, Revoking)
	} else {
		f.dequeue(linkTo(r))
	}
	f.enqueueFirst(linkTo(r))
	return 0
}
