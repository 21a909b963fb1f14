package cluster_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
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
	for i := range 30 {
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
