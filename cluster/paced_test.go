package cluster

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/hashicorp/raft"
)

// TestStateFile: the file that Raft's store is writing to is where it is looked for.
func TestStateFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := raft.NewFileSnapshotStore(dir, 1, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	_, trans := raft.NewInmemTransport("")
	sink, err := store.Create(raft.SnapshotVersionMax, 1, 1, raft.Configuration{}, 1, trans)
	if err != nil {
		t.Fatal(err)
	}
	defer sink.Cancel()
	file, err := stateFile(dir, sink.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := syncData(file); err != nil {
		t.Error(err)
	}
}

func TestPaced(t *testing.T) {
	t.Parallel()
	var to bytes.Buffer
	closing := make(chan struct{})
	p := newPaced(&to, closing)
	for _, part := range []string{"a", "bc", ""} {
		if n, err := p.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write(%q): %d, %v", part, n, err)
		}
	}
	if to.String() != "abc" {
		t.Errorf("wrote %q, want \"abc\"", to.String())
	}
	synced := 0
	p.sync = func() error { synced++; return nil }
	for range 3 {
		if _, err := p.Write(make([]byte, syncEvery/2)); err != nil {
			t.Fatal(err)
		}
	}
	if synced != 1 {
		t.Errorf("synced %d times after one and a half of what gathers, want 1", synced)
	}
	full := errors.New("the disk is full")
	p.sync = func() error { return full }
	if _, err := p.Write(make([]byte, syncEvery/2)); !errors.Is(err, full) {
		t.Errorf("a disk that is full: %v, want %v", err, full)
	}
	p.since = p.since.Add(-1 << 40) // it would rest for a quarter of an hour
	close(closing)
	if _, err := p.Write([]byte("d")); !errors.Is(err, errClosing) {
		t.Errorf("closing: %v, want %v", err, errClosing)
	}
}
