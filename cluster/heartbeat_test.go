package cluster

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// TestHeartbeatsAndTheLog is the schedule of hashicorp/raft #695. A leader has taken a change of the
// configuration, and is about to write it, when a heartbeat of the leader of the next term arrives. Handled beside
// the main thread, it moves the term under the writer, which then writes an entry of its own into a
// term that it does not lead: two entries with the same index and term. Through our transport the heartbeat waits
// for the main thread, and the entry gets the old term and is replaced.
func TestHeartbeatsAndTheLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		wrap    func(*raft.NetworkTransport) raft.Transport
		diverge bool
	}{
		"the library's transport": {func(t *raft.NetworkTransport) raft.Transport { return t }, true},
		"ours":                    {func(t *raft.NetworkTransport) raft.Transport { return transport{NetworkTransport: t} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes := openBare(t, 3, c.wrap)
			old := electedBare(t, nodes)
			if err := old.raft.Barrier(time.Minute).Error(); err != nil {
				t.Fatal(err)
			}
			at := old.raft.LastIndex() + 1
			for _, n := range nodes {
				awaitBare(t, "the log is everywhere", func() bool { return n.raft.LastIndex() == at-1 })
			}
			old.gate.armed.Store(true)
			old.raft.AddNonvoter("guest", "127.0.0.1:1", 0, 0)
			<-old.gate.entered // the main thread stands before the write
			rest := without(nodes, old)
			old.cut.Store(true)
			next := electedBare(t, rest)
			if err := next.raft.Barrier(time.Minute).Error(); err != nil {
				t.Fatal(err)
			}
			old.cut.Store(false)
			heard := next.sent.Load()
			awaitBare(t, "heartbeats reach the old leader", func() bool {
				return next.sent.Load() > heard+1 && (!c.diverge || old.raft.CurrentTerm() == next.raft.CurrentTerm())
			})
			close(old.gate.open)
			awaitBare(t, "the old leader follows", func() bool {
				addr, _ := old.raft.LeaderWithID()
				return string(addr) == next.addr && old.raft.LastIndex() >= next.raft.LastIndex()
			})
			got, want := old.entry(t, at), next.entry(t, at)
			if diverged := got.Term == want.Term && got.Type != want.Type; diverged != c.diverge {
				t.Errorf("entry %d is %s of term %d on the old leader and %s of term %d on the new one: diverged %t, want %t", at, got.Type, got.Term, want.Type, want.Term, diverged, c.diverge)
			}
		})
	}
}

// bare is a node of the library alone, over TCP, with a log in memory.
type bare struct {
	raft.Transport
	raft  *raft.Raft
	addr  string
	log   *raft.InmemStore
	peer  map[string]*bare // by address; fixed before Raft starts
	cut   atomic.Bool      // nothing goes in or out
	sent  atomic.Int64     // heartbeats that went out
	hang  atomic.Bool      // appends to this node get no answer until the test ends
	end   chan struct{}    // the test ends
	stuck atomic.Int64     // appends of this node that wait
	gate  gate
}

var errBareCut = errors.New("the link is cut")

func (n *bare) link(to raft.ServerAddress) error {
	if p := n.peer[string(to)]; p == nil || p.cut.Load() || n.cut.Load() {
		return errBareCut
	}
	return nil
}

func (n *bare) AppendEntries(id raft.ServerID, to raft.ServerAddress, a *raft.AppendEntriesRequest, r *raft.AppendEntriesResponse) error {
	if err := n.link(to); err != nil {
		return err
	}
	n.sent.Add(1)
	if n.peer[string(to)].hang.Load() {
		n.stuck.Add(1)
		<-n.end
		return errBareCut
	}
	return n.Transport.AppendEntries(id, to, a, r)
}

func (n *bare) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

func (n *bare) RequestVote(id raft.ServerID, to raft.ServerAddress, a *raft.RequestVoteRequest, r *raft.RequestVoteResponse) error {
	if err := n.link(to); err != nil {
		return err
	}
	return n.Transport.RequestVote(id, to, a, r)
}

func (n *bare) entry(t *testing.T, at uint64) raft.Log {
	var l raft.Log
	if err := n.log.GetLog(at, &l); err != nil {
		t.Fatal(err)
	}
	return l
}

// gate stops the main thread where the library logs that it takes a new configuration.
type gate struct {
	armed         atomic.Bool
	entered, open chan struct{}
}

// Accept implements hclog.SinkAdapter.
func (g *gate) Accept(_ string, _ hclog.Level, msg string, _ ...any) {
	if strings.Contains(msg, "updating configuration") && g.armed.CompareAndSwap(true, false) {
		close(g.entered)
		<-g.open
	}
}

// openBare starts n nodes that are a cluster.
func openBare(t *testing.T, n int, wrap func(*raft.NetworkTransport) raft.Transport) []*bare {
	t.Helper()
	var nodes []*bare
	var all raft.Configuration
	peers, end := map[string]*bare{}, make(chan struct{})
	for i := range n {
		nt, err := raft.NewTCPTransport("127.0.0.1:0", nil, 3, time.Second, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		b := &bare{Transport: wrap(nt), addr: string(nt.LocalAddr()), end: end, log: raft.NewInmemStore(), peer: peers}
		b.gate.entered, b.gate.open = make(chan struct{}), make(chan struct{})
		peers[b.addr] = b
		nodes = append(nodes, b)
		all.Servers = append(all.Servers, raft.Server{ID: raft.ServerID(fmt.Sprint(i)), Address: nt.LocalAddr()})
		t.Cleanup(func() { nt.Close() })
	}
	for i, b := range nodes {
		log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard, Level: hclog.Debug})
		log.RegisterSink(&b.gate)
		c := raft.DefaultConfig()
		c.LocalID, c.Logger = all.Servers[i].ID, log
		c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 300*time.Millisecond, 300*time.Millisecond, 200*time.Millisecond
		snaps := raft.NewInmemSnapshotStore()
		if err := raft.BootstrapCluster(c, b.log, b.log, snaps, b, all); err != nil {
			t.Fatal(err)
		}
		r, err := raft.NewRaft(c, nothing{}, b.log, b.log, snaps, b)
		if err != nil {
			t.Fatal(err)
		}
		b.raft = r
		t.Cleanup(func() { r.Shutdown().Error() })
	}
	t.Cleanup(func() { close(end) })
	return nodes
}

func without(nodes []*bare, one *bare) (rest []*bare) {
	for _, n := range nodes {
		if n != one {
			rest = append(rest, n)
		}
	}
	return rest
}

// electedBare waits for a leader.
func electedBare(t *testing.T, nodes []*bare) (l *bare) {
	t.Helper()
	awaitBare(t, "a leader", func() bool {
		for _, n := range nodes {
			if n.raft.State() == raft.Leader {
				l = n
			}
		}
		return l != nil
	})
	return l
}

func awaitBare(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within 30s: %s", what)
		}
	}
}
