package fsm

import (
	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/token"
)

// Revocation is one row of the queue of what must be taken back.
type Revocation struct {
	lease.Lease
	// Mount is where it comes from, also when that was disabled.
	Mount mount.Mount
}

// Revocation returns a row of the queue.
func (m *Machine) Revocation(id string) (Revocation, bool) {
	l, ok := m.leases.Row(id)
	if !ok || l.State != lease.Revoking {
		return Revocation{}, false
	}
	return m.revocation(l), true
}

func (m *Machine) revocation(l *lease.Lease) Revocation {
	mt, ok := m.leaving[l.Mount]
	if !ok {
		mt = m.mountByUUID(l.Mount)
	}
	return Revocation{Lease: *l, Mount: mt}
}

// MaxRevocations bounds one page of the queue.
const MaxRevocations = 10_000

// Revocations returns at most limit leases that are dead and not taken back yet, and that somebody wants, in the order of
// their IDs, from behind one on. A lease is among them from the moment at which its token dies; one without a turn is
// not in the queue yet.
func (m *Machine) Revocations(after string, limit int, now token.Instant, wanted func(*lease.Lease) bool) (rows []Revocation) {
	now = m.Now(now)
	m.leases.Walk("", after, func(l *lease.Lease) bool {
		if m.ended(l, now) && wanted(l) {
			rows = append(rows, m.revocation(l))
		}
		return len(rows) < limit
	})
	return rows
}

// ended reports whether a row is a lease that is dead and not taken back yet.
func (m *Machine) ended(l *lease.Lease, now token.Instant) bool {
	return l.State == lease.Revoking || (l.State == lease.Active && !m.leaseAlive(l, now))
}

// Unrevoked counts the leases whose IDs start with prefix that are dead and not taken back yet, and returns what went
// wrong with one of them.
func (m *Machine) Unrevoked(prefix string, now token.Instant) (n int, failed string) {
	now = m.Now(now)
	m.leases.Walk(prefix, "", func(l *lease.Lease) bool {
		if m.ended(l, now) {
			n++
			failed = l.Revocation.Error
		}
		return failed == ""
	})
	return n, failed
}

// CountRevocations counts the leases that are dead and not taken back yet.
func (m *Machine) CountRevocations(now token.Instant) lease.Tally {
	now = m.Now(now)
	t := m.leases.Tally()
	if due := m.leases.NextDeadline(); m.forest.Pending() || m.leases.Pending() || past(due, now) || past(m.forest.NextDeadline(), now) {
		m.leases.Walk("", "", func(l *lease.Lease) bool {
			if l.State == lease.Active && !m.leaseAlive(l, now) {
				t.Pending++
			}
			return true
		})
	}
	return t
}

func past(deadline, now token.Instant) bool { return deadline != 0 && deadline <= now }

// DueRevocations yields the rows of the queue that are due, in their order.
func (m *Machine) DueRevocations(now token.Instant, yield func(Revocation) bool) {
	m.leases.Due(m.Now(now), func(l *lease.Lease) bool { return yield(m.revocation(l)) })
}

// NextLeaseDeadline returns when the next lease or intent is over, 0 if there is none.
func (m *Machine) NextLeaseDeadline() token.Instant { return m.leases.NextDeadline() }
