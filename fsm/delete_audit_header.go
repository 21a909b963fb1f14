package fsm

// DeleteAuditHeader stops the recording of a request header, if it is recorded.
type DeleteAuditHeader struct {
	Caller Caller `cbor:"1,keyasint"`
	Name   string `cbor:"2,keyasint"`
}

func (c *DeleteAuditHeader) asks() Caller { return c.Caller }

// apply takes the header away.
func (c *DeleteAuditHeader) apply(m *Machine, _ *applyContext) Result {
	t, ok := m.audit.WithoutHeader(c.Name)
	if !ok {
		return Result{}
	}
	return m.setAudit(t)
}
