package cluster_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

// TestReadsSeeWhatWasAcknowledged: a read that starts after a write was acknowledged, anywhere,
// sees it, on every node, while leaders are cut off, alone or from one follower only.
func TestReadsSeeWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Multiplier: 1})
	var acknowledged, reads atomic.Uint64 // the greatest index; how many reads were served
	stop := make(chan struct{})
	var running sync.WaitGroup
	loop := func(f func(ctx context.Context)) {
		running.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
				f(ctx)
				cancel()
			}
		})
	}
	for _, n := range c.Nodes {
		loop(func(ctx context.Context) {
			r, err := n.Propose(ctx, newToken(c, 0))
			for err == nil {
				old := acknowledged.Load()
				if old >= r.Index || acknowledged.CompareAndSwap(old, r.Index) {
					return
				}
			}
		})
		for range 3 {
			loop(func(ctx context.Context) {
				before := acknowledged.Load()
				if n.Barrier(ctx) != nil {
					return // no leader in time: it says so
				}
				var index uint64
				n.View(func(m *fsm.Machine) { index = m.Index() })
				if index < before {
					t.Errorf("a read on %s is at index %d, %d was acknowledged before it", n.Name, index, before)
				}
				reads.Add(1)
			})
		}
	}
	progress := func(what string) {
		t.Helper()
		a, r := acknowledged.Load(), reads.Load()
		harness.Await(t, what, func() bool { return acknowledged.Load() > a+10 && reads.Load() > r+10 })
	}
	progress("reads and writes")
	for range 2 {
		old := c.Leader()
		c.Isolate(old)
		progress("reads and writes without the leader")
		c.Heal()
		progress("reads and writes afterwards")
		leader := c.Leader()
		c.Partition([]*harness.Node{leader}, c.Followers()[:1])
		progress("reads and writes while the leader misses a follower")
		c.Heal()
		progress("reads and writes at the end")
	}
	close(stop)
	running.Wait()
}
