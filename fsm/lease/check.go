package lease

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tokengrove/grove/fsm/token"
)

// Check verifies every invariant of the package comment and names the first that does not hold. at is the
// machine's time. It reads everything: O(rows).
func (b *Book) Check(at token.Instant) error {
	fresh := Book{image: image{dying: b.dying, cuts: b.cuts, next: b.next}}
	for l := range b.all {
		if err := b.checkRow(l, at); err != nil {
			return fmt.Errorf("lease %s: %w", l.ID, err)
		}
		fresh.insert(l)
	}
	if err := fresh.Settle(); err != nil {
		return err
	}
	switch {
	case !slices.Equal(b.keys(), fresh.keys()):
		return fmt.Errorf("the indexes of leases are not what the rows say")
	case b.tally != fresh.tally || b.bytes != fresh.bytes || b.intents != fresh.intents:
		return fmt.Errorf("%d bytes, %d intents, %+v, counted %d, %d and %+v", fresh.bytes, fresh.intents, fresh.tally, b.bytes, b.intents, b.tally)
	}
	if !maps.Equal(b.mounts, fresh.mounts) || !maps.Equal(b.counts, fresh.counts) {
		return fmt.Errorf("mounts have %v rows, owners %v, counted %v and %v", fresh.mounts, fresh.counts, b.mounts, b.counts)
	}
	return b.checkCuts()
}

// all yields every row.
func (b *Book) all(yield func(*Lease) bool) {
	b.rows.walk("", "", func(_ string, l *Lease) bool { return yield(l) })
}

// Owners yields the tokens that have rows and are not removed.
func (b *Book) Owners(yield func(token.Hash) bool) {
	b.owners.walk("", "", func(h string, _ uint64) bool { return yield(token.Hash([]byte(h))) })
}

func (b *Book) checkRow(l *Lease, at token.Instant) error {
	r := &l.Revocation
	switch {
	case l.Seq == 0 || l.Seq > b.next.Seq || l.Number > b.next.Number || l.Issued > at || l.TTL <= 0:
		return fmt.Errorf("sequence %d of %d, owner %d of %d, issued at %d, the time is %d, TTL %s", l.Seq, b.next.Seq, l.Number, b.next.Number, l.Issued, at, l.TTL)
	case (l.State == Intended) != (l.Until > 0) || (l.Doomed && l.State != Intended):
		return fmt.Errorf("state %d, until %d, doomed %v", l.State, l.Until, l.Doomed)
	case (l.State == Revoking) != (r.Turn > 0) || r.Turn > b.next.Turn || r.Since > at:
		return fmt.Errorf("state %d with turn %d of %d, since %d, the time is %d", l.State, r.Turn, b.next.Turn, r.Since, at)
	case r.Parked && (r.Attempts == 0 || r.Forced):
		return fmt.Errorf("parked after %d attempts, forced %v", r.Attempts, r.Forced)
	}
	return nil
}

func (b *Book) checkCuts() error {
	for _, c := range b.cuts {
		if c.Prefix == "" || c.Seq > b.next.Seq {
			return fmt.Errorf("a cut of %q up to %d, the last row is %d", c.Prefix, c.Seq, b.next.Seq)
		}
	}
	return nil
}

// keys lists what all indexes that follow from the rows hold.
func (b *Book) keys() []string {
	var all []string
	list := func(name string, t *tree[string]) {
		t.walk("", "", func(k, id string) bool {
			all = append(all, name+k+id)
			return true
		})
	}
	list("owned", &b.owned)
	list("due", &b.due)
	list("queue", &b.queue)
	list("lines", &b.lines)
	b.owners.walk("", "", func(h string, n uint64) bool {
		all = append(all, "owner"+h+number(n))
		return true
	})
	return all
}
