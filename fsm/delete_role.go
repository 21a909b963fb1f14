package fsm

func (c *DeleteRole) asks() Caller { return c.Caller }

// apply deletes the role; one that is not there is not an error.
func (c *DeleteRole) apply(m *Machine, _ *applyContext) Result {
	if _, ok := m.roles[c.Name]; !ok {
		return Result{}
	}
	delete(m.roles, c.Name)
	return m.changed(roleKey(c.Name))
}
