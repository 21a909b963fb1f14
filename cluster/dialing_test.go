package cluster

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestPausedPeer: a peer that takes connections and says nothing, as a process that is stopped
// does, costs one connection, however many want to call it, and nobody who leaves waits for it.
func TestPausedPeer(t *testing.T) {
	t.Parallel()
	n := single(t)
	paused, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer paused.Close()
	var dials, under, most atomic.Int64
	dial := n.cfg.Tune.Dial
	n.cfg.Tune.Dial = func(addr string, timeout time.Duration) (net.Conn, error) {
		dials.Add(1)
		c, err := dial(addr, timeout)
		if err == nil {
			most.Store(max(most.Load(), under.Add(1)))
			c = &counted{Conn: c, under: &under}
		}
		return c, err
	}
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	for range 200 {
		calls.Go(func() {
			if _, err := n.calls.do(ctx, paused.Addr().String(), callTerm, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("a call that was left: %v, want %v", err, context.Canceled)
			}
		})
	}
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(time.Millisecond); dials.Load() == 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatal("nobody dials")
		}
	}
	cancel()
	calls.Wait()
	if most.Load() > 1 {
		t.Errorf("%d connections at once to a paused peer, want 1", most.Load())
	}
	// The next attempt is not the one that has failed.
	paused.Close()
	n.calls.mu.Lock()
	d := n.calls.dials[paused.Addr().String()]
	n.calls.mu.Unlock()
	if d != nil {
		<-d.done
	}
	before := dials.Load()
	if _, err := n.calls.do(t.Context(), paused.Addr().String(), callTerm, nil); err == nil || dials.Load() != before+1 {
		t.Errorf("a call after the failure: error %v, %d dials, want an error and one more", err, dials.Load()-before)
	}
}

// counted notes when a connection is closed.
type counted struct {
	net.Conn
	under *atomic.Int64
	once  sync.Once
}

func (c *counted) Close() error {
	c.once.Do(func() { c.under.Add(-1) })
	return c.Conn.Close()
}
