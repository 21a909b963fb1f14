package cluster_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/snapshot"
	"github.com/tokengrove/grove/test/harness"
)

// useRace has clients on nodes use up limited tokens, each until it is refused.
type useRace struct {
	granted []atomic.Int64 // per token: acknowledged uses
	unknown []atomic.Int64 // per token: uses of which the outcome is unknown
	refused atomic.Int64   // proposals that failed, certainly not applied
	wg      sync.WaitGroup
}

// startRace starts clients that go round the tokens. pause is between two uses of a client.
func startRace(nodes []*cluster.Node, clients int, hs []token.Hash) *useRace {
	r := &useRace{granted: make([]atomic.Int64, len(hs)), unknown: make([]atomic.Int64, len(hs))}
	for w := range clients {
		r.wg.Add(1)
		go func() {
			defer r.wg.Done()
			n := nodes[w%len(nodes)]
			for i := range hs {
				at := (i + w) % len(hs)
				for r.use(n, hs[at], at) {
				}
			}
		}()
	}
	return r
}

// use reports whether the token may have uses left.
func (r *useRace) use(n *cluster.Node, h token.Hash, at int) bool {
	res, err := n.Propose(ctx, &fsm.UseToken{Caller: fsm.Caller{Token: h, Epoch: 1}})
	var e *fsm.Error
	switch {
	case err == nil && res.Code == 0:
		r.granted[at].Add(1)
		return true
	case err == nil:
		return false
	case errors.As(err, &e) && e.Code == fsm.OutcomeUnknown:
		r.unknown[at].Add(1)
		return true
	default:
		r.refused.Add(1)
		return true
	}
}

// createAll makes tokens of so many uses, on all running nodes in turn.
func createAll(c *harness.Cluster, tokens int, uses uint32) []token.Hash {
	var up []*harness.Node
	for _, n := range c.Nodes {
		if n.Up() {
			up = append(up, n)
		}
	}
	var hs []token.Hash
	for i := range tokens {
		hs = append(hs, create(c, up[i%len(up)], uses))
	}
	return hs
}

func survivors(c *harness.Cluster, victims ...*harness.Node) []*cluster.Node {
	var ns []*cluster.Node
next:
	for _, n := range c.Nodes {
		for _, v := range victims {
			if n == v {
				continue next
			}
		}
		ns = append(ns, n.Node)
	}
	return ns
}

// TestUsesThroughLeaderKills counts: a token of N uses authorises exactly N requests, however often
// the leader dies meanwhile, and no proposal of a surviving node fails.
func TestUsesThroughLeaderKills(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	const uses, tokens = 5, 40
	for round := range 3 {
		hs := createAll(c, tokens, uses)
		victim := c.Leader()
		r := startRace(survivors(c, victim), 8, hs)
		victim.Kill()
		r.wg.Wait()
		for i := range hs {
			if g := r.granted[i].Load(); g != uses {
				t.Errorf("round %d token %d: %d uses granted, want %d", round, i, g, uses)
			}
		}
		if n := r.refused.Load(); n != 0 {
			t.Errorf("round %d: %d proposals of survivors failed", round, n)
		}
		victim.Start()
		c.AwaitVoters(3)
	}
}

// TestUsesThroughPartitions: the leader is cut off while it has writes under way. Its own
// clients may be told "unknown", but nothing is doubled and nothing is lost.
func TestUsesThroughPartitions(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Multiplier: 1})
	const uses, tokens = 5, 40
	for round := range 2 {
		hs := createAll(c, tokens, uses)
		r := startRace(survivors(c), 9, hs)
		old := c.Leader()
		c.Isolate(old)
		harness.Await(t, "another leader", func() bool {
			for _, n := range c.Nodes {
				if n != old && n.Status().IsLeader {
					return true
				}
			}
			return false
		})
		c.Heal()
		r.wg.Wait()
		for i := range hs {
			g, u := r.granted[i].Load(), r.unknown[i].Load()
			if g > uses || g+u < uses {
				t.Errorf("round %d token %d: %d uses granted and %d unknown, want %d", round, i, g, u, uses)
			}
		}
	}
}

// TestUsesThroughLostAnswers cuts the followers' connections again and again, so that answers to
// what was applied are lost: a number that is sent again must not be charged again.
func TestUsesThroughLostAnswers(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	const uses, tokens = 10, 40
	hs := createAll(c, tokens, uses)
	r := startRace(survivors(c, c.Leader()), 8, hs)
	done := make(chan struct{})
	go func() {
		r.wg.Wait()
		close(done)
	}()
	tick := time.NewTicker(40 * time.Millisecond)
	defer tick.Stop()
	for drops := true; drops; {
		select {
		case <-done:
			drops = false
		case <-tick.C:
			for _, n := range c.Followers() {
				c.Drop(n)
			}
		}
	}
	for i := range hs {
		if g := r.granted[i].Load(); g != uses {
			t.Errorf("token %d: %d uses granted, want %d", i, g, uses)
		}
	}
	if n := r.refused.Load(); n != 0 {
		t.Errorf("%d proposals failed", n)
	}
}

// TestFiveNodes loses two of five at once, the leader among them.
func TestFiveNodes(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 5})
	const uses, tokens = 3, 12
	hs := createAll(c, tokens, uses)
	leader := c.Leader()
	other := c.Followers()[0]
	r := startRace(survivors(c, leader, other), 6, hs)
	leader.Kill()
	other.Kill()
	r.wg.Wait()
	for i := range hs {
		if g := r.granted[i].Load(); g != uses {
			t.Errorf("token %d: %d uses granted, want %d", i, g, uses)
		}
	}
	if n := r.refused.Load(); n != 0 {
		t.Errorf("%d proposals of survivors failed", n)
	}
	leader.Start()
	other.Start()
	h := create(c, c.Leader(), 0)
	for _, n := range c.Nodes {
		harness.Await(t, n.Name+" reads what was written last", func() bool {
			_, ok, err := lookup(n, h)
			return ok && err == nil
		})
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Tune: cluster.Tuning{SnapshotThreshold: 50, TrailingLogs: 10, SnapshotInterval: 50 * time.Millisecond}})
	behind := c.Followers()[0]
	behind.Kill()
	var hs []token.Hash
	for range 120 {
		hs = append(hs, create(c, c.Leader(), 0))
	}
	behind.Start() // the log it needs is gone: a snapshot brings it up
	for _, h := range hs {
		if _, ok, err := lookup(behind, h); !ok || err != nil {
			t.Fatalf("token is missing on the node that was away: %v", err)
		}
	}
	for _, n := range c.Nodes {
		n.Kill()
	}
	for _, n := range c.Nodes {
		n.Start()
	}
	for _, n := range c.Nodes {
		harness.Await(t, "the restarted node has everything", func() bool {
			_, ok, err := lookup(n, hs[len(hs)-1])
			return ok && err == nil
		})
	}
	digests := map[uint64]string{}
	for _, n := range c.Nodes {
		var f *fsm.Frozen
		n.Barrier(ctx)
		n.View(func(m *fsm.Machine) { f = m.Freeze() })
		d, err := snapshot.Digest(f)
		if err != nil {
			t.Fatal(err)
		}
		if old, ok := digests[f.Index()]; ok && old != fmt.Sprintf("%x", d) {
			t.Errorf("%s differs at index %d", n.Name, f.Index())
		}
		digests[f.Index()] = fmt.Sprintf("%x", d)
	}
}

// TestNoQuorumIsRefusedInTime: whoever asks, and whenever, is told within two seconds, and why.
func TestNoQuorumIsRefusedInTime(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Multiplier: 1})
	last := c.Nodes[0]
	c.Nodes[1].Kill()
	c.Nodes[2].Kill()
	harness.Await(t, "the leader is lost", func() bool { return last.Status().Leader.ID == "" })
	const bound = 2500 * time.Millisecond // 2 s, and something for a busy machine
	var wg sync.WaitGroup
	ask := func(what string, f func() error) {
		defer wg.Done()
		start := time.Now()
		err := f()
		var e *fsm.Error
		if !errors.As(err, &e) || e.Code != fsm.Unavailable || !strings.Contains(e.Message, "1 of 3 voters answer") {
			t.Errorf("%s without a quorum: %v, want Unavailable with the reason", what, err)
		}
		if d := time.Since(start); d > bound {
			t.Errorf("%s without a quorum was refused after %s", what, d)
		}
	}
	tick := time.NewTicker(150 * time.Millisecond)
	defer tick.Stop()
	for range 16 {
		wg.Add(2)
		go ask("a write", func() error {
			_, err := last.Propose(ctx, newToken(c, 0))
			return err
		})
		go ask("a read", func() error { return last.Barrier(ctx) })
		<-tick.C
	}
	wg.Wait()
	if st := last.Status(); !st.Initialized || len(st.Servers) != 3 {
		t.Errorf("status without a quorum: %+v", st)
	}
}

func TestIsolatedLeader(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Multiplier: 1})
	old := c.Leader()
	h := create(c, old, 3)
	c.Isolate(old)
	// A use that the old leader takes in now has no quorum; it must not be charged twice.
	done := make(chan error, 1)
	go func() {
		_, err := old.Propose(ctx, &fsm.UseToken{Caller: fsm.Caller{Token: h, Epoch: 1}})
		done <- err
	}()
	var others []*harness.Node
	for _, n := range c.Nodes {
		if n != old {
			others = append(others, n)
		}
	}
	harness.Await(t, "another leader", func() bool { return others[0].Status().IsLeader || others[1].Status().IsLeader })
	r, err := others[0].Propose(ctx, &fsm.RevokeToken{Caller: fsm.Caller{Token: c.Root, Epoch: 1}, Target: fsm.Target{Token: h}})
	if err != nil || r.Count != 1 {
		t.Fatalf("revoke on the majority's side: %+v, %v", r, err)
	}
	if _, ok, err := lookup(old, h); err == nil && ok {
		t.Error("the isolated leader served a read of a revoked token")
	}
	c.Heal()
	<-done
	harness.Await(t, "the old leader follows", func() bool {
		_, ok, err := lookup(old, h)
		return err == nil && !ok
	})
}

// TestStepDownUnderLoad: leadership moves again and again while clients of all nodes use up limited tokens.
// No request fails, and nothing is doubled.
func TestStepDownUnderLoad(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	const uses, tokens = 10, 60
	hs := createAll(c, tokens, uses)
	r := startRace(survivors(c), 8, hs)
	moved := 0
	for i := range 5 {
		c.Leader()
		err := c.Nodes[i%3].StepDown(ctx)
		if err == nil {
			moved++
		} else if !strings.Contains(err.Error(), "leadership was not transferred") {
			t.Errorf("step-down: %v", err)
		}
	}
	if moved == 0 {
		t.Error("leadership has not moved")
	}
	r.wg.Wait()
	for i := range hs {
		if g := r.granted[i].Load(); g != uses {
			t.Errorf("token %d: %d uses granted, want %d", i, g, uses)
		}
	}
	if n := r.refused.Load(); n != 0 {
		t.Errorf("%d proposals failed", n)
	}
}

// TestNoTransferToWhoCannotLead: the one other voter that answers is chosen; when none does, nothing happens,
// and the leader takes writes at once.
func TestNoTransferToWhoCannotLead(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	l, away := c.Leader(), c.Followers()[0]
	away.Kill()
	if err := l.StepDown(ctx); err != nil {
		t.Fatal(err)
	}
	next := c.Leader()
	if next == l || next == away {
		t.Fatalf("%s leads", next.Name)
	}
	l.Kill() // no other voter is left, and the quorum is not yet missed
	err := next.StepDown(ctx)
	if err == nil || !strings.Contains(err.Error(), "does not answer") && !strings.Contains(err.Error(), "no leader") {
		t.Errorf("step-down with nobody left: %v", err)
	}
	l.Start()
	create(c, next, 0)
}

// TestJammedLeaderStops: a leader whose Raft refuses entries for ever, as after #696, ends, and the others go on.
func TestJammedLeaderStops(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	jammed := c.Leader()
	other := c.Followers()[0]
	jammed.JamTransfer()
	create(c, other, 0)
	select {
	case err := <-jammed.Failed():
		if !strings.Contains(err.Error(), "transfer of leadership") {
			t.Errorf("the node stopped for another reason: %v", err)
		}
	case <-time.After(harness.Patience):
		t.Fatal("the jammed node goes on")
	}
	jammed.Kill()
	jammed.Start()
	c.AwaitVoters(3)
	create(c, jammed, 0)
}
