package forest

import (
	"bytes"

	"github.com/tokengrove/grove/fsm/token"
)

// deadlineHeap is a 4-ary min-heap of the tokens that have a deadline, ordered by (deadline,
// hash): a total order, so that which token expires next does not depend on the heap's
// history. Each node knows its position, so that a renewal moves it in O(log n).
type deadlineHeap []Ref

// NextDeadline returns the earliest deadline, 0 if no token has one.
func (f *Forest) NextDeadline() token.Instant {
	if len(f.deadlines) == 0 {
		return 0
	}
	return f.nodes.at(f.deadlines[0]).deadline
}

func (f *Forest) sooner(a, b Ref) bool {
	x, y := f.nodes.at(a), f.nodes.at(b)
	if x.deadline != y.deadline {
		return x.deadline < y.deadline
	}
	return bytes.Compare(x.hash[:], y.hash[:]) < 0
}

func (f *Forest) heapSet(i int, r Ref) {
	f.deadlines[i] = r
	f.nodes.edit(r).heap = uint32(i) + 1
}

func (f *Forest) heapPush(r Ref) {
	f.deadlines = append(f.deadlines, r)
	f.heapUp(len(f.deadlines)-1, r)
}

// heapDrop takes r out, if it is in.
func (f *Forest) heapDrop(r Ref) {
	n := f.nodes.edit(r)
	if n.heap == 0 {
		return
	}
	i := int(n.heap) - 1
	n.heap = 0
	last := len(f.deadlines) - 1
	moved := f.deadlines[last]
	f.deadlines = f.deadlines[:last]
	if i == last {
		return
	}
	f.heapSet(i, moved)
	f.heapFix(moved)
}

// heapFix restores the order after the deadline of r changed.
func (f *Forest) heapFix(r Ref) {
	pos := f.nodes.at(r).heap
	if pos == 0 {
		return
	}
	i := int(pos) - 1
	if i > 0 && f.sooner(r, f.deadlines[(i-1)/4]) {
		f.heapUp(i, r)
		return
	}
	f.heapDown(i, r)
}

func (f *Forest) heapUp(i int, r Ref) {
	for i > 0 {
		p := (i - 1) / 4
		if !f.sooner(r, f.deadlines[p]) {
			break
		}
		f.heapSet(i, f.deadlines[p])
		i = p
	}
	f.heapSet(i, r)
}

func (f *Forest) heapDown(i int, r Ref) {
	for {
		first := 4*i + 1
		if first >= len(f.deadlines) {
			break
		}
		best := first
		for c := first + 1; c < min(first+4, len(f.deadlines)); c++ {
			if f.sooner(f.deadlines[c], f.deadlines[best]) {
				best = c
			}
		}
		if !f.sooner(f.deadlines[best], r) {
			break
		}
		f.heapSet(i, f.deadlines[best])
		i = best
	}
	f.heapSet(i, r)
}

// Expire revokes the trees of at most limit tokens whose deadline is not after until, in
// (deadline, hash) order, and returns how many.
func (f *Forest) Expire(until token.Instant, limit int) int {
	done := 0
	for ; done < limit && len(f.deadlines) > 0; done++ {
		r := f.deadlines[0]
		if f.nodes.at(r).deadline > until {
			break
		}
		f.Revoke(r)
	}
	return done
}
