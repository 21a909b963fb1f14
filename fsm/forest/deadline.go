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
	heap   chunked[due]
	places chunked[uint32]
	hashOf func(Ref) *token.Hash
}

type due struct {
	deadline token.Instant
	prefix   uint32 // of the hash, big endian
	ref      Ref
}

// next returns the earliest deadline, 0 if there is none.
func (d *deadlines) next() token.Instant {
	if d.heap.len == 0 {
		return 0
	}
	return d.heap.at(0).deadline
}

// passed reports whether some deadline is not after now.
func (d *deadlines) passed(now token.Instant) bool {
	return d.heap.len > 0 && d.heap.at(0).deadline <= now
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
	d.places.grow(int(r) + 1)
	place := d.places.at(int(r))
	if *place == 0 {
		d.heap.grow(d.heap.len + 1)
		*place = uint32(d.heap.len)
	}
	d.settle(int(*place)-1, due{deadline, binary.BigEndian.Uint32(d.hashOf(r)[:]), r})
}

// remove takes r out, if it is in.
func (d *deadlines) remove(r Ref) {
	if int(r) >= d.places.len || *d.places.at(int(r)) == 0 {
		return
	}
	place := d.places.at(int(r))
	i := int(*place) - 1
	*place = 0
	last := d.heap.len - 1
	e := *d.heap.at(last)
	d.heap.cut(last)
	if i < last {
		d.settle(i, e)
	}
}

// settle puts e where it belongs, given that place i is free.
func (d *deadlines) settle(i int, e due) {
	for i > 0 {
		up := (i - 1) / 4
		if !d.less(&e, d.heap.at(up)) {
			break
		}
		d.put(i, *d.heap.at(up))
		i = up
	}
	for {
		least := d.leastChild(i)
		if least == 0 || !d.less(d.heap.at(least), &e) {
			break
		}
		d.put(i, *d.heap.at(least))
		i = least
	}
	d.put(i, e)
}

// leastChild returns the place of the child of i that is due first, 0 if it has none.
// It must not look at a free place, and does not: in settle a free place never has
// itself as child, and entries above i have been moved already.
func (d *deadlines) leastChild(i int) int {
	first := 4*i + 1
	if first >= d.heap.len {
		return 0
	}
	least := first
	for c := first + 1; c < min(first+4, d.heap.len); c++ {
		if d.less(d.heap.at(c), d.heap.at(least)) {
			least = c
		}
	}
	return least
}

func (d *deadlines) put(i int, e due) {
	*d.heap.at(i) = e
	*d.places.at(int(e.ref)) = uint32(i + 1)
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
		visit(d.heap.at(i).ref)
		for c := 4*i + 1; c < min(4*i+5, d.heap.len); c++ {
			if d.heap.at(c).deadline <= now {
				todo = append(todo, c)
			}
		}
	}
}
