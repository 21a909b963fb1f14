package fsm

func (c *PutRole) asks() Caller { return c.Caller }

// apply writes the role.
func (c *PutRole) apply(m *Machine, _ *applyContext) Result {
	if c.Role.Name == "" {
		return refuse(Invalid, "a role needs a name")
	}
	m.roles[c.Role.Name] = c.Role
	return m.changed(roleKey(c.Role.Name))
}
