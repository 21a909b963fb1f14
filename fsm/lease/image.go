package lease

import (
	"fmt"

	"github.com/tokengrove/grove/fsm/token"
)

// DyingRow is a token that is removed and has rows left.
type DyingRow struct {
	Place  uint64 `cbor:"1,keyasint"`
	Number uint64 `cbor:"2,keyasint"`
}

// Image is a book at one moment. It may be read on any goroutine while the book goes on.
type Image struct{ image }

// Freeze takes an image in O(1).
func (b *Book) Freeze() *Image { return &Image{b.image} }

// Header returns what there is once; zero in a book that never had a row.
func (z *Image) Header() Header { return z.next }

// Leases yields all rows in the order of their IDs.
func (z *Image) Leases(yield func(*Lease) error) (err error) {
	z.rows.walk("", "", func(_ string, l *Lease) bool {
		err = yield(l)
		return err == nil
	})
	return err
}

// Dying returns who is dying, in the order of their deaths.
func (z *Image) Dying() (rows []DyingRow) {
	z.dying.walk("", "", func(place string, n uint64) bool {
		rows = append(rows, DyingRow{Place: uint64(instantOf(place)), Number: n})
		return true
	})
	return rows
}

// Cuts returns the cuts, oldest first.
func (z *Image) Cuts() []Cut { return z.cuts }

// Restore takes the rows of an image in the order header, leases, dying, cuts; Settle ends it.
func (b *Book) Restore(row any) error {
	switch row := row.(type) {
	case Header:
		if b.next != (Header{}) {
			return fmt.Errorf("a second header of leases")
		}
		b.next = row
	case Lease:
		if b.has(row.ID) || row.State < Intended || row.State > Revoking {
			return fmt.Errorf("lease %s twice, or in state %d", row.ID, row.State)
		}
		b.insert(&row)
	case DyingRow:
		if key := number(row.Place); row.Place == 0 || b.isDying(row.Place) {
			return fmt.Errorf("a second owner died as number %d", row.Place)
		} else {
			b.dying.put(key, row.Number)
		}
	case Cut:
		b.cuts = append(b.cuts, row)
	default:
		return fmt.Errorf("a row of leases of type %T", row)
	}
	return nil
}

func (b *Book) isDying(place uint64) bool {
	_, ok := b.dying.get(number(place))
	return ok
}

// Settle makes the indexes that need all rows.
func (b *Book) Settle() error {
	dying := map[uint64]bool{}
	b.dying.walk("", "", func(_ string, n uint64) bool {
		dying[n] = true
		return true
	})
	var err error
	b.rows.walk("", "", func(_ string, l *Lease) bool {
		if l.owned() && !dying[l.Number] {
			if n, ok := b.owners.get(string(l.Owner[:])); ok && n != l.Number {
				err = fmt.Errorf("leases of token %s belong to two lives of it", l.Owner)
			}
			b.owners.put(string(l.Owner[:]), l.Number)
		}
		if l.State == Revoking && !l.Revocation.Parked && (l.Resource == "" || b.head(l.line()) == l) {
			b.queue.put(l.queueKey(), l.ID)
		}
		return err == nil
	})
	return err
}

// Inherit takes over what now has lent and b knows nothing of, as revocations: of a state that is replaced by an older one,
// so that what was handed out meanwhile is taken back. It calls took for the mount of each.
func (b *Book) Inherit(now *Book, at token.Instant, took func(mount string)) {
	now.rows.walk("", "", func(id string, l *Lease) bool {
		if b.has(id) {
			return true
		}
		next := *l
		b.next.Seq++
		next.Seq, next.Number, next.State, next.Until, next.Doomed, next.Revocation = b.next.Seq, 0, Active, 0, false, Revocation{}
		b.adopt(&next, at, l.State == Intended)
		took(l.Mount)
		return true
	})
}

// adopt adds a row that belongs to nobody. One of an intent is tried when that is over, because it may be being made.
func (b *Book) adopt(l *Lease, at token.Instant, intent bool) {
	b.next.Turn++
	l.State = Revoking
	l.Revocation = Revocation{Turn: b.next.Turn, Since: at, Next: at}
	if intent {
		l.Revocation.Next = at.Add(IntentLife)
	}
	line := l.line()
	head := b.head(line)
	b.insert(l)
	if head == nil {
		b.queue.put(l.queueKey(), l.ID)
	}
}
