package fsm

import "time"

// FailRevocation says that an attempt to take something back has failed, why, and when to try again. Attempts is how
// many had failed before, so that one that comes twice counts once.
type FailRevocation struct {
	ID       string        `cbor:"1,keyasint"`
	Turn     uint64        `cbor:"2,keyasint"`
	Attempts uint32        `cbor:"3,keyasint,omitempty"`
	Error    string        `cbor:"4,keyasint"`
	Wait     time.Duration `cbor:"5,keyasint"`
	Park     bool          `cbor:"6,keyasint,omitempty"` // until somebody asks for another try
}

// apply notes it.
func (c *FailRevocation) apply(m *Machine, x *applyContext) Result {
	l, ok := m.leases.Row(c.ID)
	if !ok || !m.leases.Fail(c.ID, c.Turn, c.Attempts, c.Error, x.at.Add(max(0, c.Wait)), c.Park) {
		return Result{}
	}
	m.depart(l.Mount) // a forced one has ended
	return Result{Count: 1}
}
