package fsm

// IssueBatch notes under an idempotency key that a batch token was given out. Without a key no entry is needed; with one,
// the answer is remembered as that of any write, and the rules are checked once more.
type IssueBatch struct {
	Caller   Caller   `cbor:"1,keyasint"`
	Role     string   `cbor:"2,keyasint,omitempty"`
	Policies []string `cbor:"3,keyasint,omitempty"`
}

func (c *IssueBatch) asks() Caller { return c.Caller }

// stale: the role, the mount's TTLs and which policies there are shaped the token and its answer.
func (c *IssueBatch) stale(m *Machine, epoch uint64) bool {
	return m.changes.since(mountKey(tokenMount), epoch) || (c.Role != "" && m.changes.since(roleKey(c.Role), epoch)) || m.PoliciesChanged(c.Policies, epoch)
}

// apply refuses what the edge has refused before.
func (c *IssueBatch) apply(m *Machine, x *applyContext) Result {
	switch {
	case x.caller == 0:
		return refuse(Invalid, "a batch token has a creator")
	case m.forest.Limited(x.caller):
		return refuse(Invalid, "restricted use token cannot generate child tokens")
	}
	return Result{}
}

// Kind implements Command.
func (*IssueBatch) Kind() Kind { return KindIssueBatch }
