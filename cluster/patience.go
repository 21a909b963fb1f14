package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/planted"
)

// leader waits for a leader: until ctx is done, or there was none for the node's patience
// counted from start or from when the last one was lost, whichever is later. While a quorum
// is in reach, an election must come to an end, and the node is more patient. The context that
// it returns ends when the leader changes.
func (n *Node) leader(ctx context.Context, start time.Time) (target, context.Context, error) {
	r := n.raft()
	if r == nil {
		return target{}, nil, errNoCluster()
	}
	for {
		t, ok, era := n.lead.look(n.self.ID)
		if ok {
			if !t.local {
				t.term = r.CurrentTerm()
			}
			return t, era, nil
		}
		if n.replica.failure() != nil || n.expelled() || planted.Is("no-patience") {
			return t, nil, fsm.Errorf(fsm.Unavailable, "no leader: %s", n.whyNoLeader())
		}
		waited := time.Since(n.waitsSince(start))
		left := n.cfg.stretch(patience) - waited
		if left <= 0 {
			if !n.quorumInReach(ctx) || waited > n.cfg.stretch(electionPatience) {
				return t, nil, fsm.Errorf(fsm.Unavailable, "no leader: %s", n.whyNoLeader())
			}
			left = n.cfg.stretch(electionTimeout)
		}
		timer := time.NewTimer(left)
		select {
		case <-era.Done():
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
		if n.ctx.Err() != nil {
			return t, nil, fsm.Errorf(fsm.Unavailable, "this node is shutting down")
		}
		if ctx.Err() != nil {
			return t, nil, fsm.Errorf(fsm.Unavailable, "no leader within the request's deadline: %s", n.whyNoLeader())
		}
	}
}

// waitsSince returns from when a request that came at start has waited for a leader.
func (n *Node) waitsSince(start time.Time) time.Time {
	if lost := n.lead.lostSince(); lost.After(start) {
		return lost
	}
	return start
}

// hopeless returns why a request that came at start need not wait any longer, nil if it should.
func (n *Node) hopeless(start time.Time) error {
	if _, known, _ := n.lead.look(n.self.ID); known || time.Since(n.waitsSince(start)) < n.cfg.stretch(patience) || n.quorumInReach(n.ctx) {
		return nil
	}
	return fsm.Errorf(fsm.Unavailable, "no leader: %s", n.whyNoLeader())
}

// pause waits for another leader than that of era, or a moment.
func (n *Node) pause(ctx, era context.Context) {
	t := time.NewTimer(retryPause)
	defer t.Stop()
	select {
	case <-era.Done():
	case <-t.C:
	case <-ctx.Done():
	case <-n.ctx.Done():
	}
}

// quorumInReach reports whether enough voters answer to elect a leader. Concurrent
// questions share one round of calls.
func (n *Node) quorumInReach(ctx context.Context) bool {
	ok, err := n.quorum.get(ctx)
	return err == nil && ok > 0
}

// probe asks all voters at once; 1: a majority answers. Members that have a leader, but not
// this node in their configuration, tell it that it was removed while it was away.
func (n *Node) probe(time.Time) (uint64, error) {
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.stretch(probeTimeout))
	defer cancel()
	var seen reach
	answers := make(chan bool, 64)
	for _, s := range n.raft().GetConfiguration().Configuration().Servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		seen.voters++
		n.spawn(func() {
			in, err := n.infoOf(ctx, string(s.ID), string(s.Address))
			if err == nil && in.Leader != "" && !in.has(n.self.ID) {
				n.lead.setRemoved(true)
			}
			select {
			case answers <- err == nil:
			case <-ctx.Done():
			}
		})
	}
	for asked := 0; asked < seen.voters && seen.up <= seen.voters/2; asked++ {
		select {
		case up := <-answers:
			if up {
				seen.up++
			}
		case <-ctx.Done():
			asked = seen.voters
		}
	}
	n.lead.setReach(seen)
	if seen.up > seen.voters/2 {
		return 1, nil
	}
	return 0, nil
}

func (in info) has(id string) bool {
	for _, s := range in.Servers {
		if s == id {
			return true
		}
	}
	return false
}
