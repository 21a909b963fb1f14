package answer

import (
	"slices"
	"strings"

	"github.com/tokengrove/grove/fsm/token"
)

// Book holds the records of all callers. New makes an empty one. It is not safe for concurrent use.
type Book struct {
	callers map[token.Hash]*shelf
	// remains are the dead callers whose records are still found, by accessor.
	remains map[token.Accessor]token.Hash
	// queue has the records in the order of their times; nil where one was dropped.
	queue []*Record
	first uint64 // number of queue[0], counted from the first record ever
	count int
	bytes int
}

// shelf is what one caller has.
type shelf struct {
	places map[Key]uint64 // number in the queue
	bytes  int
}

// New returns an empty book.
func New() *Book {
	return &Book{callers: map[token.Hash]*shelf{}, remains: map[token.Accessor]token.Hash{}}
}

// Len returns the number of records.
func (b *Book) Len() int { return b.count }

// Bytes returns about how much memory the records occupy.
func (b *Book) Bytes() int { return b.bytes }

func (b *Book) at(place uint64) **Record { return &b.queue[place-b.first] }

// Find returns the record of a caller's key, nil if there is none at now.
func (b *Book) Find(caller token.Hash, k Key, now token.Instant) *Record {
	s := b.callers[caller]
	if s == nil {
		return nil
	}
	place, ok := s.places[k]
	if !ok {
		return nil
	}
	if r := *b.at(place); !r.Expired(now) {
		return r
	}
	return nil
}

// CallerFull reports whether a caller may have no further record.
func (b *Book) CallerFull(caller token.Hash) bool {
	s := b.callers[caller]
	return s != nil && (len(s.places) >= MaxKeys || s.bytes >= CallerBytes)
}

// Full reports whether nobody may have a further record.
func (b *Book) Full() bool { return b.bytes >= TotalBytes }

// Add takes a record, which must not be older than the last, and which nobody changes from now on. One
// of the same caller and key is replaced.
func (b *Book) Add(r Record) {
	s := b.callers[r.Caller]
	if s == nil {
		s = &shelf{places: map[Key]uint64{}}
		b.callers[r.Caller] = s
		b.grow(s, 0, callerOverhead)
	} else if place, ok := s.places[r.Key]; ok {
		b.take(s, place)
	}
	s.places[r.Key] = b.first + uint64(len(b.queue))
	b.queue = append(b.queue, &r)
	b.grow(s, 1, r.size())
	if r.Remains != nil {
		b.remains[r.Accessor] = r.Caller
	}
}

func (b *Book) grow(s *shelf, count, bytes int) {
	b.count += count
	b.bytes += bytes
	s.bytes += bytes
}

// take takes one record out of the queue and off its shelf.
func (b *Book) take(s *shelf, place uint64) {
	r := *b.at(place)
	*b.at(place) = nil
	delete(s.places, r.Key)
	b.grow(s, -1, -r.size())
	b.trim()
}

// trim lets go of the front of the queue as far as there is nothing, and of all gaps when these are
// the larger part: callers that come and go would otherwise leave a day of them.
func (b *Book) trim() {
	n := 0
	for n < len(b.queue) && b.queue[n] == nil {
		n++
	}
	b.queue, b.first = b.queue[n:], b.first+uint64(n)
	if len(b.queue) <= 2*b.count+minGaps {
		return
	}
	old := b.queue
	b.queue = make([]*Record, 0, b.count+minGaps)
	for _, r := range old {
		if r != nil {
			b.callers[r.Caller].places[r.Key] = b.first + uint64(len(b.queue))
			b.queue = append(b.queue, r)
		}
	}
}

// minGaps is how many gaps are not worth the work.
const minGaps = 1024

// any returns one record of a shelf.
func (b *Book) any(s *shelf) *Record {
	for _, place := range s.places { // order: what is asked of it is the same for all
		return *b.at(place)
	}
	return nil
}

// Drop forgets all records of a caller.
func (b *Book) Drop(caller token.Hash) {
	s := b.callers[caller]
	if s == nil {
		return
	}
	delete(b.callers, caller)
	delete(b.remains, b.any(s).Accessor)
	for _, place := range s.places { // order: deletes only
		*b.at(place) = nil
	}
	b.grow(s, -len(s.places), -s.bytes)
	b.trim()
}

// Died tells the book that a token is gone: what it remembered goes with it, unless it left that.
func (b *Book) Died(caller token.Hash) {
	if s := b.callers[caller]; s != nil && b.any(s).Remains == nil {
		b.Drop(caller)
	}
}

// Outlive keeps the records of a caller that has used itself up.
func (b *Book) Outlive(caller token.Hash, m Remains) {
	s := b.callers[caller]
	if s == nil {
		return
	}
	for _, place := range s.places { // order: each is replaced in its place
		r := **b.at(place)
		old := r.size()
		r.Remains = &m
		*b.at(place) = &r
		b.grow(s, 0, r.size()-old)
		b.remains[r.Accessor] = caller
	}
}

// Forget drops what a dead caller left, named by hash or by accessor: it was revoked after all.
func (b *Book) Forget(caller token.Hash, a token.Accessor) {
	if len(b.remains) == 0 {
		return
	}
	if caller.IsZero() {
		caller = b.remains[a]
	}
	if s := b.callers[caller]; s != nil && b.any(s).mayBeRevoked() {
		b.Drop(caller)
	}
}

// ForgetBelow drops what dead callers left that were issued at path or below it.
func (b *Book) ForgetBelow(path string) {
	for _, caller := range b.remains { // order: each is judged by itself
		r := b.any(b.callers[caller])
		if r.mayBeRevoked() && strings.HasPrefix(r.Remains.Path+"/", path+"/") {
			b.Drop(caller)
		}
	}
}

func (r *Record) mayBeRevoked() bool { return r.Remains != nil && !r.Remains.Final }

// Sweep drops at most limit records that are over at now.
func (b *Book) Sweep(now token.Instant, limit int) {
	for ; limit > 0 && len(b.queue) > 0 && b.queue[0].Expired(now); limit-- {
		r := b.queue[0]
		s := b.callers[r.Caller]
		if len(s.places) == 1 {
			b.Drop(r.Caller)
		} else {
			b.take(s, b.first)
		}
	}
	if len(b.queue) == 0 {
		b.queue = nil
	}
}

// Freeze returns the records in the order of their times. They may be read while the book goes on.
func (b *Book) Freeze() []*Record {
	return slices.Clone(b.queue)
}
