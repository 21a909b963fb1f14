package cluster_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/test/harness"
)

// BenchmarkPropose is the cluster's own cost of a write: creates on three nodes in one process.
func BenchmarkPropose(b *testing.B) {
	c := harness.Start(b, harness.Options{Nodes: 3})
	l, f := c.Leader().Node, c.Followers()[0].Node
	for _, on := range []struct {
		name  string
		nodes []*cluster.Node
	}{{"leader", []*cluster.Node{l}}, {"follower", []*cluster.Node{f}}, {"all", survivors(c)}} {
		for _, clients := range []int{1, 32} {
			b.Run(fmt.Sprintf("%s/%d", on.name, clients), func(b *testing.B) {
				b.ReportAllocs()
				var left, next atomic.Int64
				left.Store(int64(b.N))
				done := make(chan []time.Duration)
				for range clients {
					go func() {
						var took []time.Duration
						n := on.nodes[int(next.Add(1))%len(on.nodes)]
						for left.Add(-1) >= 0 {
							start := time.Now()
							if r, err := n.Propose(ctx, newToken(c, 0)); err != nil || r.Err() != nil {
								b.Errorf("%+v, %v", r, err)
							}
							took = append(took, time.Since(start))
						}
						done <- took
					}()
				}
				var all []time.Duration
				for range clients {
					all = append(all, <-done...)
				}
				cluster.ReportMedian(b, all)
			})
		}
	}
}

// BenchmarkBarrier is the cost of a linearizable read index.
func BenchmarkBarrier(b *testing.B) {
	c := harness.Start(b, harness.Options{Nodes: 3})
	for name, n := range map[string]*harness.Node{"leader": c.Leader(), "follower": c.Followers()[0]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := n.Barrier(ctx); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
