package cluster_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

// authority is the one authority that every node believes, when no rotation is under way.
func authority(t *testing.T, n *harness.Node) fsm.AuthorityStatus {
	t.Helper()
	st, err := n.TrustStatus(ctx)
	if err != nil || st.Rotating || len(st.Authorities) != 1 || !st.Authorities[0].Signs {
		t.Fatalf("trust %+v, %v", st, err)
	}
	return st.Authorities[0]
}

// rotated waits until the rotation is over, and returns the new authority.
func rotated(t *testing.T, c *harness.Cluster, old fsm.AuthorityStatus) fsm.AuthorityStatus {
	t.Helper()
	harness.Await(t, "the rotation is over", func() bool {
		st, err := c.Leader().TrustStatus(ctx)
		return err == nil && !st.Rotating && st.Authorities[0].Fingerprint != old.Fingerprint
	})
	now := authority(t, c.Leader())
	for _, n := range c.Nodes {
		if n.Up() {
			harness.Await(t, n.Name+" has followed", func() bool { return n.Signer() == now.Fingerprint && n.Authorities() == 1 })
		}
	}
	return now
}

// TestRotation: clients notice nothing, nodes that were members before cannot come back by their
// old certificates, and new ones join.
func TestRotation(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	old := authority(t, c.Nodes[0])
	h := createAll(c, 30, 200)
	var done atomic.Bool
	finished := make(chan struct{})
	failed := make(chan error, 5)
	for _, n := range c.Followers() {
		go func() { // whoever watches the rotation notices nothing either
			defer func() { finished <- struct{}{} }()
			for !done.Load() {
				if _, err := n.TrustStatus(ctx); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	for i, n := range c.Nodes {
		go func() {
			defer func() { finished <- struct{}{} }()
			for at := 0; !done.Load(); at++ {
				res, err := n.Propose(ctx, &fsm.UseToken{Caller: fsm.Caller{Token: h[(at+i)%len(h)], Epoch: 1}})
				if err == nil && res.Code != 0 && res.Code != fsm.Forbidden {
					err = res.Err()
				}
				if err == nil {
					err = n.Barrier(ctx)
				}
				if err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	if err := c.Followers()[0].RotateCA(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.Leader().RotateCA(ctx); err != nil {
		t.Fatalf("a rotation while one is under way: %v", err)
	}
	now := rotated(t, c, old)
	done.Store(true)
	for range 5 {
		<-finished
	}
	select {
	case err := <-failed:
		t.Errorf("a client noticed: %v", err)
	default:
	}
	for _, n := range c.Nodes {
		harness.Await(t, n.Name+" has no links of before the last step", func() bool { return n.OldLinks() == 0 })
	}
	c.Add("n4")
	c.AwaitVoters(4)
	harness.Await(t, "gossip goes on under the new key", func() bool { return c.Nodes[0].Gossips() == 4 && c.Nodes[3].Gossips() == 4 })
	again := c.Followers()[0]
	again.Kill()
	again.Start()
	member(t, again.Node)
	if got := again.Signer(); got != now.Fingerprint {
		t.Errorf("after a restart the certificate is of %s, want %s", got, now.Fingerprint)
	}
}

// TestRotationWaits: a server that is down holds a rotation up, whoever leads meanwhile, and it goes
// on when the server is back; a node that was taken out stays out.
func TestRotationWaits(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, NoKey: true})
	gone := stranger(t, "gone", cluster.Join{})
	if err := gone.Join(ctx, c.Nodes[0].API(), c.JoinToken(time.Hour), false); err != nil {
		t.Fatal(err)
	}
	member(t, gone)
	if err := c.Leader().RemovePeer(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	old := authority(t, c.Nodes[0])
	away := c.Followers()[0]
	away.Kill()
	if err := c.Leader().RotateCA(ctx); err != nil {
		t.Fatal(err)
	}
	waits := func() bool {
		st, err := c.Leader().TrustStatus(ctx)
		return err == nil && st.Rotating && len(st.Authorities) == 2 && len(st.Waiting) == 1 && st.Waiting[0] == away.Name
	}
	harness.Await(t, "the rotation waits for the node that is down", waits)
	before := c.Leader()
	if err := before.StepDown(ctx); err != nil {
		t.Fatal(err)
	}
	harness.Await(t, "it waits under another leader", func() bool { return !before.Status().IsLeader && waits() })
	away.Start()
	rotated(t, c, old)
	create(c, away, 0)
	err := gone.Join(ctx, c.Leader().API(), "", false)
	if err == nil || gone.Signer() != old.Fingerprint {
		t.Errorf("a node that was taken out before: %v", err)
	}
	if err := gone.Join(ctx, c.Leader().API(), c.JoinToken(time.Hour), false); err != nil {
		t.Errorf("with a new token: %v", err)
	}
	member(t, gone)
}

// TestCredentialsOfBeforeARotation: who got a certificate and was not taken in before a rotation
// began would be locked out by it; it gets another one.
func TestCredentialsOfBeforeARotation(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	api := c.Leader().API()
	bearer, keeper := stranger(t, "bearer", cluster.Join{}), stranger(t, "keeper", cluster.Join{Key: harness.Key})
	for n, text := range map[*cluster.Node]string{bearer: c.JoinToken(time.Hour), keeper: ""} {
		if err := n.Enroll(ctx, api, text); err != nil {
			t.Fatal(err)
		}
	}
	old := authority(t, c.Nodes[0])
	away := c.Followers()[0]
	away.Kill()
	l := c.Leader()
	if err := l.RotateCA(ctx); err != nil {
		t.Fatal(err)
	}
	harness.Await(t, "the first step is taken", func() bool { return l.Authorities() == 2 })
	refused(t, "credentials of before", "join with a new join token", bearer.Join(ctx, l.API(), "", false))
	if err := bearer.Join(ctx, l.API(), c.JoinToken(time.Hour), false); err != nil {
		t.Errorf("with a new token: %v", err)
	}
	if err := keeper.Join(ctx, l.API(), "", false); err != nil {
		t.Errorf("with the cluster key: %v", err)
	}
	away.Start()
	now := rotated(t, c, old)
	for _, n := range []*cluster.Node{bearer, keeper} {
		member(t, n)
		harness.Await(t, "the nodes that joined meanwhile have followed", func() bool { return n.Signer() == now.Fingerprint && n.Authorities() == 1 })
	}
}

// TestRotationWithoutItsKey: the leader that made the new authority is gone before anybody had its
// key; another one is made.
func TestRotationWithoutItsKey(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	old := authority(t, c.Nodes[0])
	lost, err := c.Leader().LoseAuthority()
	if err != nil {
		t.Fatal(err)
	}
	if now := rotated(t, c, old); now.Fingerprint == lost {
		t.Error("an authority signs of which nobody has the key")
	}
	create(c, c.Nodes[0], 0)
}

// TestRemovedNodesAreServedNothing: the certificate of a node that was taken out still holds, but
// the leader takes no calls from it.
func TestRemovedNodesAreServedNothing(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	gone := c.Followers()[0]
	if err := c.Leader().RemovePeer(ctx, gone.Name); err != nil {
		t.Fatal(err)
	}
	for _, err := range gone.CallEverything(c.Leader().Addr()) {
		if err == nil || !strings.Contains(err.Error(), "not a member") {
			t.Errorf("a call of a node that was taken out: %v", err)
		}
	}
}
