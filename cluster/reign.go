package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

// crown starts everything that only a leader does, and returns what ends it.
func (n *Node) crown(r *raft.Raft) context.CancelFunc {
	ctx, cancel := context.WithCancel(n.ctx)
	n.spawn(func() { n.reign(ctx, r) })
	return cancel
}

// reign makes this node ready to serve as the leader of the current term.
//
// An entry of the own term must be committed before the commit index means anything (Raft
// §8). It is a Tick, not a Barrier, so that the machine sees it too: its index then reaches every
// commit index. The term is read first: should leadership be lost and won again
// meanwhile, the node is ready for a term that is over, which is harmless.
func (n *Node) reign(ctx context.Context, r *raft.Raft) {
	term := r.CurrentTerm()
	if others, _ := n.voters(); len(n.clocks.unknown(others)) > 0 {
		n.askClocks(ctx) // before anything is stamped
	}
	for {
		_, err := n.system(ctx, &fsm.Tick{})
		if err == nil {
			break
		}
		n.log.Debug("first entry of the term", "error", err)
		n.pause(ctx, n.ctx)
		if ctx.Err() != nil {
			return
		}
	}
	n.lead.setReady(term)
	n.lead.update(r, n.self.ID, time.Now())
	n.log.Info("this node leads", "term", term)
	n.spawn(func() { n.sweep(ctx) })
	n.spawn(func() { n.watchReplicas(ctx) })
	n.spawn(func() { n.tend(ctx, r) })
	n.spawn(func() { n.keepSnapshots(ctx) })
	n.spawn(func() { n.keepKeys(ctx) })
	if n.cfg.Duty != nil {
		n.spawn(func() { n.cfg.Duty(ctx, n) })
	}
}

// awaitReady returns the term that this node leads in, once it can serve. A node that is no
// leader says so at once.
func (n *Node) awaitReady(ctx context.Context) (uint64, error) {
	for {
		t, ok, era := n.lead.look(n.self.ID)
		if ok && t.local {
			return t.term, nil
		}
		if _, err := n.leading(); err != nil {
			return 0, err
		}
		n.pause(ctx, era)
		if err := ctx.Err(); err != nil {
			return 0, errNotLeader
		}
	}
}

// system proposes a command of the system itself on the leader that this node is.
func (n *Node) system(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	k, body, err := fsm.EncodeCommand(c)
	if err != nil {
		return fsm.Result{}, err
	}
	rs, err := n.proposer.submit(ctx, fsm.Group{Items: []fsm.Item{{Kind: k, Body: body}}})
	if err != nil {
		return fsm.Result{}, err
	}
	return rs[0], rs[0].Err()
}
