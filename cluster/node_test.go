package cluster_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
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

var ctx = context.Background()

// newToken makes the command for a child of root.
func newToken(c *harness.Cluster, uses uint32) *fsm.CreateToken {
	var h token.Hash
	rand.Read(h[:])
	a, err := token.NewAccessor(rand.Reader)
	if err != nil {
		c.T.Fatal(err)
	}
	return &fsm.CreateToken{Caller: fsm.Caller{Token: c.Root, Epoch: 1}, Token: token.Record{
		Hash: h, Accessor: a, Type: token.Service, Parent: c.Root, Path: "auth/token/create",
		TTL: time.Hour, NumUses: uses, Policies: []string{"default"},
	}}
}

// create makes a token through n.
func create(c *harness.Cluster, n *harness.Node, uses uint32) token.Hash {
	c.T.Helper()
	r, err := n.Propose(ctx, newToken(c, uses))
	if err != nil || r.Err() != nil || r.Stale {
		c.T.Fatalf("create through %s: %+v, %v", n.Name, r, err)
	}
	return r.Token.Hash
}

func lookup(n *harness.Node, h token.Hash) (rec token.Record, ok bool, err error) {
	if err := n.Barrier(ctx); err != nil {
		return rec, false, err
	}
	n.View(func(m *fsm.Machine) { rec, ok = m.Lookup(h, token.InstantOf(time.Now())) })
	return rec, ok, nil
}

func TestWriteAnywhereReadEverywhere(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	for i := range 60 {
		h := create(c, c.Nodes[i%3], 0)
		for _, n := range c.Nodes {
			if _, ok, err := lookup(n, h); !ok || err != nil {
				t.Fatalf("token %d made on n%d, read on %s at once: %v %v", i, i%3+1, n.Name, ok, err)
			}
		}
		r, err := c.Nodes[(i+1)%3].Propose(ctx, &fsm.RevokeToken{Caller: fsm.Caller{Token: c.Root, Epoch: 1}, Target: fsm.Target{Token: h}})
		if err != nil || r.Count != 1 {
			t.Fatalf("revoke: %+v, %v", r, err)
		}
		if _, ok, err := lookup(c.Nodes[(i+2)%3], h); ok || err != nil {
			t.Fatalf("token %d lives on another node after its revocation was acknowledged (%v)", i, err)
		}
	}
}

// TestUsesThroughLeaderKills counts: a token of N uses authorises exactly N requests, however often
// the leader dies meanwhile, and no proposal of a surviving node fails.
func TestUsesThroughLeaderKills(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	const uses, tokens = 5, 30
	var hs []token.Hash
	for i := range tokens {
		hs = append(hs, create(c, c.Nodes[i%3], uses))
	}
	for round := range 3 {
		granted := make([]atomic.Int64, tokens)
		var lost atomic.Int64
		var wg sync.WaitGroup
		victim := c.Leader()
		var clients []*harness.Node
		for _, n := range c.Nodes {
			if n != victim {
				clients = append(clients, n)
			}
		}
		for w := range 8 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				n := clients[w%2].Node
				for i := range hs {
					for {
						r, err := n.Propose(ctx, &fsm.UseToken{Caller: fsm.Caller{Token: hs[(i+w)%tokens], Epoch: 1}})
						if err != nil {
							lost.Add(1)
							t.Errorf("a survivor's proposal failed: %v", err)
							return
						}
						if r.Code != 0 {
							break
						}
						granted[(i+w)%tokens].Add(1)
					}
				}
			}()
		}
		victim.Kill()
		wg.Wait()
		for i := range hs {
			if g := granted[i].Load(); g != uses {
				t.Errorf("round %d token %d: %d uses granted, want %d", round, i, g, uses)
			}
		}
		victim.Start()
		c.AwaitVoters(3)
		for i := range hs {
			hs[i] = create(c, c.Nodes[i%3], uses)
		}
	}
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Tune: cluster.Tuning{SnapshotThreshold: 50, TrailingLogs: 10, SnapshotInterval: 50 * time.Millisecond}})
	behind := c.Followers()[0]
	behind.Kill()
	var hs []token.Hash
	for range 300 {
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

func TestNoQuorumIsRefusedInTime(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Multiplier: 1})
	last := c.Nodes[0]
	c.Nodes[1].Kill()
	c.Nodes[2].Kill()
	harness.Await(t, "the leader is lost", func() bool { return last.Status().Leader.ID == "" })
	start := time.Now()
	_, err := last.Propose(ctx, newToken(c, 0))
	var e *fsm.Error
	if !errors.As(err, &e) || e.Code != fsm.Unavailable || !strings.Contains(e.Message, "no leader") {
		t.Errorf("write without quorum: %v, want Unavailable with the reason", err)
	}
	if err := last.Barrier(ctx); !errors.As(err, &e) || e.Code != fsm.Unavailable {
		t.Errorf("read without quorum: %v, want Unavailable", err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("both refusals took %s", d)
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

func TestJoinRemoveStepDown(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	c.Add("n4")
	c.AwaitVoters(4)
	harness.Await(t, "all four are announced", func() bool {
		n := 0
		c.Nodes[0].View(func(m *fsm.Machine) { n = len(m.Members()) })
		return n == 4
	})
	before := c.Leader()
	follower := c.Followers()[0]
	if err := follower.StepDown(ctx); err != nil {
		t.Fatalf("step-down asked of a follower: %v", err)
	}
	harness.Await(t, "another leader", func() bool { return !before.Status().IsLeader })
	c.Leader()
	if err := c.Nodes[0].RemovePeer(ctx, "n4"); err != nil {
		t.Fatal(err)
	}
	gone := c.Nodes[3]
	c.Nodes = c.Nodes[:3]
	c.AwaitVoters(3)
	var e *fsm.Error
	harness.Await(t, "the removed node refuses", func() bool {
		_, err := gone.Propose(ctx, newToken(c, 0))
		return errors.As(err, &e) && e.Code == fsm.Unavailable && strings.Contains(e.Message, "not a member")
	})
	if err := c.Nodes[0].RemovePeer(ctx, "nobody"); !errors.As(err, &e) || e.Code != fsm.Invalid {
		t.Errorf("removing an unknown node: %v, want Invalid", err)
	}
	if err := c.Nodes[0].Init(ctx, fsm.Initialize{ClusterID: "x"}); !errors.As(err, &e) || e.Code != fsm.Invalid {
		t.Errorf("second init: %v, want Invalid", err)
	}
}

func TestDataDirectoryOfAnother(t *testing.T) {
	t.Parallel()
	open := func(dir, id string) error {
		n, err := cluster.Open(cluster.Config{DataDir: dir, NodeID: id, ClusterAddr: "127.0.0.1:0"})
		if err == nil {
			n.Close()
		}
		return err
	}
	dir := t.TempDir()
	if err := open(dir, "a"); err != nil {
		t.Fatal(err)
	}
	if err := open(dir, "b"); err == nil || !strings.Contains(err.Error(), `belongs to node "a"`) {
		t.Errorf("another node's folder: %v", err)
	}
	file := filepath.Join(dir, "grove.json")
	if err := os.WriteFile(file, []byte(`{"format_version":99,"node_id":"a"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(dir, "a"); err == nil || !strings.Contains(err.Error(), "newer Grove") {
		t.Errorf("a newer folder: %v", err)
	}
	if err := os.WriteFile(file, []byte(`nonsense`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(dir, "a"); err == nil {
		t.Error("a damaged identity file was accepted")
	}
}

func TestForeignClusterAndNonsenseAreRefused(t *testing.T) {
	t.Parallel()
	a := harness.Start(t, harness.Options{Nodes: 1})
	b := harness.Start(t, harness.Options{Nodes: 1})
	if err := b.Nodes[0].Join(ctx, a.Nodes[0].API()); err == nil || !strings.Contains(err.Error(), "is in cluster") {
		t.Errorf("joining a second cluster: %v", err)
	}
	for _, bytes := range []string{"", "GET / HTTP/1.1\r\n\r\n", "R\x01\x05wrong", "G\x01\x05wrong", "G\x09\x00", "R\x01\x00", "G\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"} {
		conn, err := net.Dial("tcp", a.Nodes[0].Addr())
		if err != nil {
			t.Fatal(err)
		}
		conn.Write([]byte(bytes))
		conn.Close()
	}
	create(a, a.Nodes[0], 0) // it still works
}

func TestExpiryIsSwept(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 1})
	cmd := newToken(c, 0)
	cmd.Token.TTL = 300 * time.Millisecond
	if r, err := c.Nodes[0].Propose(ctx, cmd); err != nil || r.Err() != nil {
		t.Fatal(r, err)
	}
	harness.Await(t, "the leader sweeps what expired", func() bool {
		var next token.Instant
		var pending bool
		c.Nodes[0].View(func(m *fsm.Machine) { next, pending = m.NextDeadline(), m.ReclaimPending() })
		return next == 0 && !pending
	})
}

// TestCloseUnderLoad: a node that is closed with proposals and reads under way ends in time;
// a future that Raft never answers must not hold it up.
func TestCloseUnderLoad(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 1})
	n := c.Nodes[0]
	for range 5 {
		node := n.Node
		c.Leader()
		create(c, n, 0)
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 16 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for {
					select {
					case <-stop:
						return
					default:
					}
					node.Propose(ctx, newToken(c, 0))
					node.Barrier(ctx)
				}
			}()
		}
		closed := make(chan struct{})
		go func() {
			n.Kill()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(harness.Patience):
			t.Fatal("the node did not close")
		}
		close(stop)
		wg.Wait()
		n.Start()
	}
}
