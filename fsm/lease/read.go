package lease

import "strings"

// Tally counts revocations.
type Tally struct {
	Pending  int // not tried yet
	Retrying int // tried, and due again
	Parked   int // given up until somebody asks for another try
}

// Revocations yields the rows that are Revoking and come after an ID, in the order of IDs.
func (b *Book) Revocations(after string, yield func(*Lease) bool) {
	b.rows.walk("", after, func(_ string, l *Lease) bool { return l.State != Revoking || yield(l) })
}

// Walk yields the rows whose IDs start with prefix and come after one, in their order.
func (b *Book) Walk(prefix, after string, yield func(*Lease) bool) {
	b.rows.walk(prefix, after, func(_ string, l *Lease) bool { return yield(l) })
}

// Names lists what is directly below a prefix that ends in a slash, or is empty: names, and the next segments
// that have something below, with a slash. Only what is counts; of a segment it is asked until it says yes.
func (b *Book) Names(prefix string, is func(*Lease) bool) (names []string) {
	skip := ""
	b.rows.walk(prefix, "", func(id string, l *Lease) bool {
		if (skip != "" && strings.HasPrefix(id, skip)) || !is(l) {
			return true
		}
		name, _, deeper := strings.Cut(id[len(prefix):], "/")
		if deeper {
			name += "/"
			skip = prefix + name
		}
		names = append(names, name)
		return true
	})
	return names
}

// Tally returns how many revocations there are.
func (b *Book) Tally() Tally { return b.tally }

// count adds n to where a row stands in the tally.
func (t *Tally) count(l *Lease, n int) {
	switch {
	case l.State != Revoking:
	case l.Revocation.Parked:
		t.Parked += n
	case l.Revocation.Attempts > 0:
		t.Retrying += n
	default:
		t.Pending += n
	}
}
