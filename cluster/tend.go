package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

const (
	// tendPause is how often the leader looks after its members.
	tendPause = 300 * time.Millisecond
	// stable is how many times in a row a non-voter must be seen near the leader to get a vote.
	stable = 3
	// near is how many entries behind still counts as caught up.
	near = 1000
)

// tend promotes non-voters that have caught up, and keeps the replicated list of
// members true, while this node leads.
func (n *Node) tend(ctx context.Context, r *raft.Raft) {
	seen := map[raft.ServerID]int{}
	tick := time.NewTicker(tendPause)
	defer tick.Stop()
	for {
		f := r.GetConfiguration()
		servers := f.Configuration().Servers
		said := map[raft.ServerID]info{}
		for _, s := range servers {
			if ctx.Err() != nil {
				return
			}
			if in, ok := n.tendServer(ctx, r, s, f.Index(), seen); ok {
				said[s.ID] = in
			}
		}
		n.forgetRemoved(ctx, servers)
		n.advance(ctx, r, said)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tendServer looks after one server of the configuration at index config, and returns what it
// says of itself, if it answers.
func (n *Node) tendServer(ctx context.Context, r *raft.Raft, s raft.Server, config uint64, seen map[raft.ServerID]int) (info, bool) {
	in, err := n.infoOf(ctx, string(s.ID), string(s.Address))
	if err != nil || in.Member.ID != string(s.ID) { // another node may have its address now
		seen[s.ID] = 0
		return in, false
	}
	n.contacts.note(in.Member.ID, time.Now())
	var known fsm.Member
	n.View(func(m *fsm.Machine) { known, _ = m.Member(in.Member.ID) })
	if known != in.Member {
		if _, err := n.system(ctx, &fsm.AnnounceMember{Member: in.Member}); err != nil {
			n.log.Debug("announcing a member", "id", s.ID, "error", err)
		}
	}
	if s.Suffrage == raft.Voter || in.NonVoter {
		return in, true
	}
	if in.Index+near < r.CommitIndex() {
		seen[s.ID] = 0
		return in, true
	}
	if seen[s.ID]++; seen[s.ID] < stable {
		return in, true
	}
	n.log.Info("a node has caught up and gets a vote", "id", s.ID)
	// Only in the configuration that was looked at: it may have been removed since.
	if err := n.outcomeOf(r.AddVoter(s.ID, s.Address, config, membershipTimeout)); err != nil {
		n.log.Warn("promoting a node", "id", s.ID, "error", err)
	}
	return in, true
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

// contacts remembers when members answered last, on a node that leads.
type contacts struct {
	mu sync.Mutex
	at map[string]time.Time
}

func (c *contacts) note(id string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at == nil {
		c.at = map[string]time.Time{}
	}
	c.at[id] = at
}

func (c *contacts) last(id string) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at[id]
}
