package cluster

import (
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// A node that could not write its log does not stand for election for a while; the next time
	// twice as long, until it has worked for as long as the longest of these.
	firstSetback = 10 * time.Second
	lastSetback  = time.Minute
	// standAnyway is how many election time-outs a node that must not lead waits for another leader.
	// It may be the only one left that has the whole log: then it has to win, if only to hand over.
	standAnyway = 6
)

// standing is whether and how this node may lead.
type standing struct {
	transfer     sync.Mutex
	lastTransfer time.Time // that failed; guarded by transfer
	clocks       *clocks
	wrongClock   chan struct{} // the proposer has found it
	refusing     refusals      // of proposer.land alone
}

// unfit returns why this node must not lead, "" if it may, or if Raft does not run yet.
func (n *Node) unfit() string {
	if n.raft() == nil {
		return "" // nor is there a store
	}
	if err := n.clockOff(); err != nil {
		return err.Error()
	}
	if wait := n.store.setback.left(time.Now()); wait > 0 {
		return "it could not write its log, and does not stand for election for another " + wait.Round(time.Millisecond).String()
	}
	return ""
}

// refusals is since when, and when last, Raft has refused entries because of a transfer.
type refusals struct{ since, last time.Time }

// noteTransfer takes what Raft said to an entry. A leader that refuses them for longer than a transfer
// may take will do so for ever (#696), and nothing but a new Raft helps. So the node stops: the
// others elect a leader, and whoever has started the process starts it again.
func (n *Node) noteTransfer(refused bool, now time.Time) {
	q := &n.refusing
	switch timeout := n.cfg.stretch(electionTimeout); {
	case !refused:
		*q = refusals{}
	case q.since.IsZero() || now.Sub(q.last) > timeout: // those before were of another reign
		*q = refusals{now, now}
	case now.Sub(q.since) <= 2*timeout:
		q.last = now
	default:
		n.replica.stop(errors.New("raft has not ended a transfer of leadership that failed, and refuses writes: the process has to start again"))
	}
}

// setback is what a failed write costs.
type setback struct {
	mu    sync.Mutex
	until time.Time
	wait  time.Duration
}

func (s *setback) note(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.wait == 0 || now.Sub(s.until) > lastSetback:
		s.wait = firstSetback
	case now.After(s.until):
		s.wait = min(2*s.wait, lastSetback)
	}
	s.until = now.Add(s.wait)
}

func (s *setback) left(now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.until.Sub(now)
}

// RequestVote implements raft.Transport: a node that must not lead asks for no vote,
// at first.
func (t transport) RequestVote(id raft.ServerID, to raft.ServerAddress, args *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if err := t.mayStand(); err != nil {
		return err
	}
	return t.NetworkTransport.RequestVote(id, to, args, resp)
}

// RequestPreVote implements raft.WithPreVote.
func (t transport) RequestPreVote(id raft.ServerID, to raft.ServerAddress, args *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if err := t.mayStand(); err != nil {
		return err
	}
	return t.NetworkTransport.RequestPreVote(id, to, args, resp)
}

func (t transport) mayStand() error {
	if t.stand == nil {
		return nil
	}
	return t.stand()
}

// stand returns why this node does not ask for votes now, nil if it may.
func (n *Node) stand() error {
	if !n.sworn() {
		return forgetful
	}
	why := n.unfit()
	if why == "" || time.Since(n.lead.lostSince()) > standAnyway*n.cfg.stretch(electionTimeout) {
		return nil
	}
	return refusal("this node does not stand for election: " + why)
}
