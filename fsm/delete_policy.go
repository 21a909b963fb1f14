package fsm

import "github.com/tokengrove/grove/fsm/policy"

func (c *DeletePolicy) asks() Caller { return c.Caller }

// apply deletes the policy; one that is not there is not an error.
func (c *DeletePolicy) apply(m *Machine, _ *applyContext) Result {
	switch c.Name {
	case policy.Root:
		return refuse(Invalid, "cannot delete %q policy", policy.Root)
	case policy.Default:
		return refuse(Invalid, "cannot delete default policy")
	}
	if _, ok := m.policies[c.Name]; !ok {
		return Result{}
	}
	delete(m.policies, c.Name)
	return m.changed(policyKey(c.Name))
}
