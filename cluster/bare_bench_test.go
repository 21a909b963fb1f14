package cluster

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/cluster/seal"
	"github.com/tokengrove/grove/fsm"
)

// BenchmarkBareApply is what a bare Raft costs one client: three nodes with a Grove node's stores,
// transport, TLS and configuration, and a machine that does nothing. Its latency is what that of
// BenchmarkPropose/leader/1 is compared with; so its name has the same parts.
func BenchmarkBareApply(b *testing.B) {
	r := bareLeader(b, 3)
	entry := make([]byte, 200)
	rand.Read(entry)
	b.Run("leader/1", func(b *testing.B) {
		b.ReportAllocs()
		took := make([]time.Duration, 0, b.N)
		for b.Loop() {
			start := time.Now()
			if err := r.Apply(entry, 0).Error(); err != nil {
				b.Fatal(err)
			}
			took = append(took, time.Since(start))
		}
		ReportMedian(b, took)
	})
}

// ReportMedian reports the median of what single operations took.
func ReportMedian(b *testing.B, took []time.Duration) {
	if len(took) > 0 {
		slices.Sort(took)
		b.ReportMetric(float64(took[len(took)/2].Nanoseconds()), "p50-ns")
	}
}

// nothing is a machine without state.
type nothing struct{}

// Apply implements raft.FSM.
func (nothing) Apply(*raft.Log) any { return nil }

// ApplyBatch implements raft.BatchingFSM.
func (nothing) ApplyBatch(logs []*raft.Log) []any { return make([]any, len(logs)) }

// Snapshot implements raft.FSM.
func (nothing) Snapshot() (raft.FSMSnapshot, error) { return nothing{}, nil }

// Restore implements raft.FSM.
func (nothing) Restore(r io.ReadCloser) error { return r.Close() }

// Persist implements raft.FSMSnapshot.
func (nothing) Persist(s raft.SnapshotSink) error { return s.Close() }

// Release implements raft.FSMSnapshot.
func (nothing) Release() {}

// bareLeader starts n nodes of which only the links and Raft run, and returns the leader's Raft.
func bareLeader(b *testing.B, n int) *raft.Raft {
	b.Helper()
	var nodes []*Node
	var voters raft.Configuration
	var founder *pki.Credentials
	for i := range n {
		nd := bareNode(b, fmt.Sprintf("n%d", i+1), &founder)
		nodes = append(nodes, nd)
		voters.Servers = append(voters.Servers, raft.Server{ID: raft.ServerID(nd.self.ID), Address: raft.ServerAddress(nd.self.ClusterAddr)})
	}
	var rafts []*raft.Raft
	for _, nd := range nodes {
		rafts = append(rafts, nd.bareRaft(b, voters))
	}
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		for _, r := range rafts {
			if r.State() == raft.Leader && r.Barrier(time.Second).Error() == nil {
				return r
			}
		}
	}
	b.Fatal("no leader within 30 s")
	return nil
}

// bareNode makes a node that has links and credentials, and nothing behind them. The first makes
// the authority.
func bareNode(b *testing.B, name string, founder **pki.Credentials) *Node {
	b.Helper()
	cfg := Config{DataDir: b.TempDir(), NodeID: name, ClusterAddr: "127.0.0.1:0", Multiplier: 2} // as the harness has
	if err := cfg.Validate(); err != nil {
		b.Fatal(err)
	}
	l, err := net.Listen("tcp", cfg.ClusterAddr)
	if err != nil {
		b.Fatal(err)
	}
	n := &Node{cfg: cfg, log: cfg.Logger, self: fsm.Member{ID: name, ClusterAddr: l.Addr().String()}}
	n.trust = &trust{
		dir: cfg.DataDir, now: cfg.Now, random: cfg.Rand, life: cfg.Tune.CertificateLife,
		replaced: func(pki.Name) error { return nil },
	}
	c, err := pki.Found(cfg.Rand, pki.Name{Cluster: "bare", Node: name}, cfg.Now(), n.trust.life, seal.Key{})
	if *founder == nil {
		*founder = c
	} else if err == nil {
		c, err = admit(*founder, name, n.trust)
	}
	if err == nil {
		err = n.trust.use(c)
	}
	if err != nil {
		b.Fatal(err)
	}
	n.links = newLinks(n, l)
	n.spawn(n.links.serve)
	b.Cleanup(n.life.wg.Wait)
	b.Cleanup(n.links.close)
	return n
}

// admit makes credentials of the founder's authority.
func admit(founder *pki.Credentials, name string, t *trust) (*pki.Credentials, error) {
	a, err := pki.NewApplicant(t.random, name, "")
	if err != nil {
		return nil, err
	}
	req, err := a.Request(t.random)
	if err != nil {
		return nil, err
	}
	node, key, err := pki.ParseRequest(req)
	if err != nil {
		return nil, err
	}
	grant, err := founder.Grant(t.random, node, key, t.now(), t.life)
	if err != nil {
		return nil, err
	}
	return a.Accept(grant)
}

// bareRaft is startRaft without what Grove does around Raft.
func (n *Node) bareRaft(b *testing.B, voters raft.Configuration) *raft.Raft {
	b.Helper()
	store, err := openStore(n.cfg.DataDir, n.log)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { store.Close() })
	trans := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: streamLayer{n.links}, MaxPool: 4, Timeout: 10 * time.Second, Logger: n.log,
	})
	b.Cleanup(func() { trans.Close() })
	c := n.raftConfig(make(chan bool, 16)) // who leads changes less often
	snaps := raft.NewInmemSnapshotStore()
	err = raft.BootstrapCluster(c, store, store, snaps, transport{NetworkTransport: trans}, voters)
	if err != nil {
		b.Fatal(err)
	}
	r, err := raft.NewRaft(c, nothing{}, store, store, snaps, transport{NetworkTransport: trans})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { r.Shutdown().Error() })
	return r
}
