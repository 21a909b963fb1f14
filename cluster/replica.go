package cluster

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/snapshot"
)

// replica is the machine with its lock, as Raft drives it. Raft calls ApplyBatch,
// Snapshot and Restore on one goroutine, never at the same time; Persist runs beside them.
type replica struct {
	mu      sync.RWMutex
	machine *fsm.Machine

	applied atomic.Uint64
	waiting
	woken chan struct{} // something was applied: for the leader's own loops

	log     hclog.Logger
	failed  chan error
	broken  atomic.Pointer[error]
	stopped chan struct{} // closed when broken
	home
	hashing *hashing

	restoring
}

// home is where a replica lives.
type home struct {
	closing <-chan struct{} // closed with the node; nil: never
	dir     string          // where Raft keeps snapshots
	// installed is called at the end of each Restore.
	installed func()
}

// waiting is who waits for an index.
type waiting struct {
	waitMu  sync.Mutex
	waiters []waiter
}

// waiter waits until index is applied.
type waiter struct {
	index uint64
	done  chan struct{}
}

func newReplica(log hclog.Logger) *replica {
	r := &replica{machine: fsm.New(), woken: make(chan struct{}, 1), log: log, failed: make(chan error, 1), stopped: make(chan struct{}), hashing: newHashing()}
	r.installed = func() {}
	r.hashing.fail = r.fail
	return r
}

// outcome is what ApplyBatch returns for one log entry.
type outcome struct {
	results []fsm.Result
	err     error
}

// Apply implements raft.FSM; Raft uses ApplyBatch.
func (r *replica) Apply(l *raft.Log) any { return r.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch implements raft.BatchingFSM.
func (r *replica) ApplyBatch(logs []*raft.Log) []any {
	out := make([]any, len(logs))
	for len(logs) > 0 {
		n, index := r.applySome(logs, out[len(out)-len(logs):])
		r.wake(index)
		logs = logs[n:]
	}
	return out
}

// applySome applies at least one entry, and all of them unless dead tokens wait to be reclaimed: then
// every entry takes a few milliseconds, and readers must not wait for more than one of them.
func (r *replica) applySome(logs []*raft.Log, out []any) (n int, index uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n < len(logs) && (n == 0 || !r.machine.ReclaimPending()) {
		out[n] = r.apply(logs[n])
		n++
	}
	return n, r.machine.Index()
}

func (r *replica) apply(l *raft.Log) outcome {
	if err := r.failure(); err != nil {
		return outcome{err: fmt.Errorf("the replica has stopped: %w", err)}
	}
	if l.Type != raft.LogCommand {
		r.machine.Advance(l.Index)
		return outcome{}
	}
	if l.Index <= r.machine.Index() {
		return outcome{} // already in the snapshot that was restored
	}
	rs, err := r.machine.Apply(l.Index, l.Data)
	if err != nil {
		r.fail(err)
	} else {
		r.hashing.look(r.machine)
	}
	return outcome{results: rs, err: err}
}

// fail stops this replica for ever: going on could diverge from the others in silence.
func (r *replica) fail(err error) {
	r.stop(fmt.Errorf("state machine: %w", err))
}

// stop ends this replica, and with it the node.
func (r *replica) stop(err error) {
	if !r.broken.CompareAndSwap(nil, &err) {
		return
	}
	r.log.Error("this replica cannot be trusted any more and stops", "error", err)
	r.failed <- err
	close(r.stopped)
}

// failure returns why the replica has stopped, nil if it has not.
func (r *replica) failure() error {
	if err := r.broken.Load(); err != nil {
		return *err
	}
	return nil
}

func (r *replica) wake(index uint64) {
	r.waitMu.Lock()
	r.applied.Store(index)
	keep := r.waiters[:0]
	for _, w := range r.waiters {
		if w.index <= index {
			close(w.done)
		} else {
			keep = append(keep, w)
		}
	}
	r.waiters = keep
	r.waitMu.Unlock()
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// wait returns when index is applied.
func (r *replica) wait(ctx context.Context, index uint64) error {
	if r.applied.Load() >= index {
		return nil
	}
	w := waiter{index: index, done: make(chan struct{})}
	r.waitMu.Lock()
	if r.applied.Load() >= index {
		r.waitMu.Unlock()
		return nil
	}
	r.waiters = append(r.waiters, w)
	r.waitMu.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
		r.forget(w.done)
		return ctx.Err()
	}
}

func (r *replica) forget(done chan struct{}) {
	r.waitMu.Lock()
	defer r.waitMu.Unlock()
	for i, w := range r.waiters {
		if w.done == done {
			r.waiters = append(r.waiters[:i], r.waiters[i+1:]...)
			return
		}
	}
}

// view runs f under the read lock.
func (r *replica) view(f func(*fsm.Machine)) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	f(r.seen())
}

// Snapshot implements raft.FSM: an image in O(pages), written later by Persist.
func (r *replica) Snapshot() (raft.FSMSnapshot, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.failure(); err != nil {
		return nil, fmt.Errorf("the replica has stopped: %w", err)
	}
	begin := time.Now()
	i := image{Frozen: r.machine.Freeze(), log: r.log, closing: r.closing, dir: r.dir}
	r.log.Debug("froze the state for a snapshot", "index", i.Index(), "took", time.Since(begin))
	return i, nil
}

// Restore implements raft.FSM.
func (r *replica) Restore(rc io.ReadCloser) error {
	defer rc.Close()
	defer r.installed()
	begin := time.Now()
	m, err := snapshot.Read(rc)
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.swap(m)
	r.mu.Unlock()
	r.wake(m.Index())
	r.log.Info("restored a snapshot", "index", m.Index(), "took", time.Since(begin))
	// What it took to restore, and the state before, is garbage as large as the state itself, and
	// nothing else that a node does would make the collector look for it soon.
	debug.FreeOSMemory()
	return nil
}

// image is a frozen machine on its way to disk.
type image struct {
	*fsm.Frozen
	log     hclog.Logger
	closing <-chan struct{}
	dir     string // of the node; "": the sink is no file
}

// Persist implements raft.FSMSnapshot.
func (i image) Persist(sink raft.SnapshotSink) error {
	begin := time.Now()
	to := newPaced(sink, i.closing)
	if file, err := stateFile(i.dir, sink.ID()); err == nil {
		defer file.Close()
		to.sync = func() error { return syncData(file) }
	} else {
		i.log.Debug("the snapshot reaches the disk at its end only", "error", err)
	}
	if err := snapshot.Write(to, i.Frozen); err != nil {
		sink.Cancel()
		return err
	}
	i.log.Debug("wrote a snapshot", "index", i.Index(), "took", time.Since(begin))
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (image) Release() {}
