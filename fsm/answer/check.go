package answer

import (
	"fmt"

	"github.com/tokengrove/grove/fsm/token"
)

// Restore takes the next record of a snapshot.
func (b *Book) Restore(r Record) error {
	if n := len(b.queue); n > 0 && b.queue[n-1].At > r.At {
		return fmt.Errorf("a remembered answer of %d after one of %d", r.At, b.queue[n-1].At)
	}
	if s := b.callers[r.Caller]; s != nil {
		if _, ok := s.places[r.Key]; ok {
			return fmt.Errorf("two remembered answers of caller %s under key %x", r.Caller, r.Key)
		}
	}
	b.Add(r)
	return nil
}

// Check verifies the invariants of the package at the machine's time.
func (b *Book) Check(at token.Instant) error {
	count, bytes, last := 0, 0, token.Instant(0)
	for i, r := range b.queue {
		if r == nil {
			continue
		}
		if r.At < last || r.At > at {
			return fmt.Errorf("an answer of %d stands after one of %d, the time is %d", r.At, last, at)
		}
		s := b.callers[r.Caller]
		if s == nil {
			return fmt.Errorf("answer of the unknown caller %s", r.Caller)
		}
		if place, ok := s.places[r.Key]; !ok || place != b.first+uint64(i) {
			return fmt.Errorf("answer %d of caller %s is not on its shelf", i, r.Caller)
		}
		count, bytes, last = count+1, bytes+r.size(), r.At
	}
	if len(b.queue) > 0 && b.queue[0] == nil {
		return fmt.Errorf("the queue of answers starts with nothing")
	}
	bytes += callerOverhead * len(b.callers)
	if count != b.count || bytes != b.bytes {
		return fmt.Errorf("%d answers of %d bytes, counted %d of %d", count, bytes, b.count, b.bytes)
	}
	return b.checkShelves()
}

func (b *Book) checkShelves() error {
	left, count := 0, 0
	for h, s := range b.callers { // order: any failure will do
		if len(s.places) == 0 || len(s.places) > MaxKeys {
			return fmt.Errorf("caller %s has %d answers, 1 to %d are allowed", h, len(s.places), MaxKeys)
		}
		if err := b.checkShelf(h, s); err != nil {
			return err
		}
		if b.any(s).Remains != nil {
			left++
		}
		count += len(s.places)
	}
	if left != len(b.remains) || count != b.count {
		return fmt.Errorf("%d answers and %d dead callers on the shelves, %d and %d are known", count, left, b.count, len(b.remains))
	}
	return nil
}

func (b *Book) checkShelf(h token.Hash, s *shelf) error {
	bytes, one := callerOverhead, b.any(s)
	for _, place := range s.places { // order: any failure will do
		r := *b.at(place)
		if r.Caller != h || r.Accessor != one.Accessor || (r.Remains == nil) != (one.Remains == nil) {
			return fmt.Errorf("caller %s has answers of different tokens", h)
		}
		bytes += r.size()
	}
	if bytes != s.bytes {
		return fmt.Errorf("answers of caller %s have %d bytes, counted %d", h, bytes, s.bytes)
	}
	if one.Remains != nil && b.remains[one.Accessor] != h {
		return fmt.Errorf("the dead caller %s is not found by its accessor", h)
	}
	return nil
}
