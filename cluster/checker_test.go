package cluster_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

func TestReplicasAreEqual(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	for i := range 20 {
		create(c, c.Nodes[i%3], 0)
	}
	for _, n := range c.Nodes {
		r, err := n.CheckReplicas(ctx)
		if err != nil || !r.OK() || len(r.Nodes) != 3 || len(r.Hash) != 64 {
			t.Errorf("checked through %s: %+v, %v", n.Name, r, err)
		}
	}
	f := c.Followers()[0]
	f.Kill()
	r, err := c.Leader().CheckReplicas(ctx)
	if err != nil || r.OK() || r.Hash == "" {
		t.Errorf("with a node down: %+v, %v, want a hash of the others and not ok", r, err)
	}
	f.Start()
	harness.Await(t, "all are ok again", func() bool {
		r, err := f.CheckReplicas(ctx)
		return err == nil && r.OK()
	})
}

// TestDivergedReplicaStops: one replica loses a token in silence. The next checkpoint of the leader finds it, the node
// stops and refuses, the others go on; also when it is the leader's own.
func TestDivergedReplicaStops(t *testing.T) {
	t.Parallel()
	for _, who := range []string{"follower", "leader"} {
		t.Run(who, func(t *testing.T) {
			t.Parallel()
			c := harness.Start(t, harness.Options{Nodes: 3, Tune: cluster.Tuning{CheckInterval: 200 * time.Millisecond}})
			create(c, c.Nodes[0], 0)
			bad := c.Leader()
			if who == "follower" {
				bad = c.Followers()[0]
			}
			harness.Await(t, "everything is applied", func() bool { return bad.Barrier(ctx) == nil })
			if _, err := bad.Diverge(); err != nil {
				t.Fatal(err)
			}
			harness.Await(t, "the replica that differs fails", func() bool {
				select {
				case err := <-bad.Failed():
					if !strings.Contains(err.Error(), "diverged") {
						t.Errorf("failed with %v", err)
					}
					return true
				default:
					c.Nodes[0].Propose(ctx, newToken(c, 0)) // news; unknown when it is this node that stops
					return false
				}
			})
			var e *fsm.Error
			if _, err := bad.Propose(ctx, newToken(c, 0)); !errors.As(err, &e) {
				t.Errorf("the replica that differs still serves: %v", err)
			}
			for _, n := range c.Nodes {
				if n != bad {
					create(c, n, 0)
				}
			}
		})
	}
}

// TestCheckNamesTheBadOne: on demand the same is found at once, and the answer says which node it is.
func TestCheckNamesTheBadOne(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	create(c, c.Nodes[0], 0)
	bad := c.Followers()[0]
	if err := bad.Barrier(ctx); err != nil {
		t.Fatal(err)
	}
	gone, err := bad.Diverge()
	if err != nil || alive(t, bad, gone) {
		t.Fatalf("nothing is planted: %v", err)
	}
	r, err := c.Leader().CheckReplicas(ctx)
	if err != nil || r.OK() {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, n := range r.Nodes {
		want := fsm.CheckOK
		if n.ID == bad.Name {
			want = fsm.CheckMismatch
		}
		if n.State != want {
			t.Errorf("%s is %s (%s), want %s", n.ID, n.State, n.Error, want)
		}
	}
	if last, err := c.Leader().LastCheck(ctx); err != nil || last.Index != r.Index {
		t.Errorf("the last check: %+v, %v", last, err)
	}
	harness.Await(t, "it fails", func() bool {
		select {
		case <-bad.Failed():
			return true
		default:
			return false
		}
	})
}
