package fsm

func (c *RevokePrefix) asks() Caller { return c.Caller }

// apply kills every tree whose root was issued below the prefix, in one step.
func (c *RevokePrefix) apply(m *Machine, _ *applyContext) Result {
	if c.Prefix == "" {
		return refuse(Invalid, "a prefix is needed; the empty one would revoke every token")
	}
	return Result{Count: m.forest.RevokePrefix(c.Prefix)}
}
