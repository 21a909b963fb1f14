package cluster

import (
	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

// Status returns what this node knows without asking anyone; it answers without a quorum
// and before the node is in a cluster.
func (n *Node) Status() fsm.ClusterStatus {
	st := fsm.ClusterStatus{NodeID: n.self.ID, Leader: fsm.Member{}}
	r := n.raft()
	if r == nil {
		return st
	}
	st.Initialized = !n.founding()
	t, known, _ := n.lead.look(n.self.ID)
	addr, id := r.LeaderWithID()
	st.IsLeader = known && t.local
	st.Term = r.CurrentTerm()
	st.Applied = n.replica.applied.Load()
	st.Committed = max(r.CommitIndex(), st.Applied)
	st.LeaderSince = n.lead.leaderSince()
	n.View(func(m *fsm.Machine) {
		if id != "" {
			st.Leader, _ = m.Member(string(id))
			st.Leader.ID, st.Leader.ClusterAddr = string(id), string(addr)
		}
	})
	if string(id) == n.self.ID {
		st.Leader = n.self
	}
	f := r.GetConfiguration()
	st.ConfigIndex = f.Index()
	skews := n.clocks.skews(n.self.ID, f.Configuration().Servers)
	for _, s := range f.Configuration().Servers {
		sv := fsm.Server{ID: string(s.ID), Address: string(s.Address), Voter: s.Suffrage == raft.Voter, Leader: s.ID == id && id != "", Skew: skews[string(s.ID)]}
		if st.IsLeader && sv.ID != n.self.ID {
			sv.LastSeen = n.roster.last(sv.ID)
		}
		st.Servers = append(st.Servers, sv)
	}
	return st
}
