package fsm

import (
	"strings"

	"github.com/tokengrove/grove/fsm/planted"
)

func (c *RevokePrefix) asks() Caller { return c.Caller }

// apply kills every tree whose root was issued at the prefix or below it, and every lease below it, in one step.
func (c *RevokePrefix) apply(m *Machine, _ *applyContext) Result {
	path := strings.TrimRight(c.Prefix, "/")
	if path == "" {
		return refuse(Invalid, "a prefix is needed; the empty one would revoke every token")
	}
	if planted.Is("prefix-below") {
		return Result{Count: m.forest.RevokePrefix(path + "/")}
	}
	m.cut(path, false)
	return Result{Count: m.revokeBelow(path)}
}

// revokeBelow kills every tree whose root was issued at path or below it, and the batch tokens that were; and it
// silences those that have used themselves up.
func (m *Machine) revokeBelow(path string) uint64 {
	m.answers.ForgetBelow(path)
	m.ban(path)
	return m.forest.RevokeBelow(path)
}
