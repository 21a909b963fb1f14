package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// handOver makes another voter lead. Raft's own transfer sends the next leader into its election
// without knowing what that one has, can wait ten seconds for one that does not answer, and when
// it fails twice in a term may leave a leader that refuses writes for ever (#696). So it is
// used only when it cannot fail for such a reason: this node proposes nothing more, everything under
// way has ended, and the next leader has just answered and said that it has the whole log. If there is no such
// voter, nothing has happened. Requests wait meanwhile.
func (n *Node) handOver(ctx context.Context) error {
	if !n.transfer.TryLock() {
		return refusal("leadership is being transferred already")
	}
	defer n.transfer.Unlock()
	r, err := n.leading()
	if err != nil {
		return err
	}
	if wait := n.cfg.stretch(2*electionTimeout) - time.Since(n.lastTransfer); wait > 0 {
		return refusal("leadership was not transferred a moment ago: wait " + wait.Round(time.Millisecond).String())
	}
	to, err := n.successor(ctx)
	if err != nil {
		return err
	}
	resume := n.proposer.pause(ctx)
	defer resume()
	if to, err = n.caughtUp(ctx, r, to); err != nil {
		return err
	}
	begin := time.Now()
	if err := n.outcomeOf(r.LeadershipTransferToServer(raft.ServerID(to.Member.ID), raft.ServerAddress(to.Member.ClusterAddr))); err != nil {
		n.lastTransfer = time.Now()
		return refusal(fmt.Sprintf("leadership was not transferred: %v", err))
	}
	n.log.Info("another node leads now", "id", to.Member.ID, "took", time.Since(begin))
	return nil
}

// successor asks the other voters, and returns the one that has most of the log among those that
// answer and can lead.
func (n *Node) successor(ctx context.Context) (info, error) {
	others, _ := n.voters()
	if len(others) == 0 {
		return info{}, refusal("leadership was not transferred: this node is the only voter")
	}
	answers := make(chan info, len(others))
	for _, s := range others {
		if !n.spawn(func() {
			in, err := n.infoOf(ctx, string(s.ID), string(s.Address))
			if err != nil || in.Member.ID != string(s.ID) {
				in = info{Unfit: "does not answer"}
			}
			in.Member.ID, in.Member.ClusterAddr = string(s.ID), string(s.Address)
			answers <- in
		}) {
			return info{}, errNotLeader
		}
	}
	var best info
	why := ""
	for range others {
		in := <-answers // infoOf has a time-out
		if in.Unfit != "" {
			why += fmt.Sprintf("; %s: %s", in.Member.ID, in.Unfit)
		} else if best.Member.ID == "" || in.Last > best.Last {
			best = in
		}
	}
	if best.Member.ID == "" {
		return best, refusal("leadership was not transferred: no other voter can lead" + why)
	}
	return best, nil
}

// caughtUp waits until the next leader has the whole log of this one, which does not grow.
func (n *Node) caughtUp(ctx context.Context, r *raft.Raft, to info) (info, error) {
	ctx, cancel := context.WithTimeout(ctx, n.cfg.stretch(electionTimeout))
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		in, err := n.infoOf(ctx, to.Member.ID, to.Member.ClusterAddr)
		if err == nil && in.Unfit == "" && in.Last >= r.LastIndex() {
			return to, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return to, refusal(fmt.Sprintf("leadership was not transferred: %s has the log up to %d of %d", to.Member.ID, in.Last, r.LastIndex()))
		}
	}
}
