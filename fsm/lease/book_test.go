package lease

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tokengrove/grove/fsm/token"
)

// row is an active lease of the n-th token.
func row(id string, n byte) Lease {
	return Lease{ID: id, Owner: token.Hash{n}, Mount: "m", State: Active, Terms: Terms{Issued: 1, Expires: 100, TTL: 99, MaxTTL: 99}}
}

// TestBounds: at each of them nothing new is lent, and what is there can still go.
func TestBounds(t *testing.T) {
	t.Parallel()
	var b Book
	for i := range MaxIntents {
		l := row(fmt.Sprintf("m/%d", i), byte(i%7+1))
		l.State, l.Until = Intended, 50
		if err := b.Add(l); err != nil {
			t.Fatal(err)
		}
	}
	l := row("m/more", 1)
	l.State, l.Until = Intended, 50
	if err := b.Add(l); !errors.Is(err, ErrFull) {
		t.Errorf("one intent more: %v, want ErrFull", err)
	}
	b.Reclaim(50, MaxIntents)
	if err := b.Add(l); err != nil {
		t.Errorf("after the intents are over: %v", err)
	}
	if got := b.Tally(); got.Pending != MaxIntents {
		t.Errorf("%+v, want %d pending", got, MaxIntents)
	}

	var many Book
	if err := many.Add(row("m/1", 1)); err != nil {
		t.Fatal(err)
	}
	many.counts[1] = MaxOwned // without adding that many
	if err := many.Add(row("m/more", 1)); !errors.Is(err, ErrTooMany) {
		t.Errorf("one lease more of a token: %v, want ErrTooMany", err)
	}
	if err := many.Add(row("m/other", 2)); err != nil {
		t.Errorf("another token's: %v", err)
	}

	var big Book
	data := make([]byte, MaxData)
	n := 0
	for ; ; n++ {
		l := row(fmt.Sprintf("m/%d", n), byte(n%250+1))
		l.Data = data // shared, so that the test needs no gigabyte
		if err := big.Add(l); err != nil {
			if !errors.Is(err, ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	if big.Bytes() > MaxBytes || big.Bytes() < MaxBytes-MaxData-2*overhead {
		t.Errorf("full with %d bytes in %d leases", big.Bytes(), n)
	}
}

// TestImage: an image stays what it was.
func TestImage(t *testing.T) {
	t.Parallel()
	var b Book
	for i := range 10 {
		if err := b.Add(row(fmt.Sprintf("m/%d", i), 1)); err != nil {
			t.Fatal(err)
		}
	}
	image := b.Freeze()
	b.Died(token.Hash{1})
	b.Reclaim(1, 5)
	b.Cut("m/", true)
	b.Reclaim(1, 100)
	for !b.Pending() && b.Len() > 0 {
		b.Due(1, func(l *Lease) bool { return !b.Finish(l.ID, l.Revocation.Turn) })
	}
	n := 0
	if err := image.Leases(func(l *Lease) error {
		n++
		if l.State != Active {
			return fmt.Errorf("%s is in state %d", l.ID, l.State)
		}
		return nil
	}); err != nil || n != 10 || len(image.Dying()) != 0 || len(image.Cuts()) != 0 {
		t.Errorf("the image has %d leases, %v, %v, %v", n, err, image.Dying(), image.Cuts())
	}
	if err := b.Check(1); err != nil || b.Len() != 0 {
		t.Errorf("%d rows left, %v", b.Len(), err)
	}
}

// TestCheckFindsWhatIsWrong: a row that an index does not know, and one that no index should.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(b *Book, l *Lease){
		"no deadline":  func(b *Book, l *Lease) { b.due.remove(l.dueKey()) },
		"no owner":     func(b *Book, l *Lease) { b.owners.remove(string(l.Owner[:])) },
		"not owned":    func(b *Book, l *Lease) { b.owned.remove(l.ownedKey()) },
		"in the queue": func(b *Book, l *Lease) { b.queue.put(l.queueKey(), l.ID) },
		"no row":       func(b *Book, l *Lease) { b.rows.remove(l.ID) },
		"bytes":        func(b *Book, _ *Lease) { b.bytes++ },
		"tally":        func(b *Book, _ *Lease) { b.tally.Parked++ },
		"mounts":       func(b *Book, _ *Lease) { b.mounts["m"]++ },
		"counts":       func(b *Book, _ *Lease) { b.counts[1]++ },
		"numbers":      func(b *Book, _ *Lease) { b.next.Seq = 0 },
	} {
		var b Book
		if err := errors.Join(b.Add(row("m/1", 1)), b.Check(1)); err != nil {
			t.Fatal(err)
		}
		l, _ := b.Row("m/1")
		if spoil(&b, l); b.Check(1) == nil {
			t.Errorf("%s: Check finds nothing", name)
		}
	}
}

func TestBackoffAndShortened(t *testing.T) {
	t.Parallel()
	for failures, want := range map[uint32]time.Duration{0: time.Second, 3: 8 * time.Second, 9: 512 * time.Second, 10: 10 * time.Minute, 1 << 31: 10 * time.Minute} {
		if got := Backoff(failures, 10*time.Minute); got != want {
			t.Errorf("after %d failures %s, want %s", failures, got, want)
		}
	}
	if got := shortened("é\xff" + strings.Repeat("é", MaxError)); len(got) > MaxError || !utf8.ValidString(got) || !strings.HasPrefix(got, "é?") {
		t.Errorf("shortened to %d bytes: %q…", len(got), got[:4])
	}
}
