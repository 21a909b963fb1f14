package fsm

func (c *RevokeOrphan) asks() Caller { return c.Caller }

// apply kills the target alone; its children become roots of trees of their own.
func (c *RevokeOrphan) apply(m *Machine, _ *applyContext) Result {
	ref := m.find(c.Target)
	if ref == 0 {
		return refuse(NotFound, "token to revoke not found")
	}
	m.forest.RevokeOrphan(ref)
	return Result{Count: 1}
}
