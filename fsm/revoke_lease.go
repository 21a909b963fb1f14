package fsm

import "github.com/tokengrove/grove/fsm/lease"

// RevokeLease kills a lease that is not a token's own. One that is in the queue already is due at once; an unknown
// one is no error (Result.Count is 0).
type RevokeLease struct {
	Caller Caller `cbor:"1,keyasint"`
	ID     string `cbor:"2,keyasint"`
}

func (c *RevokeLease) asks() Caller { return c.Caller }

// apply kills it.
func (c *RevokeLease) apply(m *Machine, _ *applyContext) Result {
	l, ok := m.leases.Row(c.ID)
	switch {
	case !ok || l.State == lease.Intended:
		return Result{}
	case l.State == lease.Revoking:
		m.leases.Hasten(l, m.at, false)
	default:
		m.leases.Kill(l, m.at, false)
	}
	return Result{Count: 1}
}
