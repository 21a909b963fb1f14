package fsm

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tokengrove/grove/fsm/lockout"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

// MaxMounts bounds the mount table.
const MaxMounts = 1 << 14

// mounting is what is mounted, what it keeps for itself and for tokens, and who failed to log in there.
type mounting struct {
	mounts     map[string]mount.Mount   // by path
	stores     map[string]storage.Store // by the UUID of the mount; none is empty
	failures   *lockout.Table
	cubbyholes cubbyholes
	leasing
}

func newMounting() mounting {
	return mounting{
		mounts: map[string]mount.Mount{}, stores: map[string]storage.Store{}, failures: lockout.New(),
		leasing: leasing{leaving: map[string]mount.Mount{}},
	}
}

// StoredRow is one entry of a mount's storage.
type StoredRow struct {
	Mount   string `cbor:"1,keyasint"` // UUID
	Key     string `cbor:"2,keyasint"`
	Value   []byte `cbor:"3,keyasint,omitempty"`
	Version uint64 `cbor:"4,keyasint"`
}

// frozenMounting is an image of what mounts keep, in O(mounts + failures).
type frozenMounting struct {
	mounts     []mount.Mount
	stores     map[string]storage.Store
	failures   []lockout.Failures
	cubbyholes cubbyholes
	leasing    frozenLeasing
}

func (e *mounting) freeze() frozenMounting {
	return frozenMounting{sortedValues(e.mounts), maps.Clone(e.stores), e.failures.All(), e.cubbyholes, e.leasing.freeze()}
}

// stored yields the entries of all mounts, sorted.
func (f *frozenMounting) stored(yield func(RowKind, any) error) error {
	for _, uuid := range slices.Sorted(maps.Keys(f.stores)) {
		var err error
		f.stores[uuid].Walk("", func(key string, e storage.Entry) bool {
			err = yield(RowStored, StoredRow{Mount: uuid, Key: key, Value: e.Value, Version: e.Version})
			return err == nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// restoreStored takes the next entry.
func (e *mounting) restoreStored(row StoredRow) error {
	s := e.stores[row.Mount]
	if s.Find(row.Key).Version != 0 || row.Version == 0 {
		return fmt.Errorf("entry %q of mount %s of version %d, after one of version %d", row.Key, row.Mount, row.Version, s.Find(row.Key).Version)
	}
	e.stores[row.Mount] = s.Put(row.Key, storage.Entry{Value: row.Value, Version: row.Version})
	return nil
}

func (e *mounting) restoreFailures(f lockout.Failures) error {
	if !e.failures.Restore(f) {
		return fmt.Errorf("failures of %q out of order", f.User.Alias)
	}
	return nil
}

// keep makes s the storage of a mount.
func (e *mounting) keep(uuid string, s storage.Store) {
	if s.Len() == 0 {
		delete(e.stores, uuid)
	} else {
		e.stores[uuid] = s
	}
}

// drop forgets a mount and all that belongs to it but its tokens and leases. As long as it has leases, what it keeps
// stays: it is needed to take them back.
func (e *mounting) drop(mt *mount.Mount) {
	delete(e.mounts, mt.Path)
	if e.leases.OfMount(mt.UUID) > 0 {
		e.leaving[mt.UUID] = *mt
	} else {
		delete(e.stores, mt.UUID)
	}
	e.failures.ClearMount(mt.UUID)
}

// check verifies that paths exclude each other, and that what is kept belongs to a mount.
func (m *Machine) checkMounting() error {
	known := map[string]bool{}
	last := ""
	for _, mt := range m.Mounts() {
		if last != "" && mount.Conflict(last, mt.Path) {
			return fmt.Errorf("mounts at %q and %q", last, mt.Path)
		}
		if known[mt.UUID] && mt.UUID != "" {
			return fmt.Errorf("two mounts with UUID %s", mt.UUID)
		}
		known[mt.UUID], last = true, mt.Path
	}
	for uuid := range m.leaving { // order: a set
		known[uuid] = true
	}
	for uuid, s := range m.stores { // order: any failure will do
		if err := checkStore(s, m.index); err != nil || !known[uuid] || s.Len() == 0 {
			return fmt.Errorf("storage of mount %q, known %v, with %d entries: %w", uuid, known[uuid], s.Len(), err)
		}
	}
	for _, f := range m.failures.All() {
		if !known[f.User.Mount] || f.Last > m.at || f.Count == 0 {
			return fmt.Errorf("%d failures of %q at mount %q, known %v, at %d, the machine is at %d", f.Count, f.User.Alias, f.User.Mount, known[f.User.Mount], f.Last, m.at)
		}
	}
	return nil
}

func checkStore(s storage.Store, index uint64) error {
	size := 0
	var wrong error
	s.Walk("", func(key string, e storage.Entry) bool {
		size += len(key) + len(e.Value)
		if e.Version == 0 || e.Version > index {
			wrong = errors.Join(wrong, fmt.Errorf("%q has version %d at index %d", key, e.Version, index))
		}
		return true
	})
	if size != s.Bytes() || size > storage.MaxBytes {
		wrong = errors.Join(wrong, fmt.Errorf("%d bytes, counted %d, at most %d", size, s.Bytes(), storage.MaxBytes))
	}
	return wrong
}

// MountOf returns the mount that path lies in: at most one does.
func (m *Machine) MountOf(path string) (mount.Mount, bool) {
	for i := 0; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		if mt, ok := m.mounts[path[:i+1]]; ok {
			return mt, true
		}
	}
	return mount.Mount{}, false
}

// MountByAccessor returns the mount with an accessor.
func (m *Machine) MountByAccessor(accessor string) (mount.Mount, bool) {
	for _, mt := range m.mounts { // order: accessors are random, and no two mounts share one
		if mt.Accessor == accessor {
			return mt, true
		}
	}
	return mount.Mount{}, false
}

// Storage returns what a mount keeps. It is good without the machine's lock.
func (m *Machine) Storage(uuid string) storage.Store { return m.stores[uuid] }

// Failures returns whom failed logins named, the oldest failure first.
func (m *Machine) Failures() []lockout.Failures { return m.failures.All() }

// lockoutRule is what a mount says about failed logins; false if they do not lock.
func lockoutRule(mt *mount.Mount) (lockout.Rule, bool) {
	l := mt.Tuning.Lockout.Resolved()
	return lockout.Rule{Threshold: l.Threshold, Duration: l.Duration, Reset: l.Reset}, !l.Disabled
}

// Failed reports whether failed logins of alias at the mount with that UUID are remembered.
func (m *Machine) Failed(uuid, alias string) bool {
	return m.failures.Has(lockout.User{Mount: uuid, Alias: alias})
}

// LockedOut reports whether too many logins of alias at a mount have failed.
func (m *Machine) LockedOut(mt *mount.Mount, alias string, now token.Instant) bool {
	rule, on := lockoutRule(mt)
	return on && m.failures.Locked(lockout.User{Mount: mt.UUID, Alias: alias}, rule, m.Now(now))
}

// LockedUsers returns the aliases that are locked out of a mount.
func (m *Machine) LockedUsers(mt *mount.Mount, now token.Instant) []string {
	rule, on := lockoutRule(mt)
	if !on {
		return nil
	}
	return m.failures.LockedAt(mt.UUID, rule, m.Now(now))
}

// mountAt returns the mount at path if it is still the one with that UUID.
func (m *Machine) mountAt(path, uuid string) (mount.Mount, bool) {
	mt, ok := m.mounts[path]
	return mt, ok && mt.UUID == uuid
}

// shortPath is a mount's path as the API shows it: without "auth/".
func shortPath(path string) string { return strings.TrimPrefix(path, "auth/") }

// MountUnchanged reports whether the mount with that UUID is still at path, and nothing of it has
// changed after epoch, nor have the audit devices.
func (m *Machine) MountUnchanged(path, uuid string, epoch uint64) bool {
	_, ok := m.mountAt(path, uuid)
	return ok && epoch >= m.changes.floor && epoch <= m.epoch && !m.changes.since(mountKey(path), epoch) && !m.changes.since(auditKey, epoch)
}
