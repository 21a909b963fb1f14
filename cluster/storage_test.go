package cluster

import (
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

func TestStalledDisk(t *testing.T) {
	t.Parallel()
	stall := make(chan struct{})
	defer close(stall)
	err := withDeadline(20*time.Millisecond, func() error { <-stall; return nil })
	if !errors.Is(err, errStalled) {
		t.Errorf("a write that never ends: %v, want errStalled", err)
	}
	want := errors.New("no space")
	if err := withDeadline(time.Minute, func() error { return want }); !errors.Is(err, want) {
		t.Errorf("a write that fails: %v", err)
	}
}

func TestLogStore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := openStore(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !raft.MonotonicLogStore(s).IsMonotonic() {
		t.Error("the store does not say that it is monotonic")
	}
	if err := s.StoreLogs([]*raft.Log{{Index: 1, Term: 1, Data: []byte("x")}}); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(dir); err == nil {
		t.Error("the log was opened twice")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s, err = openStore(dir); err != nil {
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
