package fsm

// DisableAudit takes an audit device away, if it is there.
type DisableAudit struct {
	Caller Caller `cbor:"1,keyasint"`
	Path   string `cbor:"2,keyasint"`
}

func (c *DisableAudit) asks() Caller { return c.Caller }

// apply takes the device away. The count says whether there was one.
func (c *DisableAudit) apply(m *Machine, _ *applyContext) Result {
	t, ok := m.audit.Without(c.Path)
	if !ok {
		return Result{}
	}
	r := m.setAudit(t)
	r.Count = 1
	return r
}
