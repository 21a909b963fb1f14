package cluster

import (
	"context"
	"testing"
	"time"
)

// TestRounds: who asks while a round is under way is not served by it.
func TestRounds(t *testing.T) {
	t.Parallel()
	began, finish := make(chan time.Time), make(chan uint64)
	q := &rounds{
		ask:    func(start time.Time) (uint64, error) { began <- start; return <-finish, nil },
		spawn:  func(f func()) bool { go f(); return true },
		closed: make(chan struct{}),
	}
	get := func() chan uint64 {
		c := make(chan uint64, 1)
		go func() {
			i, err := q.get(context.Background())
			if err != nil {
				t.Error(err)
			}
			c <- i
		}()
		return c
	}
	first := get()
	<-began
	before := time.Now()
	second := get()
	awaitNext(t, q)
	third := get()
	finish <- 1
	if i := <-first; i != 1 {
		t.Errorf("first got %d", i)
	}
	if start := <-began; start.Before(before) {
		t.Error("the second round is less patient than the first who asked for it")
	}
	finish <- 2
	if i := <-second; i != 2 {
		t.Errorf("one who asked during round 1 got %d, want 2", i)
	}
	select {
	case i := <-third:
		if i != 2 {
			t.Errorf("third got %d", i)
		}
	case <-began: // it came after the second round had begun
		finish <- 3
		if i := <-third; i != 3 {
			t.Errorf("third got %d, want 3", i)
		}
	}
}

// awaitNext waits until somebody has asked for the next round.
func awaitNext(t *testing.T, q *rounds) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(10 * time.Second); ; {
		q.mu.Lock()
		asked := q.next != nil
		q.mu.Unlock()
		if asked {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody asked")
		}
		<-tick.C
	}
}

func TestRoundsEnd(t *testing.T) {
	t.Parallel()
	block := make(chan struct{})
	defer close(block)
	closed := make(chan struct{})
	q := &rounds{ask: func(time.Time) (uint64, error) { <-block; return 0, nil }, spawn: func(f func()) bool { go f(); return true }, closed: closed}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := q.get(ctx); err == nil {
		t.Error("get outlived its context")
	}
	close(closed)
	if _, err := q.get(context.Background()); err == nil {
		t.Error("get outlived the node")
	}
}
