package cluster

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

// membershipTimeout bounds one change of the configuration.
const membershipTimeout = 10 * time.Second

// info is what a node says about itself and whom it believes to lead.
type info struct {
	Member   fsm.Member `json:"member"`
	NonVoter bool       `json:"non_voter"`
	Index    uint64     `json:"index"`
	Leader   string     `json:"leader"` // its cluster address
}

// handlers is the catalogue of calls.
func (n *Node) handlers() map[byte]handler {
	return map[byte]handler{
		callPropose:   n.servePropose,
		callReadIndex: n.serveReadIndex,
		callJoin:      n.serveJoin,
		callRemove:    n.serveRemove,
		callStepDown:  n.serveStepDown,
		callInfo:      n.serveInfo,
	}
}

func (n *Node) servePropose(ctx context.Context, arg []byte) ([]byte, error) {
	g, rest, err := fsm.DecodeGroup(arg)
	if err != nil || len(rest) != 0 {
		return nil, refusal("malformed group")
	}
	if t, ok, _ := n.lead.look(n.self.ID); !ok || !t.local {
		return nil, errNotLeader
	}
	rs, err := n.proposer.submit(ctx, g)
	if err != nil {
		return nil, err
	}
	return fsm.AppendResults(nil, rs)
}

func (n *Node) serveReadIndex(ctx context.Context, _ []byte) ([]byte, error) {
	index, err := n.confirms.get(ctx)
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(nil, index), nil
}

// serveJoin adds a node as a non-voter, or notes its new address.
func (n *Node) serveJoin(_ context.Context, arg []byte) ([]byte, error) {
	var in info
	if err := json.Unmarshal(arg, &in); err != nil || in.Member.ID == "" || in.Member.ClusterAddr == "" {
		return nil, refusal("malformed join request")
	}
	r := n.raft()
	if r == nil || r.State() != raft.Leader {
		return nil, errNotLeader
	}
	id, addr := raft.ServerID(in.Member.ID), raft.ServerAddress(in.Member.ClusterAddr)
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if s.ID != id {
			if s.Address == addr {
				return nil, refusal(fmt.Sprintf("address %s belongs to node %s", addr, s.ID))
			}
			continue
		}
		if s.Address == addr {
			return nil, nil
		}
		if s.Suffrage == raft.Voter {
			return nil, n.outcomeOf(r.AddVoter(id, addr, 0, membershipTimeout))
		}
	}
	n.log.Info("a node joins", "id", id, "address", addr)
	return nil, n.outcomeOf(r.AddNonvoter(id, addr, 0, membershipTimeout))
}

func (n *Node) serveRemove(ctx context.Context, arg []byte) ([]byte, error) {
	r := n.raft()
	if r == nil || r.State() != raft.Leader {
		return nil, errNotLeader
	}
	id := string(arg)
	if err := n.outcomeOf(r.RemoveServer(raft.ServerID(id), 0, membershipTimeout)); err != nil {
		return nil, err
	}
	n.log.Info("a node was removed", "id", id)
	if id == n.self.ID {
		return nil, nil // the next leader forgets it
	}
	_, err := n.system(ctx, &fsm.AnnounceMember{Member: fsm.Member{ID: id}, Removed: true})
	return nil, err
}

func (n *Node) serveStepDown(context.Context, []byte) ([]byte, error) {
	r := n.raft()
	if r == nil || r.State() != raft.Leader {
		return nil, errNotLeader
	}
	if err := n.outcomeOf(r.LeadershipTransfer()); err != nil {
		return nil, refusal(fmt.Sprintf("leadership was not transferred: %v", err))
	}
	return nil, nil
}

func (n *Node) serveInfo(context.Context, []byte) ([]byte, error) {
	return json.Marshal(n.info())
}

func (n *Node) info() info {
	in := info{Member: n.self, NonVoter: n.cfg.NonVoter, Index: n.replica.applied.Load()}
	if r := n.raft(); r != nil {
		addr, _ := r.LeaderWithID()
		in.Leader = string(addr)
	}
	return in
}

// ask runs a control call on the leader, wherever it is, again when leadership moves
// before anything happened.
func (n *Node) ask(ctx context.Context, kind byte, arg []byte) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	start := time.Now()
	if n.raft() == nil {
		return fsm.Errorf(fsm.Unavailable, "this node is not in a cluster yet")
	}
	for {
		t, changed, err := n.leader(ctx, start)
		if err != nil {
			return err
		}
		if t.local {
			_, err = n.calls.handlers[kind](ctx, arg)
		} else {
			_, err = n.calls.do(ctx, t.addr, kind, arg)
		}
		var no refusal
		switch {
		case err == nil:
			return nil
		case errors.As(err, &no):
			return fsm.Errorf(fsm.Invalid, "%s", no)
		case !certain(err):
			return fsm.Errorf(fsm.OutcomeUnknown, "%v", err)
		}
		n.edge.pause(changed)
	}
}

// RemovePeer takes a node out of the cluster, from any member. The node keeps its data and
// refuses requests. An unknown ID is Invalid.
func (n *Node) RemovePeer(ctx context.Context, id string) error {
	r := n.raft()
	if r == nil {
		return fsm.Errorf(fsm.Unavailable, "this node is not in a cluster yet")
	}
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if string(s.ID) == id {
			return n.ask(ctx, callRemove, []byte(id))
		}
	}
	return fsm.Errorf(fsm.Invalid, "no node %q in the raft configuration", id)
}

// StepDown makes the leader hand over to another voter, from any member.
func (n *Node) StepDown(ctx context.Context) error { return n.ask(ctx, callStepDown, nil) }

// Init makes a new cluster of this node alone. It is Invalid when the node is in one already.
func (n *Node) Init(ctx context.Context, c fsm.Initialize) error {
	n.mu.Lock()
	if n.raft() == nil {
		n.id.ClusterID = c.ClusterID
		err := n.id.save(n.cfg.DataDir)
		if err == nil {
			err = n.startRaft(&raft.Configuration{Servers: []raft.Server{{
				ID: raft.ServerID(n.self.ID), Address: raft.ServerAddress(n.self.ClusterAddr), Suffrage: raft.Voter,
			}}})
		}
		if err != nil {
			n.id.ClusterID = ""
			n.mu.Unlock()
			return fmt.Errorf("making the cluster: %w", errors.Join(err, n.id.save(n.cfg.DataDir)))
		}
	}
	c.ClusterID = n.id.ClusterID
	n.mu.Unlock()
	var done bool
	n.View(func(m *fsm.Machine) { done = m.Initialized() })
	if done {
		return fsm.Errorf(fsm.Invalid, "Vault is already initialized")
	}
	res, err := n.Propose(ctx, &c)
	if err != nil {
		return err
	}
	if err := res.Err(); err != nil {
		return err
	}
	return n.WaitIndex(ctx, res.Index)
}

// pointer is what a node answers to GET /v1/sys/grove/cluster.
type pointer struct {
	Initialized bool   `json:"initialized"`
	ClusterID   string `json:"cluster_id"`
	Leader      string `json:"leader_cluster_address"`
}

// locate asks a member's API where its cluster is.
func (n *Node) locate(ctx context.Context, api string) (pointer, error) {
	var p pointer
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	url := strings.TrimRight(api, "/") + "/v1/sys/grove/cluster"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return p, fmt.Errorf("address %q: %w", api, err)
	}
	resp, err := n.cfg.HTTP.Do(req)
	if err != nil {
		return p, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return p, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, resp.Body, 1<<16)).Decode(&p); err != nil {
		return p, fmt.Errorf("%s: %w", url, err)
	}
	if !p.Initialized || p.ClusterID == "" {
		return p, fmt.Errorf("%s is not initialized", api)
	}
	if p.Leader == "" {
		return p, fmt.Errorf("%s knows no leader", api)
	}
	return p, nil
}

// Join makes this node a member of the cluster that any member's API address names.
// It is Invalid when the node is in a cluster already.
func (n *Node) Join(ctx context.Context, api string) error {
	p, err := n.locate(ctx, api)
	if err != nil {
		return fsm.Errorf(fsm.Unavailable, "joining: %v", err)
	}
	n.mu.Lock()
	switch {
	case n.id.ClusterID == p.ClusterID && n.raft() != nil:
	case n.id.ClusterID != "":
		n.mu.Unlock()
		return fsm.Errorf(fsm.Invalid, "this node is in cluster %s already", n.id.ClusterID)
	default:
		n.id.ClusterID = p.ClusterID
		if err := errors.Join(n.id.save(n.cfg.DataDir), n.startRaft(nil)); err != nil {
			n.mu.Unlock()
			return fmt.Errorf("joining: %w", err)
		}
	}
	n.mu.Unlock()
	return n.present(ctx, p.Leader)
}

// present asks the leader at addr to add this node, or to note its address.
func (n *Node) present(ctx context.Context, addr string) error {
	arg, err := json.Marshal(n.info())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, membershipTimeout)
	defer cancel()
	if _, err := n.calls.do(ctx, addr, callJoin, arg); err != nil {
		return fsm.Errorf(fsm.Unavailable, "joining through %s: %v", addr, err)
	}
	return nil
}

// seek tries the configured addresses in turn until this node is in a cluster.
func (n *Node) seek() {
	wait := time.NewTicker(250 * time.Millisecond)
	defer wait.Stop()
	for last := ""; ; {
		for _, api := range n.cfg.RetryJoin {
			if n.ctx.Err() != nil {
				return
			}
			err := n.Join(n.ctx, api)
			if err == nil {
				n.log.Info("joined", "through", api)
				return
			}
			var no *fsm.Error
			if errors.As(err, &no) && no.Code == fsm.Invalid {
				return // initialized meanwhile, or joined by hand
			}
			if err.Error() != last {
				last = err.Error()
				n.log.Info("looking for a cluster", "error", err)
			}
		}
		select {
		case <-wait.C:
		case <-n.ctx.Done():
			return
		}
	}
}
