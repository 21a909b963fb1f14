package fsm

// FinishRevocation says that what a lease stood for is gone. A revocation that is over is no error, so that it may come
// twice.
type FinishRevocation struct {
	ID   string `cbor:"1,keyasint"`
	Turn uint64 `cbor:"2,keyasint"`
}

// apply ends the revocation.
func (c *FinishRevocation) apply(m *Machine, _ *applyContext) Result {
	l, ok := m.leases.Row(c.ID)
	if !ok || !m.leases.Finish(c.ID, c.Turn) {
		return Result{}
	}
	m.depart(l.Mount)
	return Result{Count: 1}
}
