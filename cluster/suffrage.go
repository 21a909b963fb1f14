package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

// steered is Raft as the autopilot sees it: changes of the configuration look at everything once
// more, one at a time, and their waits end with the node.
type steered struct {
	*raft.Raft
	node *Node
	ctx  context.Context
}

// decided is a future of which the outcome is known.
type decided struct{ err error }

// Error implements raft.Future.
func (d decided) Error() error { return d.err }

// Index implements raft.IndexFuture. The autopilot does not ask.
func (decided) Index() uint64 { return 0 }

// AddVoter implements autopilot.Raft.
func (s steered) AddVoter(id raft.ServerID, addr raft.ServerAddress, _ uint64, _ time.Duration) raft.IndexFuture {
	return decided{s.node.promote(s.ctx, s.Raft, id, addr)}
}

// RemoveServer implements autopilot.Raft. All servers of the configuration are known to the
// autopilot, so that none is stale.
func (s steered) RemoveServer(id raft.ServerID, _ uint64, _ time.Duration) raft.IndexFuture {
	return decided{fmt.Errorf("server %s is not stale", id)}
}

// DemoteVoter implements autopilot.Raft. No rule asks for it.
func (s steered) DemoteVoter(id raft.ServerID, _ uint64, _ time.Duration) raft.IndexFuture {
	return decided{fmt.Errorf("server %s keeps its vote", id)}
}

// LeadershipTransferToServer implements autopilot.Raft. No rule asks for it.
func (s steered) LeadershipTransferToServer(id raft.ServerID, _ raft.ServerAddress) raft.Future {
	return decided{fmt.Errorf("the leader stays, and does not hand over to %s", id)}
}

// serverOf returns the server with an ID in Raft's latest configuration.
func serverOf(r *raft.Raft, id raft.ServerID) (raft.Server, bool) {
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if s.ID == id {
			return s, true
		}
	}
	return raft.Server{}, false
}

// promote gives a non-voter its vote, if it is what it was when that was decided: it may have been
// removed since, or have lost its data.
func (n *Node) promote(ctx context.Context, r *raft.Raft, id raft.ServerID, addr raft.ServerAddress) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	s, ok := serverOf(r, id)
	if ok && s.Suffrage == raft.Voter && s.Address == addr {
		return nil // since the autopilot looked
	}
	if !ok || s.Suffrage != raft.Nonvoter || s.Address != addr {
		return fmt.Errorf("the configuration has changed since: %+v", s)
	}
	in, err := n.infoOf(ctx, string(id), string(addr))
	switch {
	case err != nil:
		return fmt.Errorf("asking it once more: %w", err)
	case in.Member.ID != string(id):
		return fmt.Errorf("node %s answers at its address", in.Member.ID)
	case in.NonVoter || in.Blank:
		return fmt.Errorf("it does not want a vote, or has lost its log")
	case in.Applied+n.trailing() < r.LastIndex():
		return fmt.Errorf("it is at entry %d, the leader at %d", in.Applied, r.LastIndex())
	}
	n.log.Info("a node has caught up and gets a vote", "id", id)
	return n.outcomeOf(r.AddVoter(id, addr, 0, membershipTimeout))
}

func (n *Node) trailing() (entries uint64) {
	n.View(func(m *fsm.Machine) { entries = m.Autopilot().MaxTrailingLogs })
	return entries
}

// bury takes a dead server out of the configuration, if that leaves enough voters, and it still
// says nothing. A majority of the voters must answer now: to a leader that was cut off, everybody
// else looks dead.
func (n *Node) bury(p *pilot, id raft.ServerID) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	if _, err := n.confirm(time.Time{}); err != nil {
		return fmt.Errorf("no majority answers: %w", err)
	}
	a := p.config()
	s, ok := serverOf(p.raft, id)
	switch {
	case !ok || n.pilot.Load() != p:
		return nil
	case !a.CleanupDeadServers || p.silence(string(id)) <= a.DeadServerLastContactThreshold:
		return nil
	case s.Suffrage == raft.Voter && n.countVoters(p.raft) <= int(a.MinQuorum):
		return fmt.Errorf("%d voters are there, and min_quorum is %d", n.countVoters(p.raft), a.MinQuorum)
	}
	if err := n.outcomeOf(p.raft.RemoveServer(id, 0, membershipTimeout)); err != nil {
		return err
	}
	n.log.Warn("a dead node was taken out of the cluster", "id", id, "silent for", p.silence(string(id)).Round(time.Second))
	return nil
}

// countVoters is how many voters Raft's latest configuration has.
func (*Node) countVoters(r *raft.Raft) (voters int) {
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if s.Suffrage == raft.Voter {
			voters++
		}
	}
	return voters
}
