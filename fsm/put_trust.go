package fsm

// PutTrust is one step of a rotation of the cluster's authorities. Its version follows
// that which it was made from: of two leaders that both take the next step, one is refused.
type PutTrust struct {
	Trust Trust `cbor:"1,keyasint"`
}

// apply takes the step.
func (c *PutTrust) apply(m *Machine, _ *applyContext) Result {
	if c.Trust.Version != m.joining.trust.Version+1 {
		return refuse(Invalid, "the trust is at version %d, this step leads to version %d", m.joining.trust.Version, c.Trust.Version)
	}
	if err := c.Trust.check(); err != nil {
		return refuse(Invalid, "%v", err)
	}
	m.joining.trust = c.Trust
	return Result{}
}
