package fsm

import (
	"fmt"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// BenchmarkRevokeTreeWithLeases kills 100,000 tokens that were lent 1,000 things: the entry that does it, which is what the client waits for,
// and all entries until everything is in the queue.
func BenchmarkRevokeTreeWithLeases(b *testing.B) {
	var first, all time.Duration
	for range b.N {
		l := newLoad(b)
		caller := func() Caller { return Caller{Token: benchRoot, Epoch: l.m.Epoch()} }
		parent := token.Hash{0xee}
		cs := []Command{
			&EnableMount{Caller: caller(), Mount: mount.Mount{Path: "hook/", Type: "webhook", UUID: "u", Accessor: "a"}},
			&CreateToken{Caller: caller(), Token: token.Record{Hash: parent, Accessor: "parent", Type: token.Service, Parent: benchRoot, Path: "auth/token/create", TTL: time.Hour, Policies: []string{policy.Root}}},
		}
		run := func(cs ...Command) {
			i := -1
			l.apply(l.entry(len(cs), func() Command { i++; return cs[i] }))
		}
		run(cs...)
		for n := 0; n < 100_000; n += 1000 {
			var cs []Command
			for i := n; i < n+1000; i++ {
				cs = append(cs, &CreateToken{Caller: Caller{Token: parent, Epoch: l.m.Epoch()}, Token: token.Record{
					Hash: token.Hash{0xdd, byte(i), byte(i >> 8), byte(i >> 16)}, Accessor: token.Accessor(fmt.Sprintf("child-%d", i)), Type: token.Service, Parent: parent,
					Path: "auth/token/create", TTL: time.Hour, Policies: []string{policy.Default},
				}})
			}
			run(cs...)
		}
		cs = nil
		for i := range 1000 {
			cs = append(cs, &IssueLease{
				Step:  Transact{Caller: Caller{Token: token.Hash{0xdd, byte(i), byte(i >> 8)}, Epoch: l.m.Epoch()}, Mount: "hook/", UUID: "u"},
				Draft: LeaseDraft{ID: fmt.Sprintf("hook/leases/%d", i), TTL: time.Hour, MaxTTL: time.Hour, Data: make([]byte, 300)},
			})
		}
		run(cs...)
		revoke := l.entry(1, func() Command { return &RevokeToken{Caller: caller(), Target: Target{Token: parent}} })
		begin := time.Now()
		l.apply(revoke)
		first += time.Since(begin)
		if n := l.m.CountRevocations(0).Pending; n != 1000 {
			b.Fatalf("%d revocations at once, want 1000", n)
		}
		begin = time.Now()
		for l.m.ReclaimPending() {
			run(&Tick{})
		}
		all += time.Since(begin)
	}
	b.ReportMetric(float64(first.Microseconds())/float64(b.N)/1000, "ms/revoke")
	b.ReportMetric(float64(all.Microseconds())/float64(b.N)/1000, "ms/reclaim")
}
