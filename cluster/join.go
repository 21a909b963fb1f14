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

const (
	// seekPause is how long a node waits before it asks around again.
	seekPause = 250 * time.Millisecond
	// locateTimeout bounds one question to an API address, and strangersTimeout all those at start.
	locateTimeout    = 5 * time.Second
	strangersTimeout = time.Second
)

// pointer is what a node answers to GET /v1/sys/grove/cluster.
type pointer struct {
	Initialized bool   `json:"initialized"`
	ClusterID   string `json:"cluster_id"`
	Leader      string `json:"leader_cluster_address"`
}

// locate asks a member's API where its cluster is.
func (n *Node) locate(ctx context.Context, api string) (pointer, error) {
	var p pointer
	ctx, cancel := context.WithTimeout(ctx, locateTimeout)
	defer cancel()
	url := strings.TrimRight(api, "/") + "/v1/sys/grove/cluster"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return p, fmt.Errorf("address %q: %w", api, err)
	}
	resp, err := n.cfg.Join.HTTP.Do(req)
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

// Join makes this node a member of the cluster that any member's API address names. token is a
// join token, "" to get in by what the configuration has, or by credentials of that cluster
// that the node holds already. nonVoter makes it replicate without a vote, for ever. It is Invalid
// when the node is in another cluster, has nothing that lets it in, or is refused.
func (n *Node) Join(ctx context.Context, api, token string, nonVoter bool) error {
	ctx, cancel := context.WithTimeout(ctx, membershipTimeout)
	defer cancel()
	key, err := n.ticket(token)
	if err != nil {
		return fsm.Errorf(fsm.Invalid, "joining: %v", err)
	}
	if err := n.abstain(nonVoter); err != nil {
		return err
	}
	var admitted uint64
	for apply := token != ""; ; {
		p, err := n.locate(ctx, api)
		if err != nil {
			return fsm.Errorf(fsm.Unavailable, "joining: %v", err)
		}
		if own := n.clusterID(); own != "" && own != p.ClusterID {
			return fsm.Errorf(fsm.Invalid, "this node is in cluster %s already", own)
		}
		fresh := apply || n.trust.cluster() != p.ClusterID
		if fresh {
			err = n.apply(ctx, p, key)
			apply = apply && err != nil
		}
		if err == nil {
			admitted, err = n.present(ctx, p.Leader, p.ClusterID, false)
		}
		var no refusal
		switch {
		case err == nil:
			return n.enter(p.ClusterID, admitted)
		case !fresh && key.again(err):
			apply = true // what the node holds may be of before a rotation
			continue
		case errors.As(err, &no):
			return fsm.Errorf(fsm.Invalid, "joining through %s: %v", p.Leader, err)
		case !errors.Is(err, errNotLeader) || ctx.Err() != nil:
			return fsm.Errorf(fsm.Unavailable, "joining through %s: %v", p.Leader, err)
		}
		n.pause(ctx, n.ctx)
	}
}

// abstain notes that the node never gets a vote.
func (n *Node) abstain(forEver bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !forEver || n.id.NonVoter {
		return nil
	}
	id := n.id
	id.NonVoter = true
	if err := id.save(n.cfg.DataDir); err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	n.id = id
	return nil
}

// nonVoter reports whether the node wants no vote.
func (n *Node) nonVoter() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cfg.Join.NonVoter || n.id.NonVoter
}

// enter starts Raft as a member of a cluster that has taken the node in, with an empty log: it does
// not vote before that holds the entry at admitted.
func (n *Node) enter(cluster string, admitted uint64) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.id.ClusterID != "" && n.id.ClusterID != cluster:
		return fsm.Errorf(fsm.Invalid, "this node is in cluster %s already", n.id.ClusterID)
	case n.raft() == nil:
		id := n.id
		id.ClusterID, id.AdmittedAt = cluster, admitted
		if err := id.save(n.cfg.DataDir); err != nil {
			return fmt.Errorf("joining: %w", err)
		}
		n.id = id
		n.admitted.Store(admitted)
	}
	if n.raft() != nil {
		return nil
	}
	if err := n.startRaft(nil); err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	return nil
}

// present asks the leader at addr to add this node, or, of a returning one, to note its address. It
// returns the last entry that the leader had then.
func (n *Node) present(ctx context.Context, addr, cluster string, returning bool) (uint64, error) {
	in := n.info()
	in.Cluster, in.Returning, in.Birth, in.Empty = cluster, returning, n.birth(), n.raft() == nil
	arg, err := json.Marshal(in)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, membershipTimeout)
	defer cancel()
	out, err := n.calls.do(ctx, addr, callJoin, arg)
	if err != nil || len(out) != 8 { // a leader of an earlier build says nothing
		return 0, err
	}
	return binary.BigEndian.Uint64(out), nil
}

// serveJoin adds a node as a non-voter, or notes its new address.
func (n *Node) serveJoin(ctx context.Context, arg []byte) ([]byte, error) {
	var in info
	if err := json.Unmarshal(arg, &in); err != nil || in.Member.ID == "" || in.Member.ClusterAddr == "" {
		return nil, refusal("malformed join request")
	}
	if from := callerOf(ctx); from != "" && from != in.Member.ID {
		return nil, refusal(fmt.Sprintf("node %s speaks for node %s", from, in.Member.ID))
	}
	if in.Cluster != n.clusterID() {
		return nil, refusal(fmt.Sprintf("this is cluster %s, not %s", n.clusterID(), in.Cluster))
	}
	if _, err := n.awaitReady(ctx); err != nil {
		return nil, err
	}
	r, err := n.leading()
	if err != nil {
		return nil, err
	}
	n.joining.RLock()
	defer n.joining.RUnlock()
	n.changing.Lock()
	defer n.changing.Unlock()
	if err := n.place(ctx, r, in); err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(nil, r.LastIndex()), nil
}

// place gives a node the place in the configuration that it asks for. n.changing is held.
func (n *Node) place(ctx context.Context, r *raft.Raft, in info) error {
	id, addr := raft.ServerID(in.Member.ID), raft.ServerAddress(in.Member.ClusterAddr)
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if s.ID != id && s.Address == addr {
			return refusal(fmt.Sprintf("address %s belongs to node %s", addr, s.ID))
		}
	}
	if in.Empty {
		if err := n.demote(r, id); err != nil {
			return err
		}
	}
	s, known := serverOf(r, id)
	switch {
	case known && n.bornAs(in.Member.ID) != "" && in.Birth != n.bornAs(in.Member.ID):
		return refusal(fmt.Sprintf("node %s was replaced by another with the same ID and an empty data directory", id))
	case in.Returning && !known:
		return refusal(fmt.Sprintf("node %s is not a member of the cluster (any more)", id))
	case !known && in.Trust.Version < n.agreed().Version:
		return refusal(fmt.Sprintf("the credentials of node %s are of before a rotation of the cluster's authority: join with a new join token", id))
	}
	if err := n.admitBirth(ctx, in.Member.ID, in.Birth); err != nil {
		return err
	}
	switch {
	case known && s.Address == addr:
		return nil
	case known && s.Suffrage == raft.Voter:
		n.log.Info("a node has moved", "id", id, "from", s.Address, "to", addr)
		return changed(n.outcomeOf(r.AddVoter(id, addr, 0, membershipTimeout)))
	}
	n.log.Info("a node joins", "id", id, "address", addr)
	return changed(n.outcomeOf(r.AddNonvoter(id, addr, 0, membershipTimeout)))
}

// seek tries the configured addresses in turn until this node is in a cluster.
func (n *Node) seek() {
	tick := time.NewTicker(seekPause)
	defer tick.Stop()
	for last := map[string]string{}; ; {
		for _, api := range n.cfg.Join.Addresses {
			if n.ctx.Err() != nil || n.settled() {
				return
			}
			err := n.Join(n.ctx, api, "", false)
			if err == nil {
				n.log.Info("joined", "through", api)
				return
			}
			if err.Error() != last[api] {
				last[api] = err.Error()
				n.log.Info("looking for a cluster", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// settled reports whether the node makes or has a cluster, so that it needs no other.
func (n *Node) settled() bool {
	r := n.raft()
	return r != nil && len(r.GetConfiguration().Configuration().Servers) > 0
}

// strangers refuses a data directory that is of another cluster than the one which the
// configuration names: one address answers that it is in another, and none that it is in this one.
func (n *Node) strangers() error {
	ctx, cancel := context.WithTimeout(n.ctx, strangersTimeout)
	defer cancel()
	type answer struct {
		api string
		p   pointer
		err error
	}
	answers := make(chan answer, len(n.cfg.Join.Addresses))
	for _, api := range n.cfg.Join.Addresses {
		n.spawn(func() {
			p, err := n.locate(ctx, api)
			answers <- answer{api, p, err}
		})
	}
	var other error
	for range n.cfg.Join.Addresses {
		switch a := <-answers; {
		case a.p.ClusterID == "":
		case a.p.ClusterID == n.id.ClusterID:
			return nil
		default:
			other = fmt.Errorf("data directory %s belongs to cluster %s, but %s is in cluster %s", n.cfg.DataDir, n.id.ClusterID, a.api, a.p.ClusterID)
		}
	}
	return other
}
