package fsm

import (
	"strings"
)

// DisableMount takes a mount away, and in the same step everything that came from it: the tokens
// that were issued below its path, with their trees, what it keeps, and its failed logins. A path
// where nothing is mounted is no error.
type DisableMount struct {
	Caller Caller `cbor:"1,keyasint"`
	Path   string `cbor:"2,keyasint"`
}

func (c *DisableMount) asks() Caller { return c.Caller }

// apply takes the mount away.
func (c *DisableMount) apply(m *Machine, _ *applyContext) Result {
	if c.Path == tokenMount {
		return refuse(Invalid, "token credential backend cannot be disabled")
	}
	mt, ok := m.mounts[c.Path]
	if !ok {
		return Result{}
	}
	m.cut(strings.TrimSuffix(c.Path, "/"), false)
	m.drop(&mt)
	r := m.changed(mountKey(c.Path))
	r.Count = m.revokeBelow(strings.TrimSuffix(c.Path, "/"))
	return r
}

// MoveMount gives a mount another path. As in the reference, what was issued at the old path
// dies; what the mount keeps goes with it.
type MoveMount struct {
	Caller Caller `cbor:"1,keyasint"`
	From   string `cbor:"2,keyasint"`
	To     string `cbor:"3,keyasint"`
}

func (c *MoveMount) asks() Caller { return c.Caller }

// apply moves the mount.
func (c *MoveMount) apply(m *Machine, _ *applyContext) Result {
	mt, ok := m.mounts[c.From]
	switch {
	case !ok:
		return refuse(Invalid, "no matching mount at %q", c.From)
	case c.From == tokenMount:
		return refuse(Invalid, "cannot remount %q", c.From)
	case mt.Auth() != strings.HasPrefix(c.To, "auth/"):
		return refuse(Invalid, "an auth mount stays below auth/, and nothing else goes there: from %q to %q", c.From, c.To)
	}
	if r, ok := m.checkVacant(c.To, c.From); !ok {
		return r
	}
	m.cut(strings.TrimSuffix(c.From, "/"), false)
	delete(m.mounts, c.From)
	mt.Path = c.To
	m.mounts[c.To] = mt
	m.changed(mountKey(c.From))
	r := m.changed(mountKey(c.To))
	r.Count = m.revokeBelow(strings.TrimSuffix(c.From, "/"))
	return r
}
