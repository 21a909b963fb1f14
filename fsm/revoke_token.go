package fsm

import "github.com/tokengrove/grove/fsm/planted"

func (c *RevokeToken) asks() Caller { return c.Caller }

// apply kills the target's tree in one step. An unknown target is not an error.
func (c *RevokeToken) apply(m *Machine, _ *applyContext) Result {
	ref := m.find(c.Target)
	if ref == 0 {
		m.answers.Forget(c.Target.Token, c.Target.Accessor)
		return Result{}
	}
	if planted.Is("revoke-alone") {
		m.forest.RevokeOrphan(ref)
		return Result{Count: 1}
	}
	m.forest.Revoke(ref)
	return Result{Count: 1}
}
