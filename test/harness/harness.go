// Package harness runs a cluster of real nodes in one process: Raft over TCP on loopback,
// bolt on disk, forwarding and joining as in production. Tests kill, restart and cut off
// its nodes.
package harness

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// Patience is how long a test waits for something that must happen.
const Patience = 30 * time.Second

// Options choose the cluster.
type Options struct {
	Nodes int
	Tune  cluster.Tuning
	// Multiplier stretches time-outs: the race detector and a busy machine need it.
	Multiplier float64
	// Log shows the nodes' logs.
	Log bool
}

// Cluster is a running cluster. Its salt is the zero Salt, and Root its root token.
type Cluster struct {
	T     testing.TB
	Nodes []*Node
	Root  token.Hash
	opts  Options
	net   network
}

// Node is one node, running or not.
type Node struct {
	*cluster.Node
	Name string
	c    *Cluster
	dir  string
	addr string // fixed once known, so that a restart keeps it
	api  *httptest.Server
	mu   sync.Mutex
}

// network decides which links are cut.
type network struct {
	mu    sync.Mutex
	cut   map[[2]string]bool
	conns map[net.Conn][2]string
}

// Start brings up a cluster and waits until every node has a vote.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Multiplier == 0 {
		o.Multiplier = 2
	}
	c := &Cluster{T: t, opts: o, Root: token.Hash{0xff, 1}, net: network{cut: map[[2]string]bool{}, conns: map[net.Conn][2]string{}}}
	for i := range o.Nodes {
		n := c.Add(fmt.Sprintf("n%d", i+1))
		if i == 0 {
			c.initialize(n)
		}
	}
	c.AwaitVoters(o.Nodes)
	return c
}

// Add starts one more node; it joins by itself, unless it is the first.
func (c *Cluster) Add(name string) *Node {
	c.T.Helper()
	n := &Node{Name: name, c: c, dir: filepath.Join(c.T.TempDir(), name), addr: "127.0.0.1:0"}
	n.api = httptest.NewServer(http.HandlerFunc(n.point))
	c.T.Cleanup(n.api.Close)
	c.Nodes = append(c.Nodes, n)
	n.Start()
	c.T.Cleanup(n.Kill)
	return n
}

// point serves what a joining node asks for.
func (n *Node) point(w http.ResponseWriter, _ *http.Request) {
	nd := n.current()
	if nd == nil {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	st := nd.Status()
	var id fsm.Identity
	nd.View(func(m *fsm.Machine) { id = m.Identity() })
	json.NewEncoder(w).Encode(map[string]any{"initialized": st.Initialized, "cluster_id": id.ClusterID, "leader_cluster_address": st.Leader.ClusterAddr})
}

func (n *Node) current() *cluster.Node {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.Node
}

// Up reports whether the node runs.
func (n *Node) Up() bool { return n.current() != nil }

// Start starts the node on its folder, at its old address if it had one.
func (n *Node) Start() {
	n.c.T.Helper()
	nd, err := n.open()
	if err != nil {
		n.c.T.Fatalf("starting %s: %v", n.Name, err)
	}
	n.mu.Lock()
	n.Node, n.addr = nd, nd.Addr()
	n.mu.Unlock()
}

func (n *Node) open() (*cluster.Node, error) {
	log := hclog.NewNullLogger()
	if n.c.opts.Log {
		log = hclog.New(&hclog.LoggerOptions{Name: n.Name, Level: hclog.Debug})
	}
	cfg := cluster.Config{
		DataDir: n.dir, NodeID: n.Name, ClusterAddr: n.addr, Multiplier: n.c.opts.Multiplier, Logger: log, Tune: n.c.opts.Tune,
		Advertise: cluster.Advertise{API: n.api.URL, Version: "test"},
	}
	cfg.Tune.Dial = n.dial
	if first := n.c.Nodes[0]; first != n {
		cfg.RetryJoin = []string{first.api.URL}
	}
	return cluster.Open(cfg)
}

// Dir returns the node's data directory.
func (n *Node) Dir() string { return n.dir }

// API returns the address that a joining node is given.
func (n *Node) API() string { return n.api.URL }

// Kill stops the node without a good-bye.
func (n *Node) Kill() {
	n.mu.Lock()
	nd := n.Node
	n.Node = nil
	n.mu.Unlock()
	if nd != nil {
		if err := nd.Close(); err != nil {
			n.c.T.Logf("closing %s: %v", n.Name, err)
		}
	}
}

func (c *Cluster) initialize(n *Node) {
	c.T.Helper()
	var id [4]byte
	rand.Read(id[:])
	err := n.Init(context.Background(), fsm.Initialize{
		ClusterID: fmt.Sprintf("test-%x", id), ClusterName: "test",
		Root:     token.Record{Hash: c.Root, Accessor: "root", Type: token.Service, Policies: []string{policy.Root}, Path: "auth/token/root"},
		Policies: []policy.Policy{{Name: policy.Default}},
	})
	if err != nil {
		c.T.Fatalf("init: %v", err)
	}
}

// Await polls until ok, or fails the test.
func Await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", Patience, what)
		}
		<-tick.C
	}
}

// AwaitVoters waits until every running node sees n voters and a leader.
func (c *Cluster) AwaitVoters(n int) {
	c.T.Helper()
	Await(c.T, fmt.Sprintf("%d voters", n), func() bool {
		for _, nd := range c.Nodes {
			cur := nd.current()
			if cur == nil {
				continue
			}
			st := cur.Status()
			voters := 0
			for _, s := range st.Servers {
				if s.Voter {
					voters++
				}
			}
			if voters != n || st.Leader.ID == "" {
				return false
			}
		}
		return true
	})
}

// Leader waits for a node that leads.
func (c *Cluster) Leader() *Node {
	c.T.Helper()
	var l *Node
	Await(c.T, "a leader", func() bool {
		for _, n := range c.Nodes {
			if cur := n.current(); cur != nil && cur.Status().IsLeader {
				l = n
				return true
			}
		}
		return false
	})
	return l
}

// Followers returns the running nodes that do not lead.
func (c *Cluster) Followers() []*Node {
	l := c.Leader()
	var fs []*Node
	for _, n := range c.Nodes {
		if n != l && n.Up() {
			fs = append(fs, n)
		}
	}
	return fs
}

// Isolate cuts all links of n, both ways, also those that are open.
func (c *Cluster) Isolate(n *Node) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for _, o := range c.Nodes {
		if o != n {
			c.net.cut[[2]string{n.Name, o.addr}] = true
			c.net.cut[[2]string{o.Name, n.addr}] = true
		}
	}
	for conn, link := range c.net.conns {
		if c.net.cut[link] {
			conn.Close()
			delete(c.net.conns, conn)
		}
	}
}

// Heal restores all links.
func (c *Cluster) Heal() {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.net.cut = map[[2]string]bool{}
}

// errCut is what a dial over a cut link gives.
var errCut = errors.New("the link is cut")

func (n *Node) dial(addr string, timeout time.Duration) (net.Conn, error) {
	link := [2]string{n.Name, addr}
	nw := &n.c.net
	nw.mu.Lock()
	cut := nw.cut[link]
	nw.mu.Unlock()
	if cut {
		return nil, errCut
	}
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err == nil {
		nw.mu.Lock()
		nw.conns[conn] = link
		nw.mu.Unlock()
	}
	return conn, err
}
