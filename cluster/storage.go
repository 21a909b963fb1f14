package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/migrate"
	"github.com/hashicorp/raft-wal/segment"
	"go.etcd.io/bbolt"
)

// writeDeadline is how long one write of the log may take before the disk counts as stalled.
const writeDeadline = 10 * time.Second

// errStalled is what a stalled disk looks like to Raft: a leader steps down.
var errStalled = errors.New("the disk did not finish a log write in time")

// errFull is why writes stall while the next segment waits for room.
var errFull = fmt.Errorf("the log needs its next file of %d MiB: %w", segmentBytes>>20, syscall.ENOSPC)

// errClosed is what a write gets that comes after Close.
var errClosed = errors.New("the log is closed")

// logStore wraps Raft's stores with what DESIGN lists as hazards of the library:
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
	writes   chan write    // to the one goroutine that writes
	closed   chan struct{}
	failed   atomic.Pointer[error]
	mayVote  func() bool // nil: always
	full     func() bool // whether the next segment waits for room; nil: unknown
	setback  setback
}

// openStore opens the log, DataDir/wal, and what Raft keeps besides (term and vote),
// DataDir/raft.db.
func openStore(dir string, log hclog.Logger) (*logStore, error) {
	path := filepath.Join(dir, "raft.db")
	b, err := raftboltdb.New(raftboltdb.Options{
		Path: path,
		// The free list is not written with every commit, and kept as a map.
		BoltOptions: &bbolt.Options{NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, Timeout: time.Second},
	})
	if err != nil {
		return nil, fmt.Errorf("opening %s (is another grove using it?): %w", path, err)
	}
	w, err := openLog(filepath.Join(dir, "wal"), log)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	closeAll := func() error { return errors.Join(w.Close(), b.Close()) }
	if err := adopt(w.WAL, b); err != nil {
		return nil, errors.Join(fmt.Errorf("moving the log of %s to %s: %w", path, filepath.Join(dir, "wal"), err), closeAll())
	}
	s := newLogStore(&logCache{LogStore: w}, b, closeAll)
	s.full = w.segments.full.Load
	return s, nil
}

// segmented is a write-ahead log and the files below it.
type segmented struct {
	*wal.WAL
	segments *segments
}

// Close closes both: what waits for room in the files ends first.
func (s *segmented) Close() error { return errors.Join(s.segments.close(), s.WAL.Close()) }

// openLog opens the write-ahead log in dir.
func openLog(dir string, log hclog.Logger) (*segmented, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	s, err := newSegments(dir)
	if err != nil {
		return nil, err
	}
	w, err := wal.Open(dir, wal.WithLogger(log), wal.WithSegmentSize(segmentBytes), wal.WithSegmentFiler(segment.NewFiler(dir, s)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the log %s: %w", dir, err), s.close())
	}
	s.mu.Lock()
	s.opened = true
	s.mu.Unlock()
	return &segmented{w, s}, nil
}

// adopt moves the entries that an earlier build kept in raft.db into the log. They are
// deleted there last: as long as there are any, what the log holds is a copy that was cut short.
func adopt(w *wal.WAL, old *raftboltdb.BoltStore) error {
	first, err := old.FirstIndex()
	if err != nil || first == 0 {
		return err
	}
	last, err := old.LastIndex()
	if err != nil {
		return err
	}
	if at, err := w.LastIndex(); err != nil {
		return err
	} else if at > 0 {
		if err := w.DeleteRange(1, at); err != nil {
			return err
		}
	}
	if err := migrate.CopyLogs(context.Background(), w, old, 1<<20, nil); err != nil {
		return err
	}
	return old.DeleteRange(first, last)
}

func newLogStore(log raft.LogStore, stable raft.StableStore, close func() error) *logStore {
	s := &logStore{log: log, stable: stable, close: close, deadline: writeDeadline, turn: make(chan struct{}, 1), writes: make(chan write), closed: make(chan struct{})}
	go s.work()
	return s
}

// write is one write to the disk, and how it ends. done and late have room for one value.
type write struct {
	do, undo func() error
	done     chan error
	late     chan bool
}

// work does one write after the other until the store is closed. A new goroutine for each would
// grow its stack anew.
func (s *logStore) work() {
	for {
		var w write
		select {
		case w = <-s.writes:
		case <-s.closed:
			return
		}
		err := w.do()
		w.done <- err
		if <-w.late && err == nil && w.undo() != nil {
			continue // keeps its turn
		}
		<-s.turn
	}
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
		s.setback.note(time.Now())
	} else {
		s.failed.Store(nil)
	}
	return err
}

// failure returns why the last write of entries failed, nil if it did not: what an operator
// must hear of when a full or broken disk keeps a cluster from having a leader.
func (s *logStore) failure() error {
	if s.full != nil && s.full() {
		return errFull
	}
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
	w := write{do, undo, make(chan error, 1), make(chan bool, 1)}
	select {
	case s.writes <- w: // whoever has the turn finds work idle, or about to be
	case <-s.closed:
		<-s.turn
		return errClosed
	}
	select {
	case err := <-w.done:
		w.late <- false
		return err
	case <-t.C:
		w.late <- true
		return errStalled
	}
}

// Set implements raft.StableStore.
func (s *logStore) Set(key, val []byte) error { return s.stable.Set(key, val) }

// Get implements raft.StableStore.
func (s *logStore) Get(key []byte) ([]byte, error) { return s.stable.Get(key) }

// SetUint64 implements raft.StableStore.
// Raft notes a vote before it gives one, and gives none that it could not note.
func (s *logStore) SetUint64(key []byte, val uint64) error {
	if s.mayVote != nil && string(key) == "LastVoteTerm" && !s.mayVote() {
		return forgetful
	}
	return s.stable.SetUint64(key, val)
}

// GetUint64 implements raft.StableStore.
func (s *logStore) GetUint64(key []byte) (uint64, error) { return s.stable.GetUint64(key) }

// Close closes the store.
func (s *logStore) Close() error {
	close(s.closed)
	return s.close()
}
