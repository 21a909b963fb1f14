package fsm

import (
	"slices"

	"github.com/tokengrove/grove/fsm/policy"
)

// apply makes the cluster, once.
func (c *Initialize) apply(m *Machine, x *applyContext) Result {
	if m.Initialized() {
		return refuse(Invalid, "cluster is already initialized")
	}
	if c.ClusterID == "" {
		return refuse(Invalid, "a cluster needs an id")
	}
	if !slices.ContainsFunc(c.Policies, func(p policy.Policy) bool { return p.Name == policy.Default }) {
		return refuse(Invalid, "a cluster needs the %q policy", policy.Default)
	}
	root := c.Root
	if !root.HasPolicy(policy.Root) || root.TTL != 0 || root.NumUses != 0 || !root.Orphan() {
		return refuse(Invalid, "the first token is an orphan with the root policy that never expires")
	}
	root.Created, root.Deadline, root.UsesLeft = x.at, 0, 0
	if _, err := m.forest.Insert(&root, 0); err != nil {
		return refuse(Invalid, "first token: %v", err)
	}
	m.identity = Identity{ClusterID: c.ClusterID, ClusterName: c.ClusterName, Salt: c.Salt}
	for _, p := range c.Policies {
		m.policies[p.Name] = p
	}
	for _, mt := range c.Mounts {
		m.mounts[mt.Path] = mt
	}
	m.epoch++
	return Result{Token: &root}
}
