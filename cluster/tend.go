package cluster

import (
	"context"
	"encoding/json"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

const (
	// tendPause is how often the leader looks after its members.
	tendPause = 300 * time.Millisecond
	// stable is how many times in a row a non-voter must be seen near the leader to get a vote.
	stable = 3
	// near is how many entries behind still counts as caught up.
	near = 1000
	// expireLimit bounds the tokens that one entry expires.
	expireLimit = 1000
)

// sweep expires tokens when they are due, and lets the machine reclaim what died, while
// this node leads. It sleeps until the next deadline or until something was applied.
func (n *Node) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		var next token.Instant
		var pending bool
		n.View(func(m *fsm.Machine) { next, pending = m.NextDeadline(), m.ReclaimPending() })
		wait := time.Hour
		if next != 0 {
			wait = min(wait, max(0, next.Sub(token.InstantOf(n.cfg.Now()))))
		}
		var err error
		switch {
		case next != 0 && wait == 0:
			_, err = n.system(ctx, &fsm.ExpireTokens{Limit: expireLimit})
		case pending:
			_, err = n.system(ctx, &fsm.Tick{})
		default:
			n.idle(ctx, wait)
		}
		if err != nil && ctx.Err() == nil {
			n.log.Debug("sweeping", "error", err)
			n.idle(ctx, tendPause)
		}
	}
}

func (n *Node) idle(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-n.replica.woken:
	case <-ctx.Done():
	}
}

// tend promotes non-voters that have caught up, and keeps the replicated list of
// members true, while this node leads.
func (n *Node) tend(ctx context.Context, r *raft.Raft) {
	seen := map[raft.ServerID]int{}
	tick := time.NewTicker(tendPause)
	defer tick.Stop()
	for {
		servers := r.GetConfiguration().Configuration().Servers
		for _, s := range servers {
			if ctx.Err() != nil {
				return
			}
			n.tendServer(ctx, r, s, seen)
		}
		n.forgetRemoved(ctx, servers)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (n *Node) tendServer(ctx context.Context, r *raft.Raft, s raft.Server, seen map[raft.ServerID]int) {
	in, err := n.infoOf(ctx, s)
	if err != nil {
		seen[s.ID] = 0
		return
	}
	var known fsm.Member
	n.View(func(m *fsm.Machine) { known, _ = m.Member(in.Member.ID) })
	if known != in.Member {
		if _, err := n.system(ctx, &fsm.AnnounceMember{Member: in.Member}); err != nil {
			n.log.Debug("announcing a member", "id", s.ID, "error", err)
		}
	}
	if s.Suffrage == raft.Voter || in.NonVoter {
		return
	}
	if in.Index+near < r.CommitIndex() {
		seen[s.ID] = 0
		return
	}
	if seen[s.ID]++; seen[s.ID] < stable {
		return
	}
	n.log.Info("a node has caught up and gets a vote", "id", s.ID)
	if err := n.outcomeOf(r.AddVoter(s.ID, s.Address, 0, membershipTimeout)); err != nil {
		n.log.Warn("promoting a node", "id", s.ID, "error", err)
	}
}

// infoOf asks a server about itself, at most for a moment.
func (n *Node) infoOf(ctx context.Context, s raft.Server) (info, error) {
	if string(s.ID) == n.self.ID {
		return n.info(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.stretch(leaderLease))
	defer cancel()
	b, err := n.calls.do(ctx, string(s.Address), callInfo, nil)
	if err != nil {
		return info{}, err
	}
	var in info
	return in, json.Unmarshal(b, &in)
}

// forgetRemoved drops members that are no longer in the configuration.
func (n *Node) forgetRemoved(ctx context.Context, servers []raft.Server) {
	in := map[string]bool{}
	for _, s := range servers {
		in[string(s.ID)] = true
	}
	var gone []fsm.Member
	n.View(func(m *fsm.Machine) {
		for _, mb := range m.Members() {
			if !in[mb.ID] {
				gone = append(gone, mb)
			}
		}
	})
	for _, mb := range gone {
		if _, err := n.system(ctx, &fsm.AnnounceMember{Member: mb, Removed: true}); err != nil {
			n.log.Debug("forgetting a member", "id", mb.ID, "error", err)
		}
	}
}

// announce tells the leader this node's address when it is not the one in the configuration:
// a member may come back elsewhere. It asks whoever it knows until its own entry is right.
func (n *Node) announce() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		servers := n.raft().GetConfiguration().Configuration().Servers
		own := false
		for _, s := range servers {
			own = own || (string(s.ID) == n.self.ID && string(s.Address) == n.self.ClusterAddr)
		}
		if own {
			return
		}
		for _, addr := range n.candidates(servers) {
			ctx, cancel := context.WithTimeout(n.ctx, dialTimeout)
			if b, err := n.calls.do(ctx, addr, callInfo, nil); err == nil {
				var in info
				if json.Unmarshal(b, &in) == nil && in.Leader != "" {
					if err := n.present(ctx, in.Leader); err != nil {
						n.log.Debug("announcing the own address", "error", err)
					}
				}
			}
			cancel()
		}
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// candidates lists where members may be: the configuration's addresses and gossip's.
func (n *Node) candidates(servers []raft.Server) []string {
	var addrs []string
	for _, s := range servers {
		if string(s.ID) != n.self.ID {
			addrs = append(addrs, string(s.Address))
		}
	}
	return append(addrs, n.gossiped()...)
}
