package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

const (
	// yieldTimeout bounds how long a node that stops tries to hand leadership over, leaveTimeout how
	// long one that leaves asks to be taken out.
	yieldTimeout = 3 * time.Second
	leaveTimeout = 10 * time.Second
	// fewestVoters is how many voters a node that leaves by itself leaves behind at least, unless
	// min_quorum says more.
	fewestVoters = 3
)

// Yield hands leadership over if this node has it and somebody can take it: requests then wait for
// an election's moment, not for its time-outs. The node stays a member.
func (n *Node) Yield(ctx context.Context) {
	r, err := n.leading()
	if err != nil || n.countVoters(r) < 2 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.stretch(yieldTimeout))
	defer cancel()
	if err := n.handOver(ctx); err != nil {
		n.log.Warn("stopping as the leader: leadership could not be handed over", "error", err)
		return
	}
	n.log.Info("leadership was handed over")
}

// Leave asks the leader to take this node out of the configuration. It is refused when too few voters
// would be left. A node that left comes back with `grove operator raft join`, or with an empty data
// directory.
func (n *Node) Leave(ctx context.Context) error {
	if n.raft() == nil {
		return errNoCluster()
	}
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	_, err := n.ask(ctx, callLeave, []byte(n.self.ID))
	return err
}

// serveLeave takes out the node that asks for it.
func (n *Node) serveLeave(ctx context.Context, arg []byte) ([]byte, error) {
	id := string(arg)
	if from := callerOf(ctx); from != "" && from != id {
		return nil, refusal(fmt.Sprintf("node %s asks to take out node %s", from, id))
	}
	if _, err := n.awaitReady(ctx); err != nil {
		return nil, err
	}
	r, err := n.leading()
	if err != nil {
		return nil, err
	}
	n.changing.Lock()
	defer n.changing.Unlock()
	least := fewestVoters
	n.View(func(m *fsm.Machine) { least = max(least, int(m.Autopilot().MinQuorum)) })
	s, ok := serverOf(r, raft.ServerID(id))
	switch voters := n.countVoters(r); {
	case !ok:
		return nil, nil
	case s.Suffrage == raft.Voter && voters <= least:
		return nil, refusal(fmt.Sprintf("node %s stays a member: %d voters are there, and %d must stay", id, voters, least))
	}
	if err := n.outcomeOf(r.RemoveServer(raft.ServerID(id), 0, membershipTimeout)); err != nil {
		return nil, changed(err)
	}
	n.log.Info("a node has left", "id", id)
	return nil, nil
}
