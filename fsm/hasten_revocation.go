package fsm

import "github.com/tokengrove/grove/fsm/lease"

// HastenRevocation has a revocation tried now, also one that is parked.
type HastenRevocation struct {
	Caller Caller `cbor:"1,keyasint"`
	ID     string `cbor:"2,keyasint"`
	// Forced: it is forgotten when that fails.
	Forced bool `cbor:"3,keyasint,omitempty"`
}

func (c *HastenRevocation) asks() Caller { return c.Caller }

// apply makes it due.
func (c *HastenRevocation) apply(m *Machine, _ *applyContext) Result {
	l, ok := m.leases.Row(c.ID)
	if !ok || l.State != lease.Revoking {
		return refuse(NotFound, "no revocation of lease %q is under way", c.ID)
	}
	m.leases.Hasten(l, m.at, c.Forced)
	return Result{Count: 1}
}
