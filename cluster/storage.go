package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	"go.etcd.io/bbolt"
)

// writeDeadline is how long one write of the log may take before the disk counts as stalled.
const writeDeadline = 10 * time.Second

// errStalled is what a stalled disk looks like to Raft: a leader steps down.
var errStalled = errors.New("the disk did not finish a log write in time")

// logStore wraps raft-boltdb with what DESIGN lists as hazards of the library:
//   - a write has a deadline: a leader whose disk stalls would stay leader (#503, #612, #614, #683);
//   - it says that it is monotonic: otherwise a diverged follower and a snapshot install can
//     go round in circles (#697).
//
// A write that was given up goes on in the background, and Raft believes that it failed. So
// nothing else is written until it has ended, and what it wrote after all is taken back:
// otherwise entries of an old term could come after, or over, those of a new one.
type logStore struct {
	log      raft.LogStore
	stable   raft.StableStore
	close    func() error
	deadline time.Duration
	turn     chan struct{} // holds one value while a write is under way
	failed   atomic.Pointer[error]
}

// openStore opens DataDir/raft.db.
func openStore(dir string) (*logStore, error) {
	path := filepath.Join(dir, "raft.db")
	b, err := raftboltdb.New(raftboltdb.Options{
		Path: path,
		// The free list is not written with every commit, and kept as a map.
		BoltOptions: &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, Timeout: time.Second},
	})
	if err != nil {
		return nil, fmt.Errorf("opening %s (is another grove using it?): %w", path, err)
	}
	return newLogStore(b, b, b.Close), nil
}

func newLogStore(log raft.LogStore, stable raft.StableStore, close func() error) *logStore {
	return &logStore{log: log, stable: stable, close: close, deadline: writeDeadline, turn: make(chan struct{}, 1)}
}

// IsMonotonic implements raft.MonotonicLogStore.
func (s *logStore) IsMonotonic() bool { return true }

// FirstIndex implements raft.LogStore.
func (s *logStore) FirstIndex() (uint64, error) { return s.log.FirstIndex() }

// LastIndex implements raft.LogStore.
func (s *logStore) LastIndex() (uint64, error) { return s.log.LastIndex() }

// GetLog implements raft.LogStore.
func (s *logStore) GetLog(index uint64, l *raft.Log) error { return s.log.GetLog(index, l) }

// StoreLog implements raft.LogStore.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	first, last := logs[0].Index, logs[len(logs)-1].Index
	err := s.write(func() error { return s.log.StoreLogs(logs) }, func() error { return s.log.DeleteRange(first, last) })
	if err != nil {
		s.failed.Store(&err)
	} else {
		s.failed.Store(nil)
	}
	return err
}

// failure returns why the last write of entries failed, nil if it did not: what an operator
// must hear of when a full or broken disk keeps a cluster from having a leader.
func (s *logStore) failure() error {
	if e := s.failed.Load(); e != nil {
		return *e
	}
	return nil
}

// DeleteRange implements raft.LogStore. To delete is never taken back: Raft asks for it
// again, or has a snapshot of what is gone.
func (s *logStore) DeleteRange(first, last uint64) error {
	return s.write(func() error { return s.log.DeleteRange(first, last) }, func() error { return nil })
}

// write runs do, alone, and gives it up at the deadline. What do achieves later, undo takes
// back before anything else is written; if that fails too, the store refuses for good.
func (s *logStore) write(do, undo func() error) error {
	t := time.NewTimer(s.deadline)
	defer t.Stop()
	select {
	case s.turn <- struct{}{}:
	case <-t.C:
		return errStalled
	}
	done, late := make(chan error, 1), make(chan bool, 1)
	go func() {
		err := do()
		done <- err
		if <-late && err == nil && undo() != nil {
			return // keeps its turn
		}
		<-s.turn
	}()
	select {
	case err := <-done:
		late <- false
		return err
	case <-t.C:
		late <- true
		return errStalled
	}
}

// Set implements raft.StableStore.
func (s *logStore) Set(key, val []byte) error { return s.stable.Set(key, val) }

// Get implements raft.StableStore.
func (s *logStore) Get(key []byte) ([]byte, error) { return s.stable.Get(key) }

// SetUint64 implements raft.StableStore.
func (s *logStore) SetUint64(key []byte, val uint64) error { return s.stable.SetUint64(key, val) }

// GetUint64 implements raft.StableStore.
func (s *logStore) GetUint64(key []byte) (uint64, error) { return s.stable.GetUint64(key) }

// Close closes the store.
func (s *logStore) Close() error { return s.close() }
