package fsm

import "github.com/tokengrove/grove/fsm/policy"

func (c *PutPolicy) asks() Caller { return c.Caller }

// apply writes the policy.
func (c *PutPolicy) apply(m *Machine, _ *applyContext) Result {
	switch c.Policy.Name {
	case "":
		return refuse(Invalid, "a policy needs a name")
	case policy.Root:
		return refuse(Invalid, "cannot update %q policy", policy.Root)
	}
	m.policies[c.Policy.Name] = c.Policy
	return m.changed(policyKey(c.Policy.Name))
}
