package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/raft"
	"github.com/hashicorp/yamux"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/cluster/seal"
	"github.com/tokengrove/grove/fsm"
)

// Node is one member of a cluster. Open makes one.
type Node struct {
	cfg  Config
	log  hclog.Logger
	self fsm.Member

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	life   lifetime

	mu      sync.Mutex // guards id, and starting Raft
	id      identity
	raftPtr atomic.Pointer[raft.Raft]
	wiring
	pipeline
	standing
}

// wiring is what connects a node to its disk and its peers. store, trans and gossip come with
// Raft.
type wiring struct {
	store  *logStore
	trans  *raft.NetworkTransport
	gossip *memberlist.Memberlist
	links  *links
	calls  *calls
	trust  *trust
	seals  *seal.Keyring
	// joining is held by everyone who takes a node in, and alone by the next step of a rotation.
	joining sync.RWMutex
	keyring *memberlist.Keyring // of gossip
}

// pipeline is the way of a request through a node.
type pipeline struct {
	edge     *edge
	proposer *proposer
	replica  *replica
	lead     *leadership
	reads    rounds // this node's, asked of the leader
	confirms rounds // the leader's own
	quorum   rounds // whether one is in reach
	tending
	backups
	near atomic.Pointer[raft.ServerID] // the voter that answered a question for its term last
}

// lifetime counts the goroutines of a node.
type lifetime struct {
	mu     sync.Mutex
	closed bool
	wg     sync.WaitGroup
}

// Open starts a node: a member goes on where it stopped, a new one waits for Init, or joins by
// itself when the configuration names a cluster. It fails when the data directory is not
// its own, cannot be written, or the address is taken.
func Open(cfg Config) (*Node, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	id, err := loadIdentity(cfg.DataDir, cfg.NodeID, cfg.Rand)
	if err != nil {
		return nil, err
	}
	trust, err := loadTrust(&cfg, id)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", cfg.ClusterAddr)
	if err != nil {
		return nil, fmt.Errorf("cluster address: %w", err)
	}
	n := &Node{cfg: cfg, log: cfg.Logger, id: id}
	n.self = fsm.Member{
		ID: id.NodeID, ClusterAddr: cfg.Advertise.Cluster, APIAddr: cfg.Advertise.API,
		Version: cfg.Advertise.Version, Hostname: cfg.Advertise.Hostname,
	}
	if n.self.ClusterAddr == "" {
		n.self.ClusterAddr = l.Addr().String()
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	n.replica = newReplica(n.log)
	n.replica.closing, n.replica.dir = n.ctx.Done(), cfg.DataDir
	n.replica.hashing.closing, n.replica.hashing.spawn = n.ctx.Done(), n.spawn
	n.backups = newBackups()
	sweepSpool(cfg.DataDir)
	n.lead = newLeadership(time.Now())
	n.proposer = newProposer(n)
	n.clocks, n.wrongClock = newClocks(&n.cfg), make(chan struct{}, 1)
	n.trust, n.links = trust, newLinks(n, l)
	n.seals = seal.New(n.View, trust.sealKey, cfg.Rand)
	n.trust.replaced = n.replaced
	n.admitted.Store(id.AdmittedAt)
	n.calls = &calls{node: n, peers: map[string]*peer{}, dials: map[string]*dialing{}, incoming: map[*yamux.Session]bool{}}
	n.calls.handlers = n.handlers()
	n.reads = rounds{ask: n.askLeader, spawn: n.spawn, closed: n.ctx.Done()}
	n.confirms = rounds{ask: n.confirm, spawn: n.spawn, closed: n.ctx.Done()}
	n.quorum = rounds{ask: n.probe, spawn: n.spawn, closed: n.ctx.Done()}
	if n.edge, err = newEdge(n); err != nil {
		l.Close()
		return nil, err
	}
	n.spawn(n.links.serve)
	n.spawn(n.proposer.run)
	go n.proposer.land()
	n.spawn(n.edge.run)
	n.spawn(n.renew)
	if err := n.begin(); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// begin starts Raft for a member, or the search for a cluster.
func (n *Node) begin() error {
	if n.id.ClusterID == "" {
		if len(n.cfg.Join.Addresses) > 0 {
			n.spawn(n.seek)
		}
		return nil
	}
	if err := n.strangers(); err != nil {
		return err
	}
	store, err := n.openLog()
	if err != nil {
		return err
	}
	if store == nil {
		n.startOver()
		return nil
	}
	n.mu.Lock()
	err = n.startRaft(store)
	founding := n.id.Founding
	n.mu.Unlock()
	if err == nil {
		_, err = n.compare() // a snapshot has been restored by now
	}
	if err == nil && !founding {
		n.spawn(n.announce)
	}
	return err
}

// spawn runs f on a goroutine that Close waits for; not at all once Close has begun.
func (n *Node) spawn(f func()) bool {
	n.life.mu.Lock()
	defer n.life.mu.Unlock()
	if n.life.closed {
		return false
	}
	n.life.wg.Add(1)
	go func() {
		defer n.life.wg.Done()
		f()
	}()
	return true
}

// raft returns Raft, nil before the node is in a cluster.
func (n *Node) raft() *raft.Raft { return n.raftPtr.Load() }

func (n *Node) clusterID() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.id.ClusterID
}

// startRaft starts Raft, of a founder as the only voter. store is opened if it is nil. n.mu is held.
func (n *Node) startRaft(store *logStore) error {
	if n.id.Founding {
		if err := n.trust.found(pki.Name{Cluster: n.id.ClusterID, Node: n.id.NodeID, Birth: n.id.Birth}); err != nil {
			return err
		}
	}
	if store == nil {
		var err error
		if store, err = openStore(n.cfg.DataDir, n.log.Named("wal")); err != nil {
			return err
		}
	}
	store.mayVote = n.sworn
	snaps, err := raft.NewFileSnapshotStoreWithLogger(n.cfg.DataDir, 2, n.log.Named("snapshot"))
	if err != nil {
		return errors.Join(fmt.Errorf("opening snapshots: %w", err), store.Close())
	}
	net := n.newTransport()
	trans := transport{net, n.stand}
	busy := &installing{net: net, term: n.term, last: n.lastIndex, applied: n.replica.applied.Load}
	n.replica.installed = busy.end
	notify, latest := make(chan bool, 1), make(chan bool, 1)
	c := n.raftConfig(notify)
	if n.id.Founding {
		self := raft.Server{ID: c.LocalID, Address: raft.ServerAddress(n.self.ClusterAddr), Suffrage: raft.Voter}
		err = raft.BootstrapCluster(c, store, store, snaps, trans, raft.Configuration{Servers: []raft.Server{self}})
		if errors.Is(err, raft.ErrCantBootstrap) {
			err = nil // an earlier Init got this far
		}
	}
	var r *raft.Raft
	if err == nil {
		r, err = raft.NewRaft(c, n.replica, store, store, &snapshots{snaps, busy}, trans)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("starting raft: %w", err), net.Close(), store.Close())
	}
	n.store, n.trans = store, net
	n.raftPtr.Store(r)
	n.spawn(func() { n.drain(notify, latest) })
	n.spawn(func() { n.watch(r, latest) })
	n.spawn(func() { n.stopWhenBroken(r) })
	n.spawn(n.guard)
	n.spawn(n.verify)
	n.spawn(n.follow)
	n.spawn(n.watchKeys)
	n.startGossip()
	return nil
}

func (n *Node) raftConfig(notify chan<- bool) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(n.self.ID)
	c.HeartbeatTimeout = n.cfg.stretch(heartbeatTimeout)
	c.ElectionTimeout = n.cfg.stretch(electionTimeout)
	c.LeaderLeaseTimeout = n.cfg.stretch(leaderLease)
	c.CommitTimeout = commitTimeout
	c.MaxAppendEntries = 64
	c.BatchApplyCh = true
	c.SnapshotThreshold = n.cfg.Tune.SnapshotThreshold
	c.TrailingLogs = n.cfg.Tune.TrailingLogs
	c.SnapshotInterval = n.cfg.Tune.SnapshotInterval
	c.ShutdownOnRemove = false
	c.NotifyCh = notify
	c.Logger = n.log.Named("raft")
	return c
}

// Failed yields an error when this replica cannot be trusted any more. The process must end.
func (n *Node) Failed() <-chan error { return n.replica.failed }

// outcomeOf waits for a future of Raft, but no longer than the node lives: a future that
// was queued when Raft shut down is never answered, and its goroutine is left behind.
func (n *Node) outcomeOf(f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-n.ctx.Done():
		return fmt.Errorf("the node is closing: %w", n.ctx.Err())
	}
}

// ID returns the node's stable ID.
func (n *Node) ID() string { return n.self.ID }

// Addr returns the address that peers reach the node at.
func (n *Node) Addr() string { return n.self.ClusterAddr }

// View runs f with a consistent view of the local machine. f must not block, and not keep
// the machine.
func (n *Node) View(f func(m *fsm.Machine)) { n.replica.view(f) }

// Propose replicates c and returns its result. It is applied at most once, and waits for a
// new leader when one is lost. An error is an *fsm.Error: Unavailable (certainly not
// applied) or OutcomeUnknown. A refusal by apply is in the Result.
func (n *Node) Propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	if n.raft() == nil {
		return fsm.Result{}, errNoCluster()
	}
	return n.edge.propose(ctx, c)
}

// Close stops the node without leaving the cluster, and waits for everything that it started.
func (n *Node) Close() error {
	n.life.mu.Lock()
	if n.life.closed {
		n.life.mu.Unlock()
		return nil
	}
	n.life.closed = true
	n.life.mu.Unlock()
	n.cancel()
	n.links.close() // first, so that no close waits to say good-bye
	n.calls.close()
	n.mu.Lock()
	r, store, trans, gossip := n.raft(), n.store, n.trans, n.gossip
	n.mu.Unlock()
	var err error
	if gossip != nil {
		err = errors.Join(err, gossip.Shutdown())
	}
	if r != nil {
		trans.CloseStreams()
		err = errors.Join(err, trans.Close(), r.Shutdown().Error())
	}
	n.life.wg.Wait()
	if store != nil {
		err = errors.Join(err, store.Close())
	}
	return err
}
