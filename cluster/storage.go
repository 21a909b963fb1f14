package cluster

import (
	"errors"
	"fmt"
	"path/filepath"
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
type logStore struct {
	*raftboltdb.BoltStore
	deadline time.Duration
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
	return &logStore{BoltStore: b, deadline: writeDeadline}, nil
}

// IsMonotonic implements raft.MonotonicLogStore.
func (s *logStore) IsMonotonic() bool { return true }

// StoreLog implements raft.LogStore.
func (s *logStore) StoreLog(l *raft.Log) error { return s.StoreLogs([]*raft.Log{l}) }

// StoreLogs implements raft.LogStore. The write itself goes on when the deadline has
// passed; Raft writes the same entries again before it counts on them.
func (s *logStore) StoreLogs(logs []*raft.Log) error {
	return withDeadline(s.deadline, func() error { return s.BoltStore.StoreLogs(logs) })
}

func withDeadline(d time.Duration, write func() error) error {
	done := make(chan error, 1)
	go func() { done <- write() }()
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return errStalled
	}
}
