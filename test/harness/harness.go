// Package harness runs a cluster of real nodes in one process: Raft over TCP on loopback,
// bolt on disk, forwarding and joining as in production. Tests kill, restart and cut off
// its nodes.
package harness

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
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

// Key is the cluster key of the nodes.
const Key = "the cluster key of the test harness"

// Options choose the cluster.
type Options struct {
	Nodes int
	Tune  cluster.Tuning
	// Multiplier stretches time-outs: the race detector and a busy machine need it.
	Multiplier float64
	// NoKey leaves the nodes without a cluster key: each joins with a join token.
	NoKey bool
	// Log shows the nodes' logs.
	Log bool
	// Handler makes the API of a node, at every start; nil: only what a joining node asks for.
	// It must answer GET /v1/sys/grove/cluster.
	Handler func(n *cluster.Node) http.Handler
	// Duty is work of the leader; nil: none.
	Duty func(ctx context.Context, n *cluster.Node)
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
	Name     string
	c        *Cluster
	dir      string
	addr     string // of its cluster port; a restart keeps it
	join     string // its join token, if nodes need one
	nonVoter bool
	api      *httptest.Server
	off      atomic.Int64 // how wrong its clock is

	mu      sync.Mutex // guards Node, addr and handler
	handler http.Handler
}

// Start brings up a cluster and waits until every node has a vote.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	if o.Multiplier == 0 {
		o.Multiplier = 2
	}
	c := &Cluster{T: t, opts: o, Root: root, net: newNetwork()}
	for i := range o.Nodes {
		n := c.Add(fmt.Sprintf("n%d", i+1))
		if i == 0 {
			c.initialize(n)
		}
	}
	c.AwaitVoters(o.Nodes)
	return c
}

// NonVoter makes Add start a node that gets no vote.
const NonVoter = true

// Add starts one more node; it joins by itself, unless it is the first.
func (c *Cluster) Add(name string, nonVoter ...bool) *Node {
	c.T.Helper()
	addr, err := freeAddr()
	if err != nil {
		c.T.Fatal(err)
	}
	n := &Node{Name: name, c: c, dir: filepath.Join(c.T.TempDir(), name), addr: addr, nonVoter: len(nonVoter) > 0 && nonVoter[0]}
	if c.opts.NoKey && len(c.Nodes) > 0 {
		n.join = c.JoinToken(time.Hour)
	}
	n.api = httptest.NewServer(http.HandlerFunc(n.serve))
	c.T.Cleanup(n.api.Close)
	c.Nodes = append(c.Nodes, n)
	n.Start()
	c.T.Cleanup(n.Kill)
	return n
}

// JoinToken makes a join token through the leader.
func (c *Cluster) JoinToken(ttl time.Duration) string {
	c.T.Helper()
	l := c.Leader()
	text, h, err := l.MintJoinToken()
	if err != nil {
		c.T.Fatal(err)
	}
	r, err := l.Propose(context.Background(), &fsm.PutJoinToken{Caller: fsm.Caller{Token: c.Root, Epoch: 1}, Hash: h, TTL: ttl})
	if err != nil || r.Err() != nil {
		c.T.Fatalf("join token: %+v, %v", r, err)
	}
	return text
}

// serve is the node's API while it runs; of a node that is down it cuts the connection.
func (n *Node) serve(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	h := n.handler
	n.mu.Unlock()
	if h == nil {
		panic(http.ErrAbortHandler)
	}
	h.ServeHTTP(w, r)
}

// point answers what a joining node asks for.
func point(nd *cluster.Node) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		st := nd.Status()
		var id fsm.Identity
		nd.View(func(m *fsm.Machine) { id = m.Identity() })
		json.NewEncoder(w).Encode(map[string]any{"initialized": st.Initialized, "cluster_id": id.ClusterID, "leader_cluster_address": st.Leader.ClusterAddr})
	})
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
	h := point(nd)
	if n.c.opts.Handler != nil {
		h = n.c.opts.Handler(nd)
	}
	n.mu.Lock()
	n.Node, n.handler = nd, h
	n.mu.Unlock()
}

// Wipe empties the folder of the node, which must be down: all of it, or only what names names.
func (n *Node) Wipe(names ...string) {
	n.c.T.Helper()
	if len(names) == 0 {
		names = []string{""}
	}
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(n.dir, name)); err != nil {
			n.c.T.Fatal(err)
		}
	}
}

// Move gives the node, which must be down, another address for its next start.
func (n *Node) Move() {
	n.c.T.Helper()
	addr, err := freeAddr()
	if err != nil {
		n.c.T.Fatal(err)
	}
	n.mu.Lock()
	n.addr = addr
	n.mu.Unlock()
}

// TakeAddress gives the node the address of another; both must be down.
func (n *Node) TakeAddress(of *Node) {
	of.mu.Lock()
	addr := of.addr
	of.mu.Unlock()
	n.mu.Lock()
	n.addr = addr
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
	cfg.Tune.Dial, cfg.Now, cfg.Duty = n.dial, n.now, n.c.opts.Duty
	if first := n.c.Nodes[0]; first != n {
		cfg.Join.Addresses = []string{first.api.URL}
	}
	if cfg.Join.Token = n.join; !n.c.opts.NoKey {
		cfg.Join.Key = Key
	}
	cfg.Join.NonVoter = n.nonVoter
	return cluster.Open(cfg)
}

// Shift sets how far the node's clock is off, also while it runs.
func (n *Node) Shift(d time.Duration) { n.off.Store(int64(d)) }

func (n *Node) now() time.Time { return time.Now().Round(0).Add(time.Duration(n.off.Load())) }

// Dir returns the node's data directory.
func (n *Node) Dir() string { return n.dir }

// API returns the URL of the node's API. It stays when the node is restarted.
func (n *Node) API() string { return n.api.URL }

// Kill stops the node without a good-bye.
func (n *Node) Kill() {
	n.mu.Lock()
	nd := n.Node
	n.Node, n.handler = nil, nil
	n.mu.Unlock()
	if nd != nil {
		cut := make(chan struct{})
		go func() {
			n.api.CloseClientConnections()
			close(cut)
		}()
		defer func() { <-cut }()
		if err := nd.Close(); err != nil {
			n.c.T.Logf("closing %s: %v", n.Name, err)
		}
	}
}

func (c *Cluster) initialize(n *Node) {
	c.T.Helper()
	var id [4]byte
	rand.Read(id[:])
	if err := n.Init(context.Background(), Genesis(fmt.Sprintf("test-%x", id))); err != nil {
		c.T.Fatalf("init: %v", err)
	}
}

// root is the hash of the root token of every cluster of this package.
var root = token.Hash{0xff, 1}

// Genesis is what a test cluster starts with.
func Genesis(cluster string) fsm.Initialize {
	return fsm.Initialize{
		ClusterID: cluster, ClusterName: "test",
		Root:     token.Record{Hash: root, Accessor: "root", Type: token.Service, Policies: []string{policy.Root}, Path: "auth/token/root"},
		Policies: []policy.Policy{{Name: policy.Default}},
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
