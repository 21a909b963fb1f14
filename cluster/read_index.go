package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

// rounds coalesces questions of the same kind: everyone who asks while a round is under way
// shares the next one. A round serves only those who asked before it started, and is as
// patient as the first of them.
type rounds struct {
	mu      sync.Mutex
	next    *round
	running bool
	ask     func(start time.Time) (uint64, error)
	spawn   func(func()) bool
	closed  <-chan struct{} // the node closes: what is spawned may never run
}

// round is one question and its answer.
type round struct {
	start time.Time // of the first who asked
	done  chan struct{}
	index uint64
	err   error
}

// get returns an answer to a question that was asked after get was called.
func (q *rounds) get(ctx context.Context) (uint64, error) {
	q.mu.Lock()
	if q.next == nil {
		q.next = &round{start: time.Now(), done: make(chan struct{})}
	}
	r := q.next
	if !q.running {
		q.running = true
		q.spawn(q.run)
	}
	q.mu.Unlock()
	select {
	case <-r.done:
		return r.index, r.err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-q.closed:
		return 0, errors.New("the node is closing")
	}
}

func (q *rounds) run() {
	for {
		q.mu.Lock()
		r := q.next
		q.next = nil
		if r == nil {
			q.running = false
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		r.index, r.err = q.ask(r.start)
		close(r.done)
	}
}

// confirm is the leader's read index (Raft §6.4): the commit index first, then proof that
// this node still led after it was read, in the term whose first entry is applied. The
// other order would be wrong: an index that is read after the proof can be of a
// leader that was deposed in between (hashicorp/raft #603).
func (n *Node) confirm(time.Time) (uint64, error) {
	r := n.raft()
	if r == nil {
		return 0, errNotLeader
	}
	t, ok, _ := n.lead.look(n.self.ID)
	if !ok || !t.local || t.term != r.CurrentTerm() {
		return 0, errNotLeader
	}
	index := r.CommitIndex()
	if err := n.outcomeOf(r.VerifyLeader()); err != nil {
		return 0, errNotLeader
	}
	if r.State() != raft.Leader || r.CurrentTerm() != t.term {
		return 0, errNotLeader
	}
	return index, nil
}

// askLeader gets one read index from whoever leads, waiting for a leader if need be.
func (n *Node) askLeader(start time.Time) (uint64, error) {
	ctx, cancel := context.WithTimeout(n.ctx, requestTimeout)
	defer cancel()
	for {
		t, news, err := n.leader(ctx, start)
		if err != nil {
			return 0, err
		}
		index, err := n.readIndexOf(t, news)
		if err == nil {
			return index, nil
		}
		if ctx.Err() != nil {
			return 0, fsm.Errorf(fsm.Unavailable, "no read index: %v", err)
		}
		n.pause(ctx, news)
	}
}

func (n *Node) readIndexOf(t target, news <-chan struct{}) (uint64, error) {
	ctx, cancel := n.untilNews(news)
	defer cancel()
	if t.local {
		return n.confirms.get(ctx)
	}
	b, err := n.calls.do(ctx, t.addr, callReadIndex, nil)
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, errors.New("malformed read index")
	}
	return binary.BigEndian.Uint64(b), nil
}

// Barrier returns when the local machine holds everything that was acknowledged anywhere
// in the cluster before the call: a View that follows is a linearizable read. Concurrent
// calls share rounds. It fails with Unavailable when there is no leader in time.
func (n *Node) Barrier(ctx context.Context) error {
	if n.raft() == nil {
		return errNoCluster()
	}
	index, err := n.reads.get(ctx)
	if err == nil {
		err = n.WaitIndex(ctx, index)
	}
	if err != nil && !isRefusal(err) {
		return fsm.Errorf(fsm.Unavailable, "not ready for a consistent read: %v", err)
	}
	return err
}

// WaitIndex returns when the local machine has applied index.
func (n *Node) WaitIndex(ctx context.Context, index uint64) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := n.replica.wait(ctx, index); err != nil {
		return fsm.Errorf(fsm.Unavailable, "index %d is not applied here yet (at %d): %v", index, n.replica.applied.Load(), err)
	}
	return nil
}

func isRefusal(err error) bool {
	var e *fsm.Error
	return errors.As(err, &e)
}
