package fsm

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/tokengrove/grove/fsm/audit"
)

// maxChanges bounds how many names the machine remembers changes of.
const maxChanges = 8192

// Change notes at which epoch a policy, role or mount last changed. Its key is a letter
// for the kind, and the name.
type Change struct {
	Key   string `cbor:"1,keyasint"`
	Epoch uint64 `cbor:"2,keyasint"`
}

// changes answers whether something that an edge relied on has changed since. Deleted names
// stay until maxChanges others have changed; what is older than all that is
// remembered counts as changed.
type changes struct {
	last  map[string]uint64
	queue []Change // oldest first; an entry is void when last has a later epoch for its key
	floor uint64   // decisions of an epoch before this are stale, whatever they rely on
}

func policyKey(name string) string { return "p" + name }
func roleKey(name string) string   { return "r" + name }
func mountKey(path string) string  { return "m" + path }

// auditKey changes with the audit devices and what they record.
const auditKey = "a"

// note records that key changed at epoch, which is later than all before.
func (c *changes) note(key string, epoch uint64) {
	c.last[key] = epoch
	c.queue = append(c.queue, Change{key, epoch})
	for len(c.last) > maxChanges {
		old := c.queue[0]
		c.queue = c.queue[1:]
		if c.last[old.Key] == old.Epoch {
			delete(c.last, old.Key)
			c.floor = old.Epoch
		}
	}
	if len(c.queue) > 2*maxChanges {
		c.queue = c.rows()
	}
}

// since reports whether key changed after epoch.
func (c *changes) since(key string, epoch uint64) bool { return c.last[key] > epoch }

// rows returns what is remembered, oldest first.
func (c *changes) rows() []Change {
	rows := make([]Change, 0, len(c.last))
	for k, e := range c.last { // order: sorted below
		rows = append(rows, Change{k, e})
	}
	slices.SortFunc(rows, func(a, b Change) int { return cmp.Compare(a.Epoch, b.Epoch) })
	return rows
}

// restore takes the next row.
func (c *changes) restore(row Change) error {
	if n := len(c.queue); n > 0 && c.queue[n-1].Epoch >= row.Epoch {
		return fmt.Errorf("change of epoch %d after one of %d", row.Epoch, c.queue[n-1].Epoch)
	}
	c.queue = append(c.queue, row)
	return putOnce(c.last, row.Key, row.Epoch)
}

// changed bumps the authorisation epoch and notes what changed: decisions that relied on
// it are stale from now on.
func (m *Machine) changed(key string) Result {
	m.epoch++
	m.changes.note(key, m.epoch)
	return Result{}
}

// setAudit replaces the table of audit devices: whatever an edge decided before is stale.
func (m *Machine) setAudit(t *audit.Table) Result {
	m.audit = t
	return m.changed(auditKey)
}

// relies is implemented by commands that were built from more than the caller's policies.
type relies interface {
	// stale reports whether what the command was built from has changed after epoch.
	stale(m *Machine, epoch uint64) bool
}

// outdated reports whether a decision of an edge at epoch no longer holds: one of the
// caller's policies has changed, or something else that the command relies on. Changes of
// anything else do not matter, so that a busy administrator does not hold up everybody.
//
// policies asks about each of the caller's policies until one has changed.
func (m *Machine) outdated(c Command, epoch uint64, policies func(changed func(string) bool) bool) bool {
	if epoch == m.epoch {
		return false
	}
	if epoch < m.changes.floor || epoch > m.epoch {
		return true
	}
	if m.changes.since(auditKey, epoch) {
		return true // whatever it is, it was decided by a node that would record it elsewhere
	}
	if policies(func(p string) bool { return m.changes.since(policyKey(p), epoch) }) {
		return true
	}
	r, ok := c.(relies)
	return ok && r.stale(m, epoch)
}

// PoliciesChanged reports whether one of some policies may have changed after epoch.
func (m *Machine) PoliciesChanged(names []string, epoch uint64) bool {
	if epoch == m.epoch {
		return false
	}
	return epoch < m.changes.floor || epoch > m.epoch || slices.ContainsFunc(names, func(p string) bool { return m.changes.since(policyKey(p), epoch) })
}

// stale: the role and the mount's TTLs shaped the token.
func (c *CreateToken) stale(m *Machine, epoch uint64) bool {
	return m.changes.since(mountKey(tokenMount), epoch) || (c.Token.Role != "" && m.changes.since(roleKey(c.Token.Role), epoch))
}

// stale: the role and the mount's TTLs shape the renewal.
func (c *RenewToken) stale(m *Machine, epoch uint64) bool {
	if m.changes.since(mountKey(tokenMount), epoch) {
		return true
	}
	ref := m.find(c.Target)
	if ref == 0 {
		return false
	}
	role := m.forest.Record(ref).Role
	return role != "" && m.changes.since(roleKey(role), epoch)
}

// stale: the edge read the role before it wrote it.
func (c *PutRole) stale(m *Machine, epoch uint64) bool {
	return m.changes.since(roleKey(c.Role.Name), epoch)
}

// stale: the edge read the mount before it wrote it.
func (c *PutMount) stale(m *Machine, epoch uint64) bool {
	return m.changes.since(mountKey(c.Mount.Path), epoch)
}

// tokenMount is the path of the token store.
const tokenMount = "auth/token/"
