package cluster

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	autopilot "github.com/hashicorp/raft-autopilot"

	"github.com/tokengrove/grove/fsm"
)

// pilotPause is how often the autopilot judges the members, and how often it acts.
const pilotPause = 500 * time.Millisecond

// nodeNonVoter is the type of a server that has no vote, and maybe never gets one.
const nodeNonVoter autopilot.NodeType = "non-voter"

// tending is what a leader knows of the members, and how it changes who they are.
type tending struct {
	roster roster
	pilot  atomic.Pointer[pilot] // of this node's last reign
	// changing is held by everyone who changes the Raft configuration, from looking at it until the
	// change is done: raft's own guard, prevIndex, cannot be used, because GetConfiguration
	// returns no index.
	changing sync.Mutex
	admitted atomic.Uint64 // the last entry that the leader had when it let this node in
}

// pilot is raft-autopilot during one reign. It asks nobody: what the servers say of themselves comes
// from the roster, which tend keeps. It implements autopilot.ApplicationIntegration and, with the
// library's own rules for promotion, autopilot.Promoter.
type pilot struct {
	*autopilot.StablePromoter
	*autopilot.Autopilot
	node  *Node
	raft  *raft.Raft
	since time.Time
}

// fly runs the autopilot until ctx ends.
func (n *Node) fly(ctx context.Context, r *raft.Raft) {
	p := &pilot{node: n, raft: r, since: time.Now()}
	pause := n.cfg.stretch(pilotPause)
	p.Autopilot = autopilot.New(steered{r, n, ctx}, p, autopilot.WithLogger(n.log.Named("autopilot")), autopilot.WithPromoter(p),
		autopilot.WithUpdateInterval(pause), autopilot.WithReconcileInterval(pause))
	p.Start(ctx)
	n.pilot.Store(p)
	<-ctx.Done()
	<-p.Stop()
}

// AutopilotConfig implements autopilot.ApplicationIntegration.
func (p *pilot) AutopilotConfig() *autopilot.Config {
	a := p.config()
	return &autopilot.Config{
		CleanupDeadServers: a.CleanupDeadServers, LastContactThreshold: a.LastContactThreshold, MaxTrailingLogs: a.MaxTrailingLogs,
		MinQuorum: uint(a.MinQuorum), ServerStabilizationTime: a.ServerStabilizationTime,
	}
}

func (p *pilot) config() fsm.Autopilot {
	var a fsm.Autopilot
	p.node.View(func(m *fsm.Machine) { a = m.Autopilot() })
	return a
}

// NotifyState implements autopilot.ApplicationIntegration.
func (p *pilot) NotifyState(*autopilot.State) {}

// KnownServers implements autopilot.ApplicationIntegration. Only who has a vote now counts for the
// minimum of voters that a clean-up leaves: nobody knows whether the others will ever get one.
func (p *pilot) KnownServers() map[raft.ServerID]*autopilot.Server {
	dead := p.config().DeadServerLastContactThreshold
	known := map[raft.ServerID]*autopilot.Server{}
	for _, s := range p.raft.GetConfiguration().Configuration().Servers {
		sv := &autopilot.Server{ID: s.ID, Name: string(s.ID), Address: s.Address, NodeStatus: autopilot.NodeAlive, NodeType: nodeNonVoter}
		if s.Suffrage == raft.Voter {
			sv.NodeType = autopilot.NodeVoter
		}
		sv.IsLeader = string(s.ID) == p.node.self.ID
		if said, ok := p.node.roster.of(string(s.ID)); ok {
			sv.Version = said.info.Member.Version
		}
		if !sv.IsLeader && p.silence(string(s.ID)) > dead {
			sv.NodeStatus = autopilot.NodeFailed
		}
		known[s.ID] = sv
	}
	return known
}

// silence is how long a server has said nothing to this leader.
func (p *pilot) silence(id string) time.Duration {
	last := p.node.roster.last(id)
	if last.Before(p.since) {
		last = p.since
	}
	return time.Since(last)
}

// FetchServerStats implements autopilot.ApplicationIntegration. A server is as far behind as it was
// when it said so: while the leader writes thousands of entries a second, an index of a moment
// ago would look like a server that does not follow.
func (p *pilot) FetchServerStats(_ context.Context, servers map[raft.ServerID]*autopilot.Server) map[raft.ServerID]*autopilot.ServerStats {
	stats := map[raft.ServerID]*autopilot.ServerStats{}
	last := p.raft.LastIndex()
	for id, s := range servers {
		said, ok := p.node.roster.of(string(id))
		if !ok || said.info.Blank {
			stats[id] = &autopilot.ServerStats{LastContact: p.silence(string(id))}
			continue
		}
		st := &autopilot.ServerStats{LastTerm: said.info.LastTerm, LastIndex: last - min(last, said.behind)}
		if !s.IsLeader {
			st.LastContact = p.silence(string(id)) + said.info.LastContact
		}
		stats[id] = st
	}
	return stats
}

// RemoveFailedServer implements autopilot.ApplicationIntegration.
func (p *pilot) RemoveFailedServer(s *autopilot.Server) {
	p.node.spawn(func() {
		if err := p.node.bury(p, s.ID); err != nil {
			p.node.log.Warn("taking out a dead node", "id", s.ID, "error", err)
		}
	})
}

// GetNodeTypes implements autopilot.Promoter.
func (p *pilot) GetNodeTypes(_ *autopilot.Config, s *autopilot.State) map[raft.ServerID]autopilot.NodeType {
	types := map[raft.ServerID]autopilot.NodeType{}
	for id, sv := range s.Servers { // order: a map as well
		said, _ := p.node.roster.of(string(id))
		types[id] = autopilot.NodeVoter
		if !sv.HasVotingRights() && said.info.NonVoter {
			types[id] = nodeNonVoter
		}
	}
	return types
}

// CalculatePromotionsAndDemotions implements autopilot.Promoter: a stable server gets a vote, unless
// it wants none, or nobody knows what it wants.
func (p *pilot) CalculatePromotionsAndDemotions(c *autopilot.Config, s *autopilot.State) autopilot.RaftChanges {
	changes := p.StablePromoter.CalculatePromotionsAndDemotions(c, s)
	changes.Promotions = slices.DeleteFunc(changes.Promotions, func(id raft.ServerID) bool {
		said, ok := p.node.roster.of(string(id))
		return !ok || said.info.NonVoter || said.info.Blank
	})
	return changes
}

// AutopilotStatus returns what the leader makes of the members, from any member.
func (n *Node) AutopilotStatus(ctx context.Context) (fsm.AutopilotStatus, error) {
	var st fsm.AutopilotStatus
	if n.raft() == nil {
		return st, errNoCluster()
	}
	b, err := n.ask(ctx, callAutopilot, nil)
	if err != nil {
		return st, err
	}
	return st, json.Unmarshal(b, &st)
}

// serveAutopilot answers with the leader's view.
func (n *Node) serveAutopilot(ctx context.Context, _ []byte) ([]byte, error) {
	if _, err := n.awaitReady(ctx); err != nil {
		return nil, err
	}
	p := n.pilot.Load()
	if p == nil {
		return nil, errNotLeader
	}
	return json.Marshal(p.status(p.GetState()))
}

// status puts a state of the library in the order of its servers' IDs.
func (p *pilot) status(s *autopilot.State) fsm.AutopilotStatus {
	st := fsm.AutopilotStatus{Healthy: s.Healthy, FailureTolerance: s.FailureTolerance, Leader: string(s.Leader)}
	for id, sv := range s.Servers { // order: sorted below
		if !sv.HasVotingRights() {
			st.NonVoters = append(st.NonVoters, string(id))
		} else {
			st.Voters = append(st.Voters, string(id))
		}
		contact := sv.Stats.LastContact
		if sv.State == autopilot.RaftLeader {
			contact = 0
		}
		st.Servers = append(st.Servers, fsm.AutopilotServer{
			ID: string(id), Address: string(sv.Server.Address), NodeStatus: string(sv.Server.NodeStatus), Status: string(sv.State),
			NodeType: string(sv.Server.NodeType), Version: sv.Server.Version, LastContact: contact, LastTerm: sv.Stats.LastTerm,
			LastIndex: sv.Stats.LastIndex, Healthy: sv.Health.Healthy, StableSince: sv.Health.StableSince,
		})
	}
	slices.Sort(st.Voters)
	slices.Sort(st.NonVoters)
	slices.SortFunc(st.Servers, func(a, b fsm.AutopilotServer) int { return strings.Compare(a.ID, b.ID) })
	return st
}
