package fsm

import (
	"strings"

	"github.com/tokengrove/grove/fsm/mount"
)

// maxMountPath bounds the path of a mount in bytes.
const maxMountPath = 512

// EnableMount mounts something where nothing is. UUID and accessor were minted by the proposer.
type EnableMount struct {
	Caller Caller      `cbor:"1,keyasint"`
	Mount  mount.Mount `cbor:"2,keyasint"`
}

func (c *EnableMount) asks() Caller { return c.Caller }

// apply mounts it.
func (c *EnableMount) apply(m *Machine, _ *applyContext) Result {
	if c.Mount.Type == "" || c.Mount.UUID == "" || c.Mount.Accessor == "" {
		return refuse(Invalid, "a mount needs a type, a UUID and an accessor")
	}
	if r, ok := m.checkVacant(c.Mount.Path, ""); !ok {
		return r
	}
	for _, mt := range m.mounts { // order: any one will do
		if mt.UUID == c.Mount.UUID || mt.Accessor == c.Mount.Accessor {
			return refuse(Invalid, "this UUID or accessor is that of another mount")
		}
	}
	if _, leaves := m.leaving[c.Mount.UUID]; leaves {
		return refuse(Invalid, "this UUID is that of another mount")
	}
	if len(m.mounts)+len(m.leaving) >= MaxMounts {
		return refuse(Invalid, "%d mounts are there, and no more are allowed: disable some first", MaxMounts)
	}
	m.mounts[c.Mount.Path] = c.Mount
	return m.changed(mountKey(c.Mount.Path))
}

// checkVacant refuses a path that no mount can have, or that is in conflict with a mount other than
// the one at except.
func (m *Machine) checkVacant(path, except string) (r Result, ok bool) {
	switch {
	case len(path) > maxMountPath:
		return refuse(Invalid, "a mount's path has at most %d bytes, this one has %d", maxMountPath, len(path)), false
	case !strings.HasSuffix(path, "/") || path == "auth/" || strings.HasPrefix(path, "/") || strings.Contains(path, "//"):
		return refuse(Invalid, "a mount's path has segments that are not empty and a slash at its end: %q", path), false
	}
	for _, p := range mount.Reserved {
		if strings.HasPrefix(path, p) {
			return refuse(Invalid, "nothing can be mounted at %q: %s belongs to the server", path, p), false
		}
	}
	for _, mt := range m.Mounts() {
		if mt.Path != except && mount.Conflict(mt.Path, path) {
			return refuse(Invalid, "path is already in use at %s", shortPath(mt.Path)), false
		}
	}
	return r, true
}

// TuneMount writes an entry of the mount table that is there: all but its path, type,
// accessor and UUID may change.
type TuneMount struct {
	Caller Caller      `cbor:"1,keyasint"`
	Mount  mount.Mount `cbor:"2,keyasint"`
}

func (c *TuneMount) asks() Caller { return c.Caller }

// stale: the edge read the mount before it wrote it.
func (c *TuneMount) stale(m *Machine, epoch uint64) bool {
	return m.changes.since(mountKey(c.Mount.Path), epoch)
}

// apply writes the entry.
func (c *TuneMount) apply(m *Machine, _ *applyContext) Result {
	old, ok := m.mountAt(c.Mount.Path, c.Mount.UUID)
	if !ok {
		return refuse(NotFound, "no mount at %s", shortPath(c.Mount.Path))
	}
	if old.Type != c.Mount.Type || old.Accessor != c.Mount.Accessor {
		return refuse(Invalid, "type and accessor of a mount do not change")
	}
	m.mounts[c.Mount.Path] = c.Mount
	return m.changed(mountKey(c.Mount.Path))
}
