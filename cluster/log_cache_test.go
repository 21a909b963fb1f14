package cluster

import (
	"errors"
	"runtime"
	"testing"

	"github.com/hashicorp/raft"
)

// future is what Raft's entries are part of.
type future struct {
	log     raft.Log
	results *[1 << 20]byte
}

// holds reports whether the cache itself holds an entry, and the right one.
func (c *logCache) holds(t *testing.T, index uint64) bool {
	t.Helper()
	c.mu.RLock()
	held := c.first <= index && index < c.next
	c.mu.RUnlock()
	var l raft.Log
	if err := c.GetLog(index, &l); err == nil && l.Index != index {
		t.Errorf("entry %d read as %d", index, l.Index)
	}
	return held
}

func TestLogCache(t *testing.T) {
	t.Parallel()
	c := &logCache{LogStore: raft.NewInmemStore()}
	put := func(index uint64, size int) {
		t.Helper()
		if err := c.StoreLog(&raft.Log{Index: index, Term: index, Data: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	for i := uint64(1); i <= cachedEntries+10; i++ {
		put(i, 10)
	}
	for i, want := range map[uint64]bool{0: false, 10: false, 11: true, cachedEntries + 10: true, cachedEntries + 11: false} {
		if got := c.holds(t, i); got != want {
			t.Errorf("entry %d is held: %v, want %v", i, got, want)
		}
	}
	var l raft.Log
	if err := c.GetLog(1, &l); err != nil || l.Index != 1 {
		t.Errorf("an entry that is not held: %+v, %v", l, err)
	}
	if err := c.DeleteRange(cachedEntries+9, cachedEntries+10); err != nil {
		t.Fatal(err)
	}
	if err := c.GetLog(cachedEntries+10, &l); !errors.Is(err, raft.ErrLogNotFound) {
		t.Errorf("an entry that was deleted: %v, want %v", err, raft.ErrLogNotFound)
	}
	put(cachedEntries+9, 10) // again, another one
	if !c.holds(t, cachedEntries+9) || c.holds(t, cachedEntries+8) {
		t.Error("after a deletion the next entry alone must be held")
	}
	// Bytes bound it, too, and the latest is always held.
	next := uint64(cachedEntries + 10)
	for range 5 {
		put(next, cachedBytes/3)
		next++
	}
	if c.size > cachedBytes || !c.holds(t, next-3) || c.holds(t, next-4) {
		t.Errorf("%d bytes are held, at most %d, want the last three", c.size, cachedBytes)
	}
	put(next, cachedBytes+1)
	if !c.holds(t, next) || c.holds(t, next-1) {
		t.Error("of an entry above the bound, it alone must be held")
	}
	put(next+100, 1) // after a snapshot was installed
	if !c.holds(t, next+100) || c.holds(t, next) || c.size != 1 {
		t.Errorf("after a gap: %d bytes are held, want 1", c.size)
	}
}

// What an entry is part of does not stay alive with it.
func TestLogCacheKeepsNoResults(t *testing.T) {
	t.Parallel()
	c := &logCache{LogStore: &blackHole{}}
	gone := make(chan struct{})
	f := &future{log: raft.Log{Index: 1}, results: new([1 << 20]byte)}
	runtime.AddCleanup(f.results, func(struct{}) { close(gone) }, struct{}{})
	if err := c.StoreLogs([]*raft.Log{&f.log}); err != nil {
		t.Fatal(err)
	}
	f = nil
	for range 100 {
		runtime.GC()
		select {
		case <-gone:
			runtime.KeepAlive(c)
			return
		default:
		}
	}
	t.Error("the results of a stored entry are still alive")
}

// blackHole is a log that takes everything.
type blackHole struct{ raft.LogStore }

func (*blackHole) StoreLogs([]*raft.Log) error { return nil }
