package cluster

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

const (
	// checkTimeout bounds a comparison of all replicas.
	checkTimeout = 5 * time.Minute
	// hashPatience is how long one question for a hash waits for it.
	hashPatience = 10 * time.Second
	// checkShare: the next comparison waits for so many times as long as the hash of the last one took, so
	// that hashing a large state takes a twentieth of a core at most.
	checkShare = 20
)

// checker compares the replicas, on a node that leads.
type checker struct {
	turn      slots // one comparison at a time
	lastCheck atomic.Pointer[fsm.CheckReport]
}

func newChecker() checker { return checker{turn: make(slots, 1)} }

// watchReplicas compares the replicas now and then while this node leads, when there was news.
func (n *Node) watchReplicas(ctx context.Context) {
	var seen uint64 // index after the last comparison
	for ctx.Err() == nil {
		n.rest(ctx, max(n.cfg.Tune.CheckInterval, checkShare*time.Duration(n.replica.hashing.took.Load())))
		if n.replica.applied.Load() == seen || ctx.Err() != nil || !n.turn.take() {
			continue
		}
		report, err := n.compareReplicas(ctx)
		n.turn.give()
		if err != nil {
			n.log.Debug("comparing the replicas", "error", err)
			continue
		}
		n.noteCheck(report)
		seen = n.replica.applied.Load()
	}
}

// noteCheck keeps what a comparison found, and raises the alarm.
func (n *Node) noteCheck(r fsm.CheckReport) {
	n.lastCheck.Store(&r)
	for _, c := range r.Nodes {
		switch c.State {
		case fsm.CheckMismatch, fsm.CheckBroken:
			n.log.Error("ALARM: a replica is not what it must be, and stops", "id", c.ID, "index", c.Index, "state", c.State, "error", c.Error)
		case fsm.CheckUnknown:
			n.log.Error("ALARM: the replicas differ, and no majority of the voters agrees: which of them is right cannot be told", "id", c.ID, "index", c.Index, "hash", c.Hash)
		}
	}
}

// compareReplicas makes all replicas hash their state at one index, and logs which hash most voters have: one
// that has another stops itself. Replicas that do not answer are left out.
func (n *Node) compareReplicas(ctx context.Context) (fsm.CheckReport, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	res, err := n.system(ctx, &fsm.Checkpoint{})
	if err != nil {
		return fsm.CheckReport{}, err
	}
	servers := n.raft().GetConfiguration().Configuration().Servers
	report := fsm.CheckReport{Index: res.Index, Nodes: make([]fsm.NodeCheck, len(servers))}
	n.ofAll(servers, func(i int, s raft.Server) {
		report.Nodes[i] = fsm.NodeCheck{ID: string(s.ID), Index: res.Index, State: fsm.CheckUnreachable}
		sum, err := n.hashOf(ctx, s, res.Index)
		if err != nil {
			report.Nodes[i].Error = err.Error()
			return
		}
		report.Nodes[i].Hash, report.Nodes[i].State = hex.EncodeToString(sum), fsm.CheckUnknown
	})
	if report.Hash = judge(report.Nodes, servers); report.Hash == "" {
		return report, ctx.Err()
	}
	v := fsm.Verdict{Index: res.Index}
	if _, err := hex.Decode(v.Hash[:], []byte(report.Hash)); err != nil {
		return report, err
	}
	_, err = n.system(ctx, &fsm.ConfirmCheckpoint{Verdict: v})
	return report, err
}

// judge finds the hash that a majority of the voters has, "" if there is none, and says of each node
// whether it has it.
func judge(nodes []fsm.NodeCheck, servers []raft.Server) string {
	voters, votes, most := 0, map[string]int{}, ""
	for i, s := range servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		if h := nodes[i].Hash; h != "" {
			votes[h]++
		}
	}
	for h, n := range votes { // order: at most one has a majority
		if n > voters/2 {
			most = h
		}
	}
	differ := len(votes) > 1
	for i := range nodes {
		c := &nodes[i]
		switch {
		case c.Hash == "":
		case most != "" && c.Hash == most:
			c.State = fsm.CheckOK
		case most != "":
			c.State, c.Error = fsm.CheckMismatch, "its state is not that of the majority"
		case differ:
			c.Error = "the replicas differ, and no majority of the voters agrees"
		default:
			c.State, c.Error = fsm.CheckUnreachable, "it answers, and a majority of the voters does not"
		}
	}
	return most
}

// ofAll runs f for each server side by side, and waits for all.
func (n *Node) ofAll(servers []raft.Server, f func(i int, s raft.Server)) {
	var wg sync.WaitGroup
	for i, s := range servers {
		wg.Add(1)
		if !n.spawn(func() { defer wg.Done(); f(i, s) }) {
			wg.Done()
		}
	}
	wg.Wait()
}

// hashOf asks a server for the hash of its state at index, as long as it may still have it.
func (n *Node) hashOf(ctx context.Context, s raft.Server, index uint64) ([]byte, error) {
	arg := binary.BigEndian.AppendUint64(nil, index)
	for {
		var out []byte
		var err error
		if string(s.ID) == n.self.ID {
			out, err = n.serveHash(ctx, arg)
		} else {
			out, err = n.calls.do(ctx, string(s.Address), callHash, arg)
		}
		if !errors.Is(err, errBusy) || ctx.Err() != nil {
			return out, err
		}
	}
}

// serveHash answers the hash of the own state at an index; errBusy: not yet.
func (n *Node) serveHash(ctx context.Context, arg []byte) ([]byte, error) {
	if len(arg) != 8 {
		return nil, refusal("malformed question for a hash")
	}
	ctx, cancel := context.WithTimeout(ctx, hashPatience)
	defer cancel()
	index := binary.BigEndian.Uint64(arg)
	if err := n.replica.wait(ctx, index); err != nil {
		return nil, errBusy
	}
	return n.replica.hashing.at(ctx, index)
}

// CheckReplicas compares the replicas now and verifies every invariant of each, from any node. It takes seconds
// for a large state.
func (n *Node) CheckReplicas(ctx context.Context) (fsm.CheckReport, error) {
	return n.askCheck(ctx, nil)
}

// LastCheck is what the leader found when it last compared the replicas.
func (n *Node) LastCheck(ctx context.Context) (fsm.CheckReport, error) {
	return n.askCheck(ctx, []byte("last"))
}

func (n *Node) askCheck(ctx context.Context, arg []byte) (r fsm.CheckReport, err error) {
	if n.raft() == nil {
		return r, errNoCluster()
	}
	out, err := n.ask(ctx, callCheckAll, arg)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(out, &r)
}

// serveCheckAll runs on the leader.
func (n *Node) serveCheckAll(ctx context.Context, arg []byte) ([]byte, error) {
	if _, err := n.awaitReady(ctx); err != nil {
		return nil, err
	}
	if string(arg) == "last" {
		r := fsm.CheckReport{}
		if last := n.lastCheck.Load(); last != nil {
			r = *last
		}
		return json.Marshal(r)
	}
	select {
	case n.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, refusal("another check is under way")
	}
	defer n.turn.give()
	report, err := n.compareReplicas(ctx)
	if err != nil {
		return nil, err
	}
	servers := n.raft().GetConfiguration().Configuration().Servers
	n.ofAll(servers, func(_ int, s raft.Server) { n.verifyAt(ctx, s, report.Nodes) })
	n.noteCheck(report)
	return json.Marshal(report)
}

// verifyAt has a server verify its invariants, and notes it in nodes if they do not hold.
func (n *Node) verifyAt(ctx context.Context, s raft.Server, nodes []fsm.NodeCheck) {
	for i := range nodes {
		c := &nodes[i]
		if c.ID != string(s.ID) || c.State != fsm.CheckOK {
			continue
		}
		var err error
		if c.ID == n.self.ID {
			_, err = n.serveCheck(ctx, nil)
		} else {
			_, err = n.calls.do(ctx, string(s.Address), callCheck, nil)
		}
		var no refusal
		switch {
		case errors.As(err, &no):
			c.State, c.Error = fsm.CheckBroken, string(no)
		case err != nil:
			c.State, c.Error = fsm.CheckUnreachable, err.Error()
		}
	}
}

// serveCheck verifies the own state.
func (n *Node) serveCheck(context.Context, []byte) ([]byte, error) {
	if err := n.replica.verify(); err != nil {
		return nil, refusal(err.Error())
	}
	return nil, nil
}

// verify verifies every invariant of the machine, one after the other: writes wait for the longest, not for
// all of them. Each holds at every index, so that they need not be looked at at the same one.
func (r *replica) verify() error {
	if err := r.failure(); err != nil {
		return err
	}
	for i, more := 0, true; more; i++ {
		var err error
		r.view(func(m *fsm.Machine) {
			checks := m.Checks()
			if more = i < len(checks); more {
				err = checks[i]()
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}
