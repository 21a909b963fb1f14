package lease

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tokengrove/grove/fsm/token"
)

// Kill turns an intent or a lease into a revocation that is due at once. One that is a revocation already
// stays as it is.
func (b *Book) Kill(l *Lease, at token.Instant, forced bool) {
	if l.State == Revoking {
		return
	}
	after := *l
	b.next.Turn++
	after.State, after.Until, after.Doomed = Revoking, 0, false
	after.Revocation = Revocation{Turn: b.next.Turn, Since: at, Next: at, Forced: forced}
	b.requeue(l, &after)
}

// Finish ends a revocation: what it stood for is gone. A turn that is over is no error.
func (b *Book) Finish(id string, turn uint64) bool {
	l, ok := b.revocation(id, turn)
	if ok {
		b.requeue(l, nil)
	}
	return ok
}

// revocation finds a revocation by ID and turn.
func (b *Book) revocation(id string, turn uint64) (*Lease, bool) {
	l, ok := b.rows.get(id)
	return l, ok && l.State == Revoking && l.Revocation.Turn == turn
}

// Fail notes that an attempt has failed, and when the next is due. attempt is how many had failed before: a result that
// comes twice counts once. A forced revocation ends with it.
func (b *Book) Fail(id string, turn uint64, attempt uint32, why string, next token.Instant, park bool) bool {
	l, ok := b.revocation(id, turn)
	if !ok || l.Revocation.Attempts != attempt {
		return false
	}
	if l.Revocation.Forced {
		b.requeue(l, nil)
		return true
	}
	after := *l
	r := &after.Revocation
	r.Attempts, r.Error, r.Next, r.Parked = attempt+1, shortened(why), next, park
	b.requeue(l, &after)
	return true
}

// shortened cuts a text to MaxError bytes, and makes it valid UTF-8.
func shortened(s string) string {
	s = strings.ToValidUTF8(s, "?")
	for len(s) > MaxError {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	return s
}

// Hasten makes a revocation due at once, also one that is parked.
func (b *Book) Hasten(l *Lease, at token.Instant, forced bool) {
	after := *l
	r := &after.Revocation
	if r.Parked {
		r.Parked, r.Attempts = false, 0
	}
	r.Next, r.Forced = at, r.Forced || forced
	b.requeue(l, &after)
}

// requeue puts a revocation in the place of a row, nil for none, and settles who is due in its line.
func (b *Book) requeue(old, l *Lease) {
	line := old.line()
	before := b.head(line)
	if old.State == Revoking && (line == "" || before == old) {
		b.queue.remove(old.queueKey())
	}
	b.take(old)
	if l != nil {
		b.insert(l)
	}
	switch after := b.head(line); {
	case line == "":
		if l != nil && !l.Revocation.Parked {
			b.queue.put(l.queueKey(), l.ID)
		}
	case after != before:
		if before != nil && before != old {
			b.queue.remove(before.queueKey())
		}
		if after != nil {
			b.queue.put(after.queueKey(), after.ID)
		}
	}
}

// head returns the row of a line whose turn it is.
func (b *Book) head(line string) (head *Lease) {
	if line == "" {
		return nil
	}
	b.lines.walk(line, "", func(_, id string) bool {
		head, _ = b.rows.get(id)
		return false
	})
	return head
}

// Due yields the revocations that are due at now, in their order.
func (b *Book) Due(now token.Instant, yield func(*Lease) bool) {
	b.queue.walk("", "", func(key, id string) bool {
		l, _ := b.rows.get(id)
		return instantOf(key) <= now && yield(l)
	})
}

// Backoff is how long to wait after a number of failures: a second, doubled with each, at most most.
func Backoff(failures uint32, most time.Duration) time.Duration {
	return min(most, time.Second<<min(failures, 20))
}
