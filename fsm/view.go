package fsm

import (
	"maps"
	"slices"
	"strings"

	"github.com/tokengrove/grove/fsm/audit"
	"github.com/tokengrove/grove/fsm/forest"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
)

// Index returns the last log index that was applied or passed.
func (m *Machine) Index() uint64 { return m.index }

// Epoch returns the authorisation epoch, which every policy, role and mount change bumps.
func (m *Machine) Epoch() uint64 { return m.epoch }

// Initialized reports whether the cluster has been made.
func (m *Machine) Initialized() bool { return m.identity.ClusterID != "" }

// Identity returns what Initialize fixed.
func (m *Machine) Identity() Identity { return m.identity }

// Now returns the time that a read at local wall-clock time sees: the machine's, or the
// local one if that is later. A replica whose clock is behind never revives a token.
func (m *Machine) Now(local token.Instant) token.Instant { return max(m.at, local) }

// Lookup returns the live token with hash h.
func (m *Machine) Lookup(h token.Hash, now token.Instant) (token.Record, bool) {
	return m.live(m.forest.Find(h), now)
}

// LookupAccessor returns the live token with accessor a.
func (m *Machine) LookupAccessor(a token.Accessor, now token.Instant) (token.Record, bool) {
	return m.live(m.forest.FindAccessor(a), now)
}

func (m *Machine) live(ref forest.Ref, now token.Instant) (token.Record, bool) {
	if ref == 0 || !m.forest.Alive(ref, m.Now(now)) {
		return token.Record{}, false
	}
	return m.forest.Record(ref), true
}

// Accessors returns the accessors of all live tokens, sorted.
func (m *Machine) Accessors(now token.Instant) []token.Accessor {
	var as []token.Accessor
	m.forest.WalkAlive(m.Now(now), func(ref forest.Ref) bool {
		as = append(as, m.forest.Record(ref).Accessor)
		return true
	})
	slices.Sort(as)
	return as
}

// LeaseID returns the name of the lease that a token with a deadline has.
func LeaseID(path string, h token.Hash) string { return path + "/h" + h.String() }

// ParseLeaseID splits what LeaseID made; false if id is no token's lease.
func ParseLeaseID(id string) (path string, h token.Hash, ok bool) {
	path, last := id, ""
	if i := strings.LastIndexByte(id, '/'); i >= 0 {
		path, last = id[:i], id[i+1:]
	}
	if len(last) != 1+2*len(h) || last[0] != 'h' {
		return "", h, false
	}
	h, err := token.ParseHash(last[1:])
	return path, h, err == nil
}

// Leases lists what is directly below a prefix that ends in a slash (or is empty): leases,
// and, with a trailing slash, the next path segments that have leases below. Sorted.
func (m *Machine) Leases(prefix string, now token.Instant) []string {
	now = m.Now(now)
	var keys []string
	m.forest.WalkPaths(strings.TrimSuffix(prefix, "/"), func(path string, refs func(func(forest.Ref) bool)) bool {
		rest, ok := strings.CutPrefix(path+"/", prefix)
		if !ok {
			return true
		}
		segment, _, deeper := strings.Cut(rest, "/")
		if deeper {
			segment += "/"
			if len(keys) > 0 && keys[len(keys)-1] == segment {
				return true
			}
		}
		for ref := range refs {
			rec := m.forest.Record(ref)
			if rec.Deadline == 0 || !m.forest.Alive(ref, now) {
				continue
			}
			if deeper {
				keys = append(keys, segment)
				break
			}
			keys = append(keys, "h"+rec.Hash.String())
		}
		return true
	})
	slices.Sort(keys)
	return mergeNames(slices.Compact(keys), m.leaseNames(prefix, now))
}

// TokenCount returns the number of live tokens.
func (m *Machine) TokenCount(now token.Instant) uint64 { return m.forest.CountAlive(m.Now(now)) }

// Policy returns a stored policy; the root policy is not stored.
func (m *Machine) Policy(name string) (policy.Policy, bool) {
	p, ok := m.policies[name]
	return p, ok
}

// PolicyNames returns the names of all stored policies, sorted.
func (m *Machine) PolicyNames() []string { return slices.Sorted(maps.Keys(m.policies)) }

// Role returns a token role.
func (m *Machine) Role(name string) (role.Role, bool) {
	r, ok := m.roles[name]
	return r, ok
}

// RoleNames returns the names of all token roles, sorted.
func (m *Machine) RoleNames() []string { return slices.Sorted(maps.Keys(m.roles)) }

// Mount returns the mount at path, which ends in a slash.
func (m *Machine) Mount(path string) (mount.Mount, bool) {
	mt, ok := m.mounts[path]
	return mt, ok
}

// Mounts returns all mounts, sorted by path.
func (m *Machine) Mounts() []mount.Mount { return sortedValues(m.mounts) }

// Audit returns the table of audit devices, never nil. It is another one whenever it has changed.
func (m *Machine) Audit() *audit.Table { return m.audit }

// Member returns what a node announced about itself.
func (m *Machine) Member(id string) (Member, bool) {
	mb, ok := m.members[id]
	return mb, ok
}

// Members returns all announced nodes, sorted by ID.
func (m *Machine) Members() []Member { return sortedValues(m.members) }

// NextDeadline returns the earliest deadline of all tokens, 0 if none has one.
func (m *Machine) NextDeadline() token.Instant { return m.forest.NextDeadline() }

// ReclaimPending reports whether dead tokens wait to be unlinked, or what they had been lent to be taken back.
func (m *Machine) ReclaimPending() bool { return m.forest.Pending() || m.leases.Pending() }

// sortedValues returns the values of a map in the order of its keys.
func sortedValues[V any](src map[string]V) []V {
	vs := make([]V, 0, len(src))
	for _, k := range slices.Sorted(maps.Keys(src)) {
		vs = append(vs, src[k])
	}
	return vs
}
