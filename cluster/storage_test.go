package cluster

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// slowLog stalls its next write until released.
type slowLog struct {
	*raft.InmemStore
	stall chan struct{} // nil: no stall
	fail  error
}

func (s *slowLog) StoreLogs(logs []*raft.Log) error {
	if s.stall != nil {
		<-s.stall
	}
	if s.fail != nil {
		return s.fail
	}
	return s.InmemStore.StoreLogs(logs)
}

func stalling(deadline time.Duration) (*slowLog, *logStore) {
	mem := raft.NewInmemStore()
	slow := &slowLog{InmemStore: mem, stall: make(chan struct{})}
	s := newLogStore(slow, mem, func() error { return nil })
	s.deadline = deadline
	return slow, s
}

func TestStalledDisk(t *testing.T) {
	t.Parallel()
	slow, s := stalling(20 * time.Millisecond)
	old := []*raft.Log{{Index: 1, Term: 1}, {Index: 2, Term: 1}}
	if err := s.StoreLogs(old); !errors.Is(err, errStalled) {
		t.Fatalf("a write that never ends: %v, want errStalled", err)
	}
	if err := s.StoreLog(&raft.Log{Index: 1, Term: 2}); !errors.Is(err, errStalled) {
		t.Errorf("a write beside a stalled one: %v, want errStalled", err)
	}
	if err := s.DeleteRange(1, 1); !errors.Is(err, errStalled) {
		t.Errorf("a deletion beside a stalled write: %v, want errStalled", err)
	}
	// The disk recovers: what Raft believes to have failed must not be there, also not after
	// entries of a newer term.
	s.deadline = time.Minute
	close(slow.stall)
	if err := s.StoreLog(&raft.Log{Index: 1, Term: 2}); err != nil {
		t.Fatal(err)
	}
	if last, err := s.LastIndex(); last != 1 || err != nil {
		t.Errorf("last index %d, %v; want 1: the late write was kept", last, err)
	}
	var l raft.Log
	if err := s.GetLog(1, &l); err != nil || l.Term != 2 {
		t.Errorf("entry 1 is of term %d, %v; want 2", l.Term, err)
	}
}

func TestFailingDisk(t *testing.T) {
	t.Parallel()
	slow, s := stalling(time.Minute)
	slow.stall, slow.fail = nil, errors.New("no space")
	if err := s.StoreLog(&raft.Log{Index: 1}); !errors.Is(err, slow.fail) {
		t.Errorf("a write that fails: %v", err)
	}
	slow.fail = nil
	if err := s.StoreLog(&raft.Log{Index: 1}); err != nil {
		t.Errorf("the next write: %v", err)
	}
}

func TestLogStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openStore(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if !raft.MonotonicLogStore(s).IsMonotonic() {
		t.Error("the store does not say that it is monotonic")
	}
	if err := s.StoreLogs([]*raft.Log{{Index: 1, Term: 1, Data: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(dir, hclog.NewNullLogger()); err == nil {
		t.Error("the log was opened twice")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openStore(dir, hclog.NewNullLogger()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var l raft.Log
	if err := s.GetLog(1, &l); err != nil || string(l.Data) != "x" {
		t.Errorf("log 1 is %q, %v", l.Data, err)
	}
}

func TestHeartbeatsTakeTheMainPath(t *testing.T) {
	t.Parallel()
	called := false
	tr := transport{}
	tr.SetHeartbeatHandler(func(raft.RPC) { called = true })
	if called {
		t.Error("the handler was kept")
	}
	var _ raft.WithPreVote = tr
	var _ raft.WithClose = tr
}

// TestFullDiskIsNamed: the last failed write is remembered for the operator, until one succeeds.
func TestFullDiskIsNamed(t *testing.T) {
	t.Parallel()
	slow, s := stalling(time.Minute)
	slow.stall = nil
	slow.fail = errors.New("no space left on device")
	if err := s.StoreLog(&raft.Log{Index: 1, Term: 1}); !errors.Is(err, slow.fail) || !errors.Is(s.failure(), slow.fail) {
		t.Errorf("write: %v, remembered: %v, want both %v", err, s.failure(), slow.fail)
	}
	slow.fail = nil
	if err := s.StoreLog(&raft.Log{Index: 1, Term: 1}); err != nil || s.failure() != nil {
		t.Errorf("the disk has room again: %v, remembered: %v", err, s.failure())
	}
}

// TestSetback: a node whose log fails is kept out of elections, the longer the more often, and is forgiven
// after it has worked for a while.
func TestSetback(t *testing.T) {
	t.Parallel()
	var s setback
	now := time.Now()
	if left := s.left(now); left > 0 {
		t.Fatalf("a new node has a setback of %s", left)
	}
	for _, want := range []time.Duration{10, 20, 40, 60, 60} {
		s.note(now)
		s.note(now.Add(time.Millisecond)) // the same trouble
		now = now.Add(time.Millisecond)
		if left := s.left(now); left != want*time.Second {
			t.Errorf("a setback of %s, want %ds", left, want)
		}
		now = now.Add(want*time.Second + time.Millisecond)
	}
	now = now.Add(2 * lastSetback)
	if s.note(now); s.left(now) != firstSetback {
		t.Errorf("after a time without trouble: %s, want %s", s.left(now), firstSetback)
	}
}

// TestBoltOptions: what Raft keeps besides the log does not rewrite a free list with every commit.
func TestBoltOptions(t *testing.T) {
	t.Parallel()
	s, err := openStore(t.TempDir(), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	conn := reflect.ValueOf(s.stable).Elem().FieldByName("conn").Elem()
	if !conn.FieldByName("NoFreelistSync").Bool() {
		t.Error("the free list is written with every commit")
	}
	if got := conn.FieldByName("FreelistType").String(); got != string(bbolt.FreelistMapType) {
		t.Errorf("the free list is kept as %q, want a map", got)
	}
}
