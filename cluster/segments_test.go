package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb/v2"
)

// TestSegments: the log outgrows its first files, is cut at both ends, and is there again when
// it is opened anew.
func TestSegments(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func() *logStore {
		s, err := openStore(dir, hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := open()
	entry := func(i uint64) []byte { return bytes.Repeat([]byte{byte(i)}, 1<<20) }
	for i := uint64(1); i <= 20; i++ {
		if err := s.StoreLog(&raft.Log{Index: i, Term: 1, Data: entry(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.DeleteRange(1, 12); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteRange(19, 20); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "wal", spareName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a spare segment was left behind: %v", err)
	}
	s = open()
	defer s.Close()
	first, _ := s.FirstIndex()
	last, _ := s.LastIndex()
	if first != 13 || last != 18 {
		t.Errorf("the log goes from %d to %d, want 13 to 18", first, last)
	}
	for i := first; i <= last; i++ {
		var l raft.Log
		if err := s.GetLog(i, &l); err != nil || !bytes.Equal(l.Data, entry(i)) {
			t.Errorf("entry %d: %d bytes, %v", i, len(l.Data), err)
		}
	}
	if err := s.StoreLog(&raft.Log{Index: 19, Term: 2, Data: []byte("new")}); err != nil {
		t.Error(err)
	}
}

// TestSpareOfACrash: a spare segment that a crash left behind is no obstacle.
func TestSpareOfACrash(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "wal")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, spareName), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := openLog(dir, hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.StoreLog(&raft.Log{Index: 1, Term: 1}); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// TestAdopt: the log of a build that kept it in raft.db is moved, also when an earlier attempt
// was cut short.
func TestAdopt(t *testing.T) {
	t.Parallel()
	for _, copied := range []uint64{0, 3} {
		t.Run(fmt.Sprintf("%d copied", copied), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			old, err := raftboltdb.NewBoltStore(filepath.Join(dir, "raft.db"))
			if err != nil {
				t.Fatal(err)
			}
			w, err := openLog(filepath.Join(dir, "wal"), hclog.NewNullLogger())
			if err != nil {
				t.Fatal(err)
			}
			for i := uint64(5); i <= 10; i++ {
				l := &raft.Log{Index: i, Term: 7, Data: fmt.Append(nil, i)}
				if err := old.StoreLog(l); err != nil {
					t.Fatal(err)
				}
				if i < 5+copied {
					if err := w.StoreLog(l); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := errors.Join(old.SetUint64([]byte("CurrentTerm"), 7), old.Close(), w.Close()); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time there is nothing to move
				s, err := openStore(dir, hclog.NewNullLogger())
				if err != nil {
					t.Fatal(err)
				}
				first, _ := s.FirstIndex()
				last, _ := s.LastIndex()
				var l raft.Log
				err = s.GetLog(8, &l)
				if first != 5 || last != 10 || err != nil || string(l.Data) != "8" || l.Term != 7 {
					t.Errorf("the log goes from %d to %d; entry 8 is %q of term %d, %v", first, last, l.Data, l.Term, err)
				}
				if v, err := s.GetUint64([]byte("CurrentTerm")); v != 7 || err != nil {
					t.Errorf("the term is %d, %v; want 7", v, err)
				}
				if err := s.Close(); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestSegmentWaitsForRoom: a disk that is full when the log needs its next file is named as the reason, and
// the log goes on by itself when there is room.
func TestSegmentWaitsForRoom(t *testing.T) {
	t.Parallel()
	w, err := openLog(filepath.Join(t.TempDir(), "wal"), hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	segs := w.segments
	segs.busy.Wait() // the spare is there
	if err := errors.Join(segs.spare.Close(), os.Remove(segs.spare.Name())); err != nil {
		t.Fatal(err)
	}
	var full atomic.Bool
	full.Store(true)
	segs.spare = nil
	segs.fill = func(path string, size uint64) (*os.File, error) {
		if full.Load() {
			return nil, &os.PathError{Op: "write", Path: path, Err: syscall.ENOSPC}
		}
		return filled(path, size)
	}
	s := newLogStore(w, raft.NewInmemStore(), w.Close)
	s.full = segs.full.Load
	const entries = 12 // more than one file holds
	stored := make(chan error, 1)
	go func() {
		for i := uint64(1); i <= entries; i++ {
			if err := s.StoreLog(&raft.Log{Index: i, Term: 1, Data: make([]byte, 1<<20)}); err != nil {
				stored <- err
				return
			}
		}
		stored <- nil
	}()
	deadline := time.Now().Add(time.Minute)
	for s.failure() == nil {
		if time.Now().After(deadline) {
			t.Fatal("nothing waits for room")
		}
		time.Sleep(time.Millisecond)
	}
	if err := s.failure(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("the reason is %v, want a full disk", err)
	}
	select {
	case err := <-stored:
		t.Fatalf("the writes ended on a full disk: %v", err)
	default:
	}
	full.Store(false)
	if err := <-stored; err != nil {
		t.Errorf("the disk has room again: %v", err)
	}
	if err := s.failure(); err != nil {
		t.Errorf("remembered: %v", err)
	}
	var l raft.Log
	for i := uint64(1); i <= entries; i++ {
		if err := s.GetLog(i, &l); err != nil || len(l.Data) != 1<<20 {
			t.Errorf("entry %d: %d bytes, %v", i, len(l.Data), err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
