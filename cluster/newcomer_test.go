package cluster_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

// stranger starts a node that is in no cluster.
func stranger(t *testing.T, id string, join cluster.Join) *cluster.Node {
	t.Helper()
	n, err := cluster.Open(cluster.Config{DataDir: t.TempDir(), NodeID: id, ClusterAddr: "127.0.0.1:0", Multiplier: 2, Join: join, Tune: cluster.Tuning{NoGossip: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// refused checks that a join was refused as the caller's fault, with a text.
func refused(t *testing.T, what, want string, err error) {
	t.Helper()
	var e *fsm.Error
	if !errors.As(err, &e) || e.Code != fsm.Invalid || !strings.Contains(e.Message, want) {
		t.Errorf("%s: %v, want Invalid with %q", what, err, want)
	}
}

// member waits until n answers consistent reads.
func member(t *testing.T, n *cluster.Node) {
	t.Helper()
	harness.Await(t, "the node that joined serves", func() bool { return n.Barrier(ctx) == nil })
}

func TestJoinTokens(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 1, NoKey: true})
	api := c.Nodes[0].API()
	text := c.JoinToken(time.Hour)
	n := stranger(t, "a", cluster.Join{})
	refused(t, "nothing", "nothing that lets it in", n.Join(ctx, api, "", false))
	refused(t, "not a token", "malformed join token", n.Join(ctx, api, "hvs.secret", false))
	if err := n.Join(ctx, api, text, false); err != nil {
		t.Fatal(err)
	}
	member(t, n)
	refused(t, "a used token", "used already", stranger(t, "b", cluster.Join{}).Join(ctx, api, text, false))
	text = c.JoinToken(time.Hour)
	refused(t, "the ID of a member", "member already", stranger(t, "a", cluster.Join{}).Join(ctx, api, text, false))
	b := stranger(t, "b", cluster.Join{})
	if err := b.Join(ctx, api, text, false); err != nil {
		t.Fatalf("the token after the refusal of another node: %v", err)
	}
	member(t, b)
	unknown, _, err := c.Nodes[0].MintJoinToken()
	if err != nil {
		t.Fatal(err)
	}
	before := c.Nodes[0].Status().Applied
	refused(t, "a token that the cluster does not know", "unknown, or its time is over", stranger(t, "c", cluster.Join{}).Join(ctx, api, unknown, false))
	if after := c.Nodes[0].Status().Applied; after > before+2 {
		t.Logf("a stranger's token: index %d to %d", before, after)
	}
	short := c.JoinToken(time.Millisecond)
	harness.Await(t, "the token's time is over", func() bool {
		err := stranger(t, "d", cluster.Join{}).Join(ctx, api, short, false)
		return err != nil && strings.Contains(err.Error(), "its time is over")
	})
}

// TestJoinByItself: retry_join with a token in the configuration; then a restart without it.
func TestJoinByItself(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 1, NoKey: true})
	cfg := cluster.Config{
		DataDir: t.TempDir(), NodeID: "a", ClusterAddr: "127.0.0.1:0", Multiplier: 2, Tune: cluster.Tuning{NoGossip: true},
		Join: cluster.Join{Addresses: []string{c.Nodes[0].API()}, Token: c.JoinToken(time.Hour)},
	}
	for range 2 {
		n, err := cluster.Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		member(t, n)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		cfg.Join.Token, cfg.ClusterAddr = "", n.Addr()
	}
}

// TestJoinTokenOfAnother: a node does not talk to a cluster that its token does not name, so that
// the token is good afterwards.
func TestJoinTokenOfAnother(t *testing.T) {
	t.Parallel()
	a := harness.Start(t, harness.Options{Nodes: 1, NoKey: true})
	b := harness.Start(t, harness.Options{Nodes: 1, NoKey: true})
	text := a.JoinToken(time.Hour)
	n := stranger(t, "x", cluster.Join{})
	err := n.Join(ctx, b.Nodes[0].API(), text, false)
	if err == nil || !strings.Contains(err.Error(), "does not show the authority that the join token names") {
		t.Errorf("the token of another cluster: %v", err)
	}
	if err := n.Join(ctx, a.Nodes[0].API(), text, false); err != nil {
		t.Errorf("the token afterwards: %v", err)
	}
}

func TestClusterKeys(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 1})
	api := c.Nodes[0].API()
	other := stranger(t, "a", cluster.Join{Key: strings.Repeat("x", 40)})
	if err := other.Join(ctx, api, "", false); err == nil || !strings.Contains(err.Error(), "does not prove the cluster key") {
		t.Errorf("another key: %v", err)
	}
	none := harness.Start(t, harness.Options{Nodes: 1, NoKey: true})
	n := stranger(t, "a", cluster.Join{Key: harness.Key})
	if err := n.Join(ctx, none.Nodes[0].API(), "", false); err == nil || !strings.Contains(err.Error(), "does not prove the cluster key") {
		t.Errorf("a member without a key: %v", err)
	}
	if err := n.Join(ctx, api, "", false); err != nil {
		t.Fatal(err)
	}
	member(t, n)
	refused(t, "the ID of a member", "member already", stranger(t, "a", cluster.Join{Key: harness.Key}).Join(ctx, api, "", false))
	if _, err := cluster.Open(cluster.Config{DataDir: t.TempDir(), ClusterAddr: "127.0.0.1:0", Join: cluster.Join{Key: "short"}}); err == nil || !strings.Contains(err.Error(), "at least 32") {
		t.Errorf("a short key: %v", err)
	}
	if _, err := cluster.Open(cluster.Config{DataDir: t.TempDir(), ClusterAddr: "127.0.0.1:0", Join: cluster.Join{Token: "bad"}}); err == nil || !strings.Contains(err.Error(), "malformed join token") {
		t.Errorf("a bad token: %v", err)
	}
}

// TestSecretsStayOnDisk: neither log nor snapshot holds a key or a join token.
func TestSecretsStayOnDisk(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 1, NoKey: true, Tune: cluster.Tuning{SnapshotThreshold: 1, SnapshotInterval: 50 * time.Millisecond}})
	text := c.JoinToken(time.Hour)
	n := stranger(t, "a", cluster.Join{})
	if err := n.Join(ctx, c.Nodes[0].API(), text, false); err != nil {
		t.Fatal(err)
	}
	member(t, n)
	dir := c.Nodes[0].Dir()
	c.Nodes[0].Kill()
	own, err := cluster.Secrets(dir, text)
	if err != nil || len(own) < 3 {
		t.Fatalf("%d secrets, %v", len(own), err)
	}
	files := 0
	err = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "credentials.json" {
			return err
		}
		b, err := os.ReadFile(name)
		files++
		for _, s := range own {
			if strings.Contains(string(b), string(s)) {
				t.Errorf("%s holds a secret", name)
			}
		}
		return err
	})
	if err != nil || files < 2 {
		t.Errorf("%d files, %v", files, err)
	}
}
