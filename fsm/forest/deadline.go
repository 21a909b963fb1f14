package forest

import (
	"bytes"
	"encoding/binary"

	"github.com/tokengrove/grove/fsm/token"
)

// deadlines is a 4-ary min-heap of the tokens that have a deadline, ordered by
// (deadline, hash). An entry is 16 bytes and repeats what the order needs, so that the
// four children of a place are one cache line and the nodes are left alone.
//
// places is where each Ref stands in the heap, counted from 1. It is kept here and not
// in the nodes, because moving entries about would otherwise write to a dozen nodes in
// a dozen pages, and each of these would be cloned after a freeze.
type deadlines struct {
	heap   []due
	places []uint32
	hashOf func(Ref) *token.Hash
}

type due struct {
	deadline token.Instant
	prefix   uint32 // of the hash, big endian
	ref      Ref
}

// next returns the earliest deadline, 0 if there is none.
func (d *deadlines) next() token.Instant {
	if len(d.heap) == 0 {
		return 0
	}
	return d.heap[0].deadline
}

// passed reports whether some deadline is not after now.
func (d *deadlines) passed(now token.Instant) bool {
	return len(d.heap) > 0 && d.heap[0].deadline <= now
}

func (d *deadlines) less(a, b *due) bool {
	switch {
	case a.deadline != b.deadline:
		return a.deadline < b.deadline
	case a.prefix != b.prefix:
		return a.prefix < b.prefix
	}
	return bytes.Compare(d.hashOf(a.ref)[:], d.hashOf(b.ref)[:]) < 0
}

// set gives r a deadline, 0 for none, whether it has one already or not.
func (d *deadlines) set(r Ref, deadline token.Instant) {
	if deadline == 0 {
		d.remove(r)
		return
	}
	for int(r) >= len(d.places) {
		d.places = append(d.places, 0)
	}
	if d.places[r] == 0 {
		d.heap = append(d.heap, due{})
		d.places[r] = uint32(len(d.heap))
	}
	d.settle(int(d.places[r])-1, due{deadline, binary.BigEndian.Uint32(d.hashOf(r)[:]), r})
}

// remove takes r out, if it is in.
func (d *deadlines) remove(r Ref) {
	if int(r) >= len(d.places) || d.places[r] == 0 {
		return
	}
	i := int(d.places[r]) - 1
	d.places[r] = 0
	last := len(d.heap) - 1
	e := d.heap[last]
	d.heap = d.heap[:last]
	if i < last {
		d.settle(i, e)
	}
}

// settle puts e where it belongs, given that place i is free.
func (d *deadlines) settle(i int, e due) {
	for i > 0 {
		up := (i - 1) / 4
		if !d.less(&e, &d.heap[up]) {
			break
		}
		d.put(i, d.heap[up])
		i = up
	}
	for {
		least := d.leastChild(i)
		if least == 0 || !d.less(&d.heap[least], &e) {
			break
		}
		d.put(i, d.heap[least])
		i = least
	}
	d.put(i, e)
}

// leastChild returns the place of the child of i that is due first, 0 if it has none.
// It must not look at a free place, and does not: in settle a free place never has
// itself as child, and entries above i have been moved already.
func (d *deadlines) leastChild(i int) int {
	first := 4*i + 1
	if first >= len(d.heap) {
		return 0
	}
	least := first
	for c := first + 1; c < min(first+4, len(d.heap)); c++ {
		if d.less(&d.heap[c], &d.heap[least]) {
			least = c
		}
	}
	return least
}

func (d *deadlines) put(i int, e due) {
	d.heap[i] = e
	d.places[e.ref] = uint32(i + 1)
}

// due calls visit for every token whose deadline is not after now, in no useful order.
// It looks at these, and at no more than four others for each.
func (d *deadlines) due(now token.Instant, visit func(Ref)) {
	if !d.passed(now) {
		return
	}
	for todo := []int{0}; len(todo) > 0; {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		visit(d.heap[i].ref)
		for c := 4*i + 1; c < min(4*i+5, len(d.heap)); c++ {
			if d.heap[c].deadline <= now {
				todo = append(todo, c)
			}
		}
	}
}
