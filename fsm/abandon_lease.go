package fsm

import "github.com/tokengrove/grove/fsm/lease"

// AbandonLease says that an edge is through with an intent, and that nobody got what it stands for: whatever was
// made is taken back now. If it was committed after all, the lease is revoked: nobody was told its secret.
type AbandonLease struct {
	ID string `cbor:"1,keyasint"`
}

// apply revokes intent or lease. One that is not there, or revoked already, is no error.
func (c *AbandonLease) apply(m *Machine, _ *applyContext) Result {
	m.abandon(c.ID)
	return Result{}
}

func (m *Machine) abandon(id string) {
	if l, ok := m.leases.Row(id); ok && l.State != lease.Revoking {
		m.leases.Kill(l, m.at, false)
	}
}
