package fsm

func (c *RevokeToken) asks() Caller { return c.Caller }

// apply kills the target's tree in one step. An unknown target is not an error.
func (c *RevokeToken) apply(m *Machine, _ *applyContext) Result {
	ref := m.find(c.Target)
	if ref == 0 {
		return Result{}
	}
	m.forest.Revoke(ref)
	return Result{Count: 1}
}
