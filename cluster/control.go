package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

// membershipTimeout bounds one change of the configuration.
const membershipTimeout = 10 * time.Second

// handlers is the catalogue of calls.
func (n *Node) handlers() map[byte]handler {
	return map[byte]handler{
		callPropose:   n.ofMembers(n.servePropose),
		callReadIndex: n.ofMembers(n.serveReadIndex),
		callJoin:      n.serveJoin,
		callRemove:    n.ofMembers(n.serveRemove),
		callStepDown:  n.ofMembers(n.serveStepDown),
		callInfo:      n.serveInfo,
		callRotate:    n.ofMembers(n.serveRotate),
		callTrust:     n.ofMembers(n.serveTrust),
		callAuthority: n.serveAuthority,
		callTerm:      n.serveTerm,
		callHash:      n.serveHash,
		callCheck:     n.serveCheck,
		callCheckAll:  n.ofMembers(n.serveCheckAll),
		callAutopilot: n.ofMembers(n.serveAutopilot),
		callLeave:     n.ofMembers(n.serveLeave),
	}
}

// ofMembers keeps a leader from serving a node that it does not have in its configuration: the
// certificate of a node that was taken out may hold for weeks. Another than the leader
// does not know better, and says that it does not lead.
func (n *Node) ofMembers(h handler) handler {
	return func(ctx context.Context, arg []byte) ([]byte, error) {
		if _, err := n.leading(); err == nil {
			if from := callerOf(ctx); from != "" && !n.isServer(from) {
				return nil, refusal(fmt.Sprintf("node %s is not a member of the cluster", from))
			}
		}
		return h(ctx, arg)
	}
}

// servePropose takes a batch of another node's edge: term u64 | group. A batch for another
// term than this node leads in certainly did nothing. So does one with a command that this
// build cannot decode: in the log it would stop every replica.
func (n *Node) servePropose(ctx context.Context, arg []byte) ([]byte, error) {
	if len(arg) < 8 {
		return nil, refusal("malformed batch")
	}
	g, rest, err := fsm.DecodeGroup(arg[8:])
	if err != nil || len(rest) != 0 {
		return nil, refusal("malformed batch")
	}
	for _, it := range g.Items {
		if _, err := fsm.DecodeCommand(it.Kind, it.Body); err != nil {
			return nil, refusal(fmt.Sprintf("the leader does not take the command: %v", err))
		}
	}
	term, err := n.awaitReady(ctx)
	if err != nil {
		return nil, err
	}
	if want := binary.BigEndian.Uint64(arg); want != term {
		return nil, errNotLeader
	}
	rs, err := n.proposer.submit(ctx, g)
	if err != nil {
		return nil, err
	}
	return fsm.AppendResults(nil, rs)
}

// leading returns Raft if this node leads.
func (n *Node) leading() (*raft.Raft, error) {
	r := n.raft()
	if r == nil || r.State() != raft.Leader {
		return nil, errNotLeader
	}
	return r, nil
}

func (n *Node) serveRemove(ctx context.Context, arg []byte) ([]byte, error) {
	r, err := n.leading()
	if err != nil {
		return nil, err
	}
	id := string(arg)
	n.changing.Lock()
	defer n.changing.Unlock()
	if err := n.outcomeOf(r.RemoveServer(raft.ServerID(id), 0, membershipTimeout)); err != nil {
		return nil, changed(err)
	}
	n.log.Info("a node was removed", "id", id)
	if id == n.self.ID {
		return nil, nil // the next leader forgets it
	}
	if _, err := n.system(ctx, &fsm.AnnounceMember{Member: fsm.Member{ID: id}, Removed: true}); err != nil {
		n.log.Debug("forgetting a member; the leader tries again", "id", id, "error", err)
	}
	return nil, nil
}

func (n *Node) serveStepDown(ctx context.Context, _ []byte) ([]byte, error) {
	return nil, n.handOver(ctx)
}

// changed turns Raft's answer to a configuration change into an outcome.
func changed(err error) error {
	if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
		return errNotLeader
	}
	return err
}

// info is what a node says about itself, whom it believes to lead and who its members are.
type info struct {
	Member   fsm.Member `json:"member"`
	NonVoter bool       `json:"non_voter"`
	position
	Index   uint64   `json:"index"`  // applied
	Last    uint64   `json:"last"`   // of its log
	Clock   int64    `json:"clock"`  // its wall clock, in nanoseconds since 1970
	Unfit   string   `json:"unfit"`  // why it must not lead; "" if it may
	Leader  string   `json:"leader"` // its cluster address
	Servers []string `json:"servers"`
	Trust   signer   `json:"trust"`
	plea
}

// plea is what a join adds: the cluster that the node means, that it only announces an address because
// it was a member before, that it has no log, and the birth of its data directory.
type plea struct {
	Cluster   string `json:"cluster"`
	Returning bool   `json:"returning"`
	Empty     bool   `json:"empty"`
	Birth     string `json:"birth"`
}

func (n *Node) serveInfo(context.Context, []byte) ([]byte, error) { return json.Marshal(n.info()) }

func (n *Node) info() info {
	in := info{Member: n.self, NonVoter: n.nonVoter(), plea: plea{Cluster: n.clusterID(), Birth: n.birth()}, position: n.position(), Index: n.replica.applied.Load(), Clock: n.cfg.Now().UnixNano()}
	if s := n.trust.current.Load(); s != nil {
		in.Trust = signer{Version: s.Bundle.Version, Authority: s.signer}
	}
	if r := n.raft(); r != nil {
		addr, _ := r.LeaderWithID()
		in.Leader, in.Last, in.Unfit = string(addr), r.LastIndex(), n.unfit()
		for _, s := range r.GetConfiguration().Configuration().Servers {
			in.Servers = append(in.Servers, string(s.ID))
		}
	}
	return in
}

// infoOf asks a server about itself, at most for a moment.
func (n *Node) infoOf(ctx context.Context, id, addr string) (info, error) {
	if id == n.self.ID {
		return n.info(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, n.cfg.stretch(probeTimeout))
	defer cancel()
	b, err := n.calls.do(ctx, addr, callInfo, nil)
	if err != nil {
		return info{}, err
	}
	var in info
	return in, json.Unmarshal(b, &in)
}

// ask runs a control call on the leader, wherever it is, again when leadership moves
// before anything happened. A call that may be made twice is made again when its answer was lost,
// too: the last step of a rotation closes the links under it.
func (n *Node) ask(ctx context.Context, kind byte, arg []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(kind))
	defer cancel()
	start := time.Now()
	for {
		t, era, err := n.leader(ctx, start)
		if err != nil {
			return nil, err
		}
		var out []byte
		if t.local {
			out, err = n.calls.handlers[kind](ctx, arg)
		} else {
			out, err = n.calls.do(ctx, t.addr, kind, arg)
		}
		var no refusal
		switch {
		case err == nil:
			return out, nil
		case errors.As(err, &no):
			return nil, fsm.Errorf(fsm.Invalid, "%s", no)
		case !certain(err) && kind != callTrust && kind != callRotate && kind != callCheckAll:
			return nil, fsm.Errorf(fsm.OutcomeUnknown, "%v", err)
		}
		n.pause(ctx, era)
	}
}

// RemovePeer takes a node out of the cluster, from any member. The node keeps its data and
// refuses requests. An unknown ID is Invalid.
func (n *Node) RemovePeer(ctx context.Context, id string) error {
	r := n.raft()
	if r == nil {
		return errNoCluster()
	}
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if string(s.ID) == id {
			_, err := n.ask(ctx, callRemove, []byte(id))
			return err
		}
	}
	return fsm.Errorf(fsm.Invalid, "no node %q in the raft configuration", id)
}

// StepDown makes the leader hand over to another voter, from any member.
func (n *Node) StepDown(ctx context.Context) error {
	if n.raft() == nil {
		return errNoCluster()
	}
	_, err := n.ask(ctx, callStepDown, nil)
	return err
}

func errNoCluster() error { return fsm.Errorf(fsm.Unavailable, "this node is not in a cluster yet") }
