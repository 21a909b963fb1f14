package lease

import (
	"encoding/binary"

	"github.com/tokengrove/grove/fsm/token"
)

// instantOf is the time in a key that moment made.
func instantOf(key string) token.Instant {
	return token.Instant(binary.BigEndian.Uint64([]byte(key[:8])))
}

// NextDeadline returns when the next lease or intent is over, 0 if there is none.
func (b *Book) NextDeadline() token.Instant {
	key, _, ok := b.due.first()
	if !ok {
		return 0
	}
	return instantOf(key)
}

// Pending reports whether rows of dead tokens or cuts wait to become revocations.
func (b *Book) Pending() bool { return b.dying.len() > 0 || len(b.cuts) > 0 }

// Reclaim looks at most at limit rows that are over at time at, and makes revocations of them: those of dead
// tokens first, in the order of their deaths, then cuts, then what has expired.
func (b *Book) Reclaim(at token.Instant, limit int) {
	for limit > 0 {
		place, n, ok := b.dying.first()
		if !ok {
			break
		}
		limit -= b.bury(n, at, limit)
		if b.counts[n] == 0 {
			b.dying.remove(place)
		}
	}
	for limit > 0 && len(b.cuts) > 0 {
		limit -= b.carve(at, limit)
	}
	for limit > 0 {
		key, id, ok := b.due.first()
		if !ok || instantOf(key) > at {
			return
		}
		l, _ := b.rows.get(id)
		b.Kill(l, at, false)
		limit--
	}
}

// bury makes revocations of what a dead token had, and dooms its intents. It returns how many rows it looked at.
func (b *Book) bury(n uint64, at token.Instant, limit int) (seen int) {
	b.owned.walk(number(n), "", func(_, id string) bool {
		l, _ := b.rows.get(id)
		b.end(l, at, false)
		seen++
		return seen < limit
	})
	return seen
}

// end kills a row, unless it is an intent: what that stands for may be being made now, so that it
// must not be taken back yet.
func (b *Book) end(l *Lease, at token.Instant, forced bool) {
	switch {
	case l.State == Intended && !l.Doomed:
		after := *l
		after.Doomed = true
		b.take(l)
		b.insert(&after)
	case l.State == Active:
		b.Kill(l, at, forced)
	case l.State == Revoking && forced:
		b.Hasten(l, at, true)
	}
}

// carve goes on with the oldest cut. It returns how many rows it looked at, and at least one.
func (b *Book) carve(at token.Instant, limit int) (seen int) {
	c := b.cuts[0]
	more := false
	b.rows.walk(c.Prefix, c.After, func(id string, l *Lease) bool {
		if seen == limit {
			more = true
			return false
		}
		if l.Seq <= c.Seq {
			b.end(l, at, c.Forced)
		}
		c.After = id
		seen++
		return true
	})
	rest := append([]Cut(nil), b.cuts[1:]...)
	if more {
		rest = append([]Cut{c}, rest...)
	}
	b.cuts = rest
	return max(seen, 1)
}
