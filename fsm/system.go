package fsm

// apply moves time and reclaims; Machine.Apply does both for every entry.
func (*Tick) apply(*Machine, *applyContext) Result { return Result{} }

// apply revokes what is due.
func (c *ExpireTokens) apply(m *Machine, x *applyContext) Result {
	return Result{Count: uint64(m.forest.Expire(x.at, int(c.Limit)))}
}

// apply records or drops a member.
func (c *AnnounceMember) apply(m *Machine, _ *applyContext) Result {
	switch {
	case c.Member.ID == "":
		return refuse(Invalid, "a member needs an id")
	case c.Removed:
		delete(m.members, c.Member.ID)
		delete(m.membership.births, c.Member.ID)
	default:
		m.members[c.Member.ID] = c.Member
	}
	return Result{}
}
