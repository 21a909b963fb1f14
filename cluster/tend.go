package cluster

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

// tendPause is how often the leader looks after its members.
const tendPause = 300 * time.Millisecond

// tend asks the members about themselves, and keeps the replicated list of them true, while this
// node leads. Who gets a vote, and who loses it, is up to the autopilot.
func (n *Node) tend(ctx context.Context, r *raft.Raft) {
	n.roster.reset()
	tick := time.NewTicker(tendPause)
	defer tick.Stop()
	for first := true; ; first = false {
		servers := r.GetConfiguration().Configuration().Servers
		said := map[raft.ServerID]info{}
		for _, s := range servers {
			if ctx.Err() != nil {
				return
			}
			if in, ok := n.tendServer(ctx, r, s); ok {
				said[s.ID] = in
			}
		}
		n.forgetRemoved(ctx, servers)
		n.advance(ctx, r, said)
		if first {
			n.spawn(func() { n.fly(ctx, r) })
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// tendServer looks after one server of the configuration, and returns what it says of itself, if it
// answers.
func (n *Node) tendServer(ctx context.Context, r *raft.Raft, s raft.Server) (info, bool) {
	in, err := n.infoOf(ctx, string(s.ID), string(s.Address))
	if err != nil || in.Member.ID != string(s.ID) { // another node may have its address now
		return in, false
	}
	last := r.LastIndex()
	n.roster.note(in.Member.ID, report{info: in, at: time.Now(), behind: last - min(last, in.Applied)})
	var known fsm.Member
	n.View(func(m *fsm.Machine) { known, _ = m.Member(in.Member.ID) })
	if known != in.Member {
		if _, err := n.system(ctx, &fsm.AnnounceMember{Member: in.Member}); err != nil {
			n.log.Debug("announcing a member", "id", s.ID, "error", err)
		}
	}
	if n.bornAs(in.Member.ID) != "" {
		return in, true
	}
	if err := n.admitBirth(ctx, in.Member.ID, in.Birth); err != nil {
		n.log.Debug("noting the birth of a member", "id", s.ID, "error", err)
	}
	return in, true
}

// forgetRemoved drops members that are no longer in the configuration.
func (n *Node) forgetRemoved(ctx context.Context, servers []raft.Server) {
	in := map[string]bool{}
	for _, s := range servers {
		in[string(s.ID)] = true
	}
	n.roster.keep(in)
	var gone []fsm.Member
	n.View(func(m *fsm.Machine) {
		for _, mb := range m.Members() {
			if !in[mb.ID] {
				gone = append(gone, mb)
			}
		}
		for _, b := range m.Births() {
			if _, announced := m.Member(b.Node); !in[b.Node] && !announced {
				gone = append(gone, fsm.Member{ID: b.Node})
			}
		}
	})
	for _, mb := range gone {
		if _, err := n.system(ctx, &fsm.AnnounceMember{Member: mb, Removed: true}); err != nil {
			n.log.Debug("forgetting a member", "id", mb.ID, "error", err)
		}
	}
}
