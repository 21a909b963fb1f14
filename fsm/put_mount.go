package fsm

import "strings"

func (c *PutMount) asks() Caller { return c.Caller }

// apply writes the mount entry.
func (c *PutMount) apply(m *Machine, _ *applyContext) Result {
	if !strings.HasSuffix(c.Mount.Path, "/") || c.Mount.Type == "" {
		return refuse(Invalid, "a mount needs a type and a path that ends in a slash")
	}
	if old, ok := m.mounts[c.Mount.Path]; ok && old.UUID != c.Mount.UUID {
		return refuse(Invalid, "another mount is at %s", shortPath(c.Mount.Path))
	} else if !ok {
		if r, ok := m.checkVacant(c.Mount.Path, ""); !ok {
			return r
		}
	}
	m.mounts[c.Mount.Path] = c.Mount
	return m.changed(mountKey(c.Mount.Path))
}
