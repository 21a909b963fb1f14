package cluster_test

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

// TestWiped: a node that comes back under its ID with an empty folder, or without its log, loses its
// vote before it starts, catches up, and gets it back. Nobody does anything, and the others serve on.
func TestWiped(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string][]string{"everything": nil, "the log": {"wal", "snapshots"}, "all but the identity": {"wal", "snapshots", "raft.db"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := harness.Start(t, harness.Options{Nodes: 3})
			first := c.Nodes[0] // it knows the addresses of the others
			victim := c.Followers()[0]
			if victim == first {
				victim = c.Followers()[1]
			}
			before := create(c, c.Leader(), 0)
			// A non-voter stays one for so long that nobody can miss it.
			configure(c, fsm.PutAutopilot{ServerStabilizationTime: to(time.Second)})
			harness.Await(t, "the autopilot is older than that", func() bool { return c.Leader().PilotAge() > time.Second })
			var writes atomic.Int64
			end := make(chan struct{})
			var load sync.WaitGroup
			for _, n := range c.Nodes {
				if n == victim {
					continue
				}
				load.Go(func() {
					for {
						select {
						case <-end:
							return
						default:
						}
						if r, err := n.Propose(ctx, newToken(c, 0)); err != nil || r.Err() != nil {
							t.Errorf("a write on %s: %+v, %v", n.Name, r, err)
							return
						}
						writes.Add(1)
					}
				})
			}
			victim.Kill()
			victim.Wipe(lost...)
			victim.Start()
			var demoted atomic.Bool
			harness.Await(t, "the wiped node is a voter again", func() bool {
				running := victim.Running()
				v, all := servers(c.Leader())
				if !strings.Contains(all, victim.Name) {
					t.Error("the wiped node was taken out of the configuration")
				}
				if !strings.Contains(v, victim.Name) {
					demoted.Store(true)
				} else if !demoted.Load() && running {
					t.Error("Raft runs on the wiped node while it is a voter in the configuration")
				}
				return demoted.Load() && strings.Contains(v, victim.Name)
			})
			close(end)
			load.Wait()
			if _, ok, err := lookup(victim, before); !ok || err != nil {
				t.Errorf("what was written before: %v, %v", ok, err)
			}
			t.Logf("%d writes meanwhile", writes.Load())
		})
	}
}

// TestOldSelf: once a node's ID belongs to another folder, its old folder is refused everywhere.
func TestOldSelf(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	victim := c.Nodes[2]
	if victim == c.Leader() {
		if err := victim.StepDown(ctx); err != nil {
			t.Fatal(err)
		}
		harness.Await(t, "another leader", func() bool { return c.Leader() != victim })
	}
	victim.Kill()
	old := t.TempDir()
	if err := os.CopyFS(old, os.DirFS(victim.Dir())); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"credentials.json", "grove.json"} {
		if err := os.Chmod(filepath.Join(old, name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	victim.Wipe()
	victim.Start()
	harness.Await(t, "the wiped node is a voter again", func() bool {
		v, _ := servers(c.Leader())
		return victim.Running() && strings.Contains(v, victim.Name)
	})
	victim.Kill()
	n, err := cluster.Open(cluster.Config{DataDir: old, NodeID: victim.Name, ClusterAddr: "127.0.0.1:0", Multiplier: 2, Tune: cluster.Tuning{NoGossip: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	for what, err := range n.DialAll(c.Leader().Addr()) {
		if err == nil {
			t.Errorf("%s: the old folder of a node was taken", what)
		}
	}
	for what, err := range c.Leader().DialAll(n.Addr()) {
		if err == nil || !strings.Contains(err.Error(), "was replaced") {
			t.Errorf("%s: the leader takes the old folder: %v", what, err)
		}
	}
	victim.Start()
	create(c, victim, 0)
}

// TestNoVoteBeforeItKnows: a node without the entry that let it in notes no vote, and asks for none.
func TestNoVoteBeforeItKnows(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Followers()[0]
	if err := n.Vote(); err != nil {
		t.Errorf("a voter: %v", err)
	}
	if err := n.VoteAt(1 << 40); err == nil || !strings.Contains(err.Error(), "does not vote") {
		t.Errorf("a node that has not caught up: %v", err)
	}
}

// TestLiveMemberIsNotReplaced: whoever comes with the ID of a member that answers is refused.
func TestLiveMemberIsNotReplaced(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	other, err := cluster.Open(cluster.Config{
		DataDir: t.TempDir(), NodeID: c.Nodes[1].Name, ClusterAddr: "127.0.0.1:0", Join: cluster.Join{Key: harness.Key}, Tune: cluster.Tuning{NoGossip: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if err := other.Join(ctx, c.Nodes[0].API(), "", false); err == nil || !strings.Contains(err.Error(), "is a member already, and answers") {
		t.Errorf("the ID of a member that answers: %v", err)
	}
	if v, _ := servers(c.Leader()); len(strings.Fields(v)) != 3 {
		t.Errorf("voters %s, want all three", v)
	}
}
