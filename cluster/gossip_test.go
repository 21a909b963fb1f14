package cluster_test

import (
	"crypto/rand"
	"io"
	"net"
	"strconv"
	"testing"

	"github.com/hashicorp/memberlist"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

// TestGossipIsSecret: members find each other, and nobody without the key finds them.
func TestGossipIsSecret(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 2})
	harness.Await(t, "both nodes gossip", func() bool { return c.Nodes[0].Gossips() == 2 && c.Nodes[1].Gossips() == 2 })
	var label string
	c.Nodes[0].View(func(m *fsm.Machine) { label = m.Identity().ClusterID })
	host, port, err := net.SplitHostPort(c.Nodes[0].Addr())
	if err != nil {
		t.Fatal(err)
	}
	p, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 32)
	rand.Read(key)
	for what, key := range map[string][]byte{"no key": nil, "another key": key} {
		cfg := memberlist.DefaultLocalConfig()
		cfg.Name, cfg.BindAddr, cfg.BindPort, cfg.LogOutput, cfg.Label, cfg.SecretKey = "stranger", host, 0, io.Discard, label, key
		g, err := memberlist.Create(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := g.Join([]string{net.JoinHostPort(host, strconv.Itoa(p+1))}); n > 0 || err == nil {
			t.Errorf("%s: joined %d nodes, %v", what, n, err)
		}
		if err := g.Shutdown(); err != nil {
			t.Error(err)
		}
	}
	if n := c.Nodes[0].Gossips(); n != 2 {
		t.Errorf("%d nodes gossip, want 2", n)
	}
}
