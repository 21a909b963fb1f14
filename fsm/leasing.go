package fsm

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/token"
)

// leaseStep is how many leases of dead tokens, cut prefixes and past deadlines one log entry turns into revocations. Each
// costs some ten microseconds.
const leaseStep = 512

// leasing is what tokens have been lent, and where from.
type leasing struct {
	leases lease.Book
	// leaving are mounts that were disabled and have leases that are not revoked yet: what such a mount keeps is needed for
	// that. By UUID.
	leaving map[string]mount.Mount
}

// LeaseDraft is a lease as the edge proposes it. Its owner is the caller; times are set by apply.
type LeaseDraft struct {
	ID        string        `cbor:"1,keyasint"` // the request's path and a random name
	TTL       time.Duration `cbor:"2,keyasint"`
	MaxTTL    time.Duration `cbor:"3,keyasint"`
	Renewable bool          `cbor:"4,keyasint,omitempty"`
	Resource  string        `cbor:"5,keyasint,omitempty"`
	Data      []byte        `cbor:"6,keyasint,omitempty"` // sealed
}

// lastUse refuses a lease that would be dead before anybody hears of it.
const lastUse = "Secret cannot be returned; token had one use left, so leased credentials were immediately revoked."

// lend adds what a draft says as a row of the caller, and does what the engine has written.
func (m *Machine) lend(step *Transact, d *LeaseDraft, state lease.State, x *applyContext) Result {
	mt := m.mounts[step.Mount]
	switch {
	case x.caller == 0:
		return refuse(Invalid, "a lease is that of a token")
	case step.Login != nil || step.Renew != nil:
		return refuse(Invalid, "a transaction has one effect")
	case mt.Auth() || !strings.HasPrefix(d.ID, mt.Path):
		return refuse(Invalid, "a lease has an ID below its mount %q", mt.Path)
	case d.TTL <= 0 || d.MaxTTL < d.TTL:
		return refuse(Invalid, "a lease of %s and at most %s", d.TTL, d.MaxTTL)
	}
	after, err := step.written(m.stores[step.UUID], x.index)
	if err != nil {
		return refuse(Invalid, "%v", err)
	}
	l := lease.Lease{
		ID: d.ID, Owner: step.Caller.Token, Mount: mt.UUID, State: state, Resource: d.Resource, Data: d.Data,
		Terms: lease.Terms{Issued: x.at, Expires: x.at.Add(d.TTL), TTL: d.TTL, MaxTTL: d.MaxTTL, Renewable: d.Renewable},
	}
	if state == lease.Intended {
		l.Until = x.at.Add(lease.IntentLife)
	}
	switch err := m.leases.Add(l); err {
	case nil:
	case lease.ErrFull, lease.ErrTooMany:
		return refuse(Unavailable, "%v", err)
	default:
		return refuse(Invalid, "%v", err)
	}
	m.keep(step.UUID, after)
	return Result{Granted: d.TTL}
}

// leased finds the lease that is alive at now.
func (m *Machine) leased(id string, now token.Instant) (*lease.Lease, bool) {
	l, ok := m.leases.Row(id)
	return l, ok && m.leaseAlive(l, now)
}

// leaseAlive reports whether a row is a lease whose time, prefix and token are not over.
func (m *Machine) leaseAlive(l *lease.Lease, now token.Instant) bool {
	return m.leases.Holds(l, now) && m.forest.Alive(m.forest.Find(l.Owner), now)
}

// cut kills the leases at a path or below it, and that of which the path is the ID.
func (m *Machine) cut(path string, forced bool) {
	if m.leases.Len() == 0 {
		return
	}
	if l, ok := m.leases.Row(path); ok && l.State == lease.Active {
		m.leases.Kill(l, m.at, forced)
	}
	m.leases.Cut(path+"/", forced)
}

// depart lets go of a mount that was disabled, once nothing of it is left.
func (m *Machine) depart(uuid string) {
	if _, ok := m.leaving[uuid]; ok && m.leases.OfMount(uuid) == 0 {
		delete(m.leaving, uuid)
		delete(m.stores, uuid)
	}
}

// inherit takes over what the present state has lent and m, which takes its place, knows nothing of: it is revoked.
func (m *Machine) inherit(now *Machine) {
	known := map[string]bool{}
	for _, mt := range m.mounts { // order: a set
		known[mt.UUID] = true
	}
	m.leases.Inherit(&now.leases, m.at, func(uuid string) {
		if _, leaves := m.leaving[uuid]; known[uuid] || leaves {
			return
		}
		mt, ok := now.leaving[uuid]
		if !ok {
			mt = now.mountByUUID(uuid)
		}
		m.leaving[uuid] = mt
		m.keep(uuid, now.stores[uuid])
	})
}

func (e *mounting) mountByUUID(uuid string) mount.Mount {
	for _, mt := range e.mounts { // order: no two have the same
		if mt.UUID == uuid {
			return mt
		}
	}
	return mount.Mount{}
}

// checkLeases verifies what the book cannot know: that owners are tokens, and mounts are there.
func (m *Machine) checkLeases() error {
	if err := m.leases.Check(m.at); err != nil {
		return err
	}
	for h := range m.leases.Owners {
		if m.forest.Find(h) == 0 {
			return fmt.Errorf("leases of token %s, which is gone", h)
		}
	}
	known := map[string]bool{}
	for _, mt := range m.mounts { // order: a set
		known[mt.UUID] = true
	}
	for uuid, mt := range m.leaving { // order: any failure will do
		if known[uuid] || mt.UUID != uuid || m.leases.OfMount(uuid) == 0 {
			return fmt.Errorf("mount %s leaves with %d leases, is there: %v", uuid, m.leases.OfMount(uuid), known[uuid])
		}
		known[uuid] = true
	}
	var wrong error
	m.leases.Walk("", "", func(l *lease.Lease) bool {
		if !known[l.Mount] {
			wrong = fmt.Errorf("lease %s of mount %s, which is gone", l.ID, l.Mount)
		}
		return wrong == nil
	})
	return wrong
}

// frozenLeasing is an image of leasing, in O(mounts that leave).
type frozenLeasing struct {
	leases  *lease.Image
	leaving []mount.Mount
}

func (e *leasing) freeze() frozenLeasing {
	return frozenLeasing{e.leases.Freeze(), sortedValues(e.leaving)}
}

// rows yields what there is of leases, in the order in which Restore takes it.
func (f *frozenLeasing) rows(yield func(RowKind, any) error) error {
	if h := f.leases.Header(); h != (lease.Header{}) {
		if err := yield(RowLeases, h); err != nil {
			return err
		}
	}
	if err := f.leases.Leases(func(l *lease.Lease) error { return yield(RowLease, *l) }); err != nil {
		return err
	}
	if err := rowsOf(RowDying, f.leases.Dying(), yield); err != nil {
		return err
	}
	if err := rowsOf(RowCut, f.leases.Cuts(), yield); err != nil {
		return err
	}
	return rowsOf(RowLeaving, f.leaving, yield)
}

func (e *leasing) restoreRow(kind RowKind, body []byte) error {
	switch kind {
	case RowLeases:
		return decodeRow(body, func(h lease.Header) error { return e.leases.Restore(h) })
	case RowLease:
		return decodeRow(body, func(l lease.Lease) error { return e.leases.Restore(l) })
	case RowDying:
		return decodeRow(body, func(d lease.DyingRow) error { return e.leases.Restore(d) })
	case RowCut:
		return decodeRow(body, func(c lease.Cut) error { return e.leases.Restore(c) })
	}
	return decodeRow(body, func(mt mount.Mount) error { return putOnce(e.leaving, mt.UUID, mt) })
}

// Lease returns the lease with an ID that is alive.
func (m *Machine) Lease(id string, now token.Instant) (lease.Lease, bool) {
	l, ok := m.leased(id, m.Now(now))
	if !ok {
		return lease.Lease{}, false
	}
	return *l, true
}

// CountLeases counts the leases that are alive, by the path of their mount. It looks at all of them.
func (m *Machine) CountLeases(now token.Instant) map[string]int {
	now = m.Now(now)
	counts, paths := map[string]int{}, map[string]string{}
	for _, mt := range m.mounts { // order: a map of them
		paths[mt.UUID] = mt.Path
	}
	m.leases.Walk("", "", func(l *lease.Lease) bool {
		if m.leaseAlive(l, now) {
			counts[paths[l.Mount]]++
		}
		return true
	})
	return counts
}

// leaseNames lists leases as Leases does.
func (m *Machine) leaseNames(prefix string, now token.Instant) []string {
	return m.leases.Names(prefix, func(l *lease.Lease) bool { return m.leaseAlive(l, now) })
}

// mergeNames merges two lists of names.
func mergeNames(a, b []string) []string {
	if len(b) == 0 {
		return a
	}
	all := append(a, b...)
	slices.Sort(all)
	return slices.Compact(all)
}
