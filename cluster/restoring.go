package cluster

import (
	"sync/atomic"

	"github.com/tokengrove/grove/fsm"
)

// restoring is what a replica of a leader shows while a snapshot is restored. Raft makes the leader
// restore first, and commits afterwards: until a majority has the snapshot, this leader may
// still lose its place to one without it, and nobody must have seen any of the restored state. So reads that got their index
// before see the state from before, and no new ones are given an index (isHeld): they wait.
type restoring struct {
	held   atomic.Bool
	before *fsm.Machine // guarded by the replica's lock; nil: nothing is restored
	took   bool         // the machine was replaced while it was held
}

// hold keeps what is visible as it is.
func (r *replica) hold() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before, r.took = r.machine, false
	r.held.Store(true)
}

// release shows the state as it is now.
func (r *replica) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.before = nil
	r.held.Store(false)
}

// isHeld reports whether no read may begin.
func (r *restoring) isHeld() bool { return r.held.Load() }

// swap replaces the machine. The replica's lock is held.
func (r *replica) swap(m *fsm.Machine) { r.machine, r.took = m, true }

// swapped reports whether the machine was replaced since hold.
func (r *replica) swapped() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.took
}

// seen is the machine that reads see. The replica's lock is held.
func (r *replica) seen() *fsm.Machine {
	if r.before != nil {
		return r.before
	}
	return r.machine
}
