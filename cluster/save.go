package cluster

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/snapshot"
)

// backups bounds what snapshots for operators take of a node.
type backups struct {
	saving   slots      // images that are held at once
	arriving slots      // snapshots that clients upload
	relayed  slots      // snapshots that other nodes send
	applying slots      // a snapshot that is restored
	keeping  sync.Mutex // held while this node takes automatic snapshots
	checker
}

// slots lets few do something at once.
type slots chan struct{}

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) give() { <-s }

// maxSaves is how many snapshots a node gives out at once. Each holds an image, which costs a copy
// of every page that changes meanwhile.
const maxSaves = 2

func newBackups() backups {
	return backups{saving: make(slots, maxSaves), arriving: make(slots, 2), relayed: make(slots, 1), applying: make(slots, 1), checker: newChecker()}
}

// SaveSnapshot freezes the state, as it is after everything that was acknowledged before the call, on this
// node, and returns what writes it. write must be called once; what it wrote is a snapshot only if it
// returns nil.
func (n *Node) SaveSnapshot(ctx context.Context) (fsm.Image, error) {
	if err := n.Barrier(ctx); err != nil {
		return fsm.Image{}, err
	}
	if !n.saving.take() {
		return fsm.Image{}, fsm.Errorf(fsm.Unavailable, "%d snapshots are being saved at this node already: try again later", maxSaves)
	}
	f, err := n.replica.freeze()
	if err != nil {
		n.saving.give()
		return fsm.Image{}, fsm.Errorf(fsm.Unavailable, "%v", err)
	}
	h := f.Header()
	return fsm.Image{ID: snapshotID(h), Index: h.Index, At: h.At, Write: func(w io.Writer) error {
		defer n.saving.give()
		return snapshot.Write(newPaced(w, n.ctx.Done()), f)
	}}, nil
}

// snapshotID names a snapshot: equal states of a cluster have equal names.
func snapshotID(h fsm.HeaderRow) string { return fmt.Sprintf("%s-%d", h.ClusterID, h.Index) }

// freeze takes an image of the state in O(pages).
func (r *replica) freeze() (*fsm.Frozen, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.failure(); err != nil {
		return nil, fmt.Errorf("the replica has stopped: %w", err)
	}
	return r.seen().Freeze(), nil
}
