package cluster

import (
	"context"
	"fmt"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// Init makes a new cluster of this node alone. It is Invalid when the node is in one already.
func (n *Node) Init(ctx context.Context, c fsm.Initialize) error {
	id, err := n.found(c.ClusterID)
	if err != nil {
		return err
	}
	c.ClusterID = id
	var done bool
	n.View(func(m *fsm.Machine) { done = m.Initialized() })
	if done {
		return errInitialized()
	}
	res, err := n.Propose(ctx, &c)
	if err != nil {
		return err
	}
	if err := res.Err(); err != nil {
		return err
	}
	if err := n.WaitIndex(ctx, res.Index); err != nil {
		return err
	}
	if err := n.firstKey(ctx); err != nil {
		return err
	}
	return n.founded()
}

func errInitialized() error { return fsm.Errorf(fsm.Invalid, "Vault is already initialized") }

// found makes this node the only voter of a new cluster, and returns the cluster's ID. When a
// crash came in the middle, it goes on there, under the ID of the first attempt.
func (n *Node) found(cluster string) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.id.ClusterID != "" && !n.id.Founding:
		return "", errInitialized()
	case n.id.ClusterID == "" && cluster == "":
		return "", fsm.Errorf(fsm.Invalid, "a cluster needs an id")
	case n.id.ClusterID == "":
		id := n.id
		id.ClusterID, id.Founding = cluster, true
		if err := id.save(n.cfg.DataDir); err != nil {
			return "", fmt.Errorf("making the cluster: %w", err)
		}
		n.id = id
	}
	if n.raft() == nil {
		if err := n.startRaft(nil); err != nil {
			return "", fmt.Errorf("making the cluster: %w", err)
		}
	}
	return n.id.ClusterID, nil
}

// founded notes that the cluster is made.
func (n *Node) founded() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.id.Founding {
		return nil
	}
	id := n.id
	id.Founding = false
	if err := id.save(n.cfg.DataDir); err != nil {
		return err
	}
	n.id = id
	return nil
}

func (n *Node) founding() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.id.Founding
}

// verify compares the machine, once it is initialized, with the data directory: a log of
// another cluster stops the node.
func (n *Node) verify() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		known, err := n.compare()
		switch {
		case err != nil:
			n.replica.fail(err)
			return
		case known:
			if err := n.founded(); err != nil {
				n.log.Error("noting that the cluster is made", "error", err)
			}
			return
		}
		select {
		case <-tick.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// compare reports whether the machine is initialized, and an error if it is of another
// cluster than the data directory.
func (n *Node) compare() (known bool, err error) {
	var of fsm.Identity
	n.View(func(m *fsm.Machine) { of = m.Identity() })
	if own := n.clusterID(); of.ClusterID != "" && of.ClusterID != own {
		return true, fmt.Errorf("the log in %s is of cluster %s, the data directory is of cluster %s", n.cfg.DataDir, of.ClusterID, own)
	}
	return of.ClusterID != "", nil
}
