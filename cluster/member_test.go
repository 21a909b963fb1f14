package cluster_test

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

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
	if err := b.Nodes[0].Join(ctx, a.Nodes[0].API(), "", false); err == nil || !strings.Contains(err.Error(), "is in cluster") {
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

// TestRemovedWhileAway: a node that was removed while it was down learns of it, says so, and
// does not come back by itself; asked to, it joins again.
func TestRemovedWhileAway(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3, Multiplier: 1})
	gone := c.Followers()[0]
	gone.Kill()
	if err := c.Leader().RemovePeer(ctx, gone.Name); err != nil {
		t.Fatal(err)
	}
	gone.Start()
	refusal := func() bool {
		_, err := gone.Propose(ctx, newToken(c, 0))
		var e *fsm.Error
		return errors.As(err, &e) && e.Code == fsm.Unavailable && strings.Contains(e.Message, "not a member")
	}
	harness.Await(t, "the removed node refuses", refusal)
	gone.Kill()
	gone.Move()
	gone.Start()
	harness.Await(t, "the removed node refuses at its new address", refusal)
	if n := len(c.Leader().Status().Servers); n != 2 {
		t.Errorf("%d servers, want 2: the removed node came back by itself", n)
	}
	if err := gone.Join(ctx, c.Leader().API(), "", false); err != nil {
		t.Fatalf("joining again: %v", err)
	}
	c.AwaitVoters(3)
	create(c, gone, 0)
}

// TestMoved: a member that comes back at another address tells the others.
func TestMoved(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	n := c.Followers()[0]
	old := n.Addr()
	n.Kill()
	h := create(c, c.Leader(), 0)
	n.Move()
	n.Start()
	harness.Await(t, "the moved node has what was written meanwhile", func() bool {
		_, ok, err := lookup(n, h)
		return ok && err == nil
	})
	harness.Await(t, "the new address is in the log", func() bool {
		var m fsm.Member
		c.Leader().View(func(mc *fsm.Machine) { m, _ = mc.Member(n.Name) })
		return m.ClusterAddr == n.Addr() && m.ClusterAddr != old
	})
}

// TestAnotherNodeAtAnAddress: a member does not talk to another one than the configuration has at
// an address, neither for calls nor for Raft.
func TestAnotherNodeAtAnAddress(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	n, a, b := c.Leader(), c.Followers()[0], c.Followers()[1]
	addr := a.Addr()
	a.Kill()
	b.Kill()
	b.TakeAddress(a)
	b.Start()
	for what, err := range n.DialAll(addr) {
		if !errors.Is(err, cluster.ErrOtherNode) || !strings.Contains(err.Error(), a.Name) || !strings.Contains(err.Error(), b.Name) {
			t.Errorf("%s at the address of a node that is down: %v", what, err)
		}
	}
	b.Kill()
	a.Start()
	for what, err := range n.DialAll(addr) {
		if err != nil {
			t.Errorf("%s when the right node is back: %v", what, err)
		}
	}
}

// TestInitGoesOn: a crash between the steps of Init leaves a node that can be initialized.
func TestInitGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "grove.json"), []byte(`{"format_version":1,"node_id":"a","cluster_id":"first","founding":true}`), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := cluster.Open(cluster.Config{DataDir: dir, ClusterAddr: "127.0.0.1:0", Tune: cluster.Tuning{NoGossip: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if n.Status().Initialized {
		t.Error("a cluster that is not made yet counts as initialized")
	}
	cmd := harness.Genesis("second")
	if err := n.Init(ctx, cmd); err != nil {
		t.Fatal(err)
	}
	var id fsm.Identity
	n.View(func(m *fsm.Machine) { id = m.Identity() })
	if id.ClusterID != "first" || !n.Status().Initialized {
		t.Errorf("cluster %q, initialized %v; want the first attempt's", id.ClusterID, n.Status().Initialized)
	}
	var e *fsm.Error
	if err := n.Init(ctx, cmd); !errors.As(err, &e) || e.Code != fsm.Invalid {
		t.Errorf("second init: %v, want Invalid", err)
	}
}

// TestDataOfAnotherCluster: neither a folder nor a log of another cluster is used.
func TestDataOfAnotherCluster(t *testing.T) {
	t.Parallel()
	a := harness.Start(t, harness.Options{Nodes: 1})
	b := harness.Start(t, harness.Options{Nodes: 1})
	n := a.Nodes[0]
	n.Kill()
	_, err := cluster.Open(cluster.Config{DataDir: n.Dir(), ClusterAddr: "127.0.0.1:0", Join: cluster.Join{Addresses: []string{b.Nodes[0].API()}}})
	if err == nil || !strings.Contains(err.Error(), "belongs to cluster") {
		t.Errorf("a folder of another cluster than retry_join: %v", err)
	}
	file := filepath.Join(n.Dir(), "grove.json")
	own, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(`{"format_version":1,"node_id":"n1","cluster_id":"other"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Open(cluster.Config{DataDir: n.Dir(), ClusterAddr: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "credentials") {
		t.Errorf("credentials of another cluster: %v", err)
	}
	if err := os.WriteFile(file, own, 0o600); err != nil {
		t.Fatal(err)
	}
	b.Nodes[0].Kill()
	wal := filepath.Join(n.Dir(), "wal")
	if err := os.RemoveAll(wal); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(wal, os.DirFS(filepath.Join(b.Nodes[0].Dir(), "wal"))); err != nil {
		t.Fatal(err)
	}
	n.Start()
	select {
	case err = <-n.Failed():
	case <-time.After(harness.Patience):
		t.Fatal("the node goes on with the log of another cluster")
	}
	if err == nil || !strings.Contains(err.Error(), "is of cluster") {
		t.Errorf("a log of another cluster: %v", err)
	}
	var e *fsm.Error
	if _, err := n.Propose(ctx, newToken(a, 0)); !errors.As(err, &e) || e.Code != fsm.Unavailable {
		t.Errorf("a node that has stopped: %v, want Unavailable", err)
	}
}
