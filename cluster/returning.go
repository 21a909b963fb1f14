package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/fsm"
)

// A node that comes back without its data, under the ID that it had, joins like a new one: it is
// told apart by the birth of its data directory, which its certificate carries, or by its own word,
// if it has lost only its log. Either way it does not start Raft before the leader has taken the vote
// away that the ID had; it does not vote before it knows of that (sworn); and it gets its
// vote back from the autopilot. Whoever had the ID before is refused by every link from then on.

// silencePatience is for how long a member must have said nothing before another data directory may
// take over its ID.
const silencePatience = 3 * time.Second

func (n *Node) birth() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.id.Birth
}

// openLog opens the log of a member. It returns nil when nothing is in it and there is no snapshot
// either: it was lost, or the node was let in and got nothing yet. A founder's may be empty.
func (n *Node) openLog() (*logStore, error) {
	store, err := openStore(n.cfg.DataDir, n.log.Named("wal"))
	if err != nil {
		return nil, err
	}
	snaps, err := raft.NewFileSnapshotStoreWithLogger(n.cfg.DataDir, 2, n.log.Named("snapshot"))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening snapshots: %w", err), store.Close())
	}
	last, err := store.LastIndex()
	var kept []*raft.SnapshotMeta
	if err == nil {
		kept, err = snaps.List()
	}
	term, termErr := store.GetUint64([]byte("CurrentTerm"))
	switch {
	case err != nil:
		return nil, errors.Join(fmt.Errorf("looking at the log: %w", err), store.Close())
	case n.founding():
		return store, nil
	case last == 0 && len(kept) == 0:
		return nil, store.Close()
	case termErr != nil || term == 0:
		return nil, errors.Join(fmt.Errorf("data directory %s has entries, but raft.db does not say for whom the node has voted: it is incomplete. Empty it, and the node joins again", n.cfg.DataDir), store.Close())
	}
	return store, nil
}

// startOver joins again with an empty log.
func (n *Node) startOver() {
	if len(n.cfg.Join.Addresses) == 0 {
		n.log.Error("this node has no log: it was lost, or the node got none before it stopped. Without retry_join it cannot ask the cluster to take it in again: use `grove operator raft join`", "cluster", n.id.ClusterID)
		return
	}
	n.log.Warn("this node has no log: it was lost, or the node got none before it stopped. It asks the cluster to take it in again", "cluster", n.id.ClusterID)
	n.spawn(n.seek)
}

// replaced says why the peer with a certificate of that name is no member any more: another data
// directory has its ID now.
func (n *Node) replaced(name pki.Name) error {
	if birth := n.bornAs(name.Node); birth != "" && birth != name.Birth {
		return refusal(fmt.Sprintf("node %s was replaced by another with the same ID and an empty data directory", name.Node))
	}
	return nil
}

func (n *Node) bornAs(node string) (birth string) {
	n.View(func(m *fsm.Machine) { birth = m.Birth(node) })
	return birth
}

// awaitSilence refuses a newcomer whose ID a member has that is there, or was a moment ago.
func (n *Node) awaitSilence(ctx context.Context, r *raft.Raft, node pki.Name) error {
	s, ok := serverOf(r, raft.ServerID(node.Node))
	if !ok {
		return nil
	}
	if birth := n.bornAs(node.Node); birth != "" && birth == node.Birth {
		return nil // the same node once more: it lost an answer
	}
	if node.Node != n.self.ID && time.Since(n.roster.last(node.Node)) > n.cfg.stretch(silencePatience) {
		if in, err := n.infoOf(ctx, node.Node, string(s.Address)); err != nil || in.Member.ID != node.Node {
			return nil
		}
	}
	return refusal(fmt.Sprintf("node %s is a member already, and answers: take it out first (`grove operator raft remove-peer`), or give the new node another node_id. If this is that node with its data lost, wait a few seconds", node.Node))
}

// supersede gives the ID of a member to another data directory: first the vote goes, then the links.
func (n *Node) supersede(ctx context.Context, r *raft.Raft, node pki.Name) error {
	n.changing.Lock()
	defer n.changing.Unlock()
	if err := n.demote(r, raft.ServerID(node.Node)); err != nil {
		return err
	}
	return n.admitBirth(ctx, node.Node, node.Birth)
}

// demote takes the vote of a node that has lost its log. n.changing is held.
func (n *Node) demote(r *raft.Raft, id raft.ServerID) error {
	s, ok := serverOf(r, id)
	if !ok || s.Suffrage != raft.Voter {
		return nil
	}
	n.log.Warn("a node comes back without its data: it loses its vote until it has caught up", "id", id)
	return changed(n.outcomeOf(r.DemoteVoter(id, 0, membershipTimeout)))
}

// admitBirth notes which data directory an ID belongs to.
func (n *Node) admitBirth(ctx context.Context, node, birth string) error {
	if birth == "" || n.bornAs(node) == birth {
		return nil
	}
	_, err := n.system(ctx, &fsm.AdmitNode{Node: fsm.Birth{Node: node, Birth: birth}})
	return err
}
