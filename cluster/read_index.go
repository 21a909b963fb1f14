package cluster

import (
	"context"
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/planted"
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
		runtime.Gosched() // who is about to ask may join
		q.mu.Lock()
		r := q.next
		if !planted.Is("running-round") {
			q.next = nil
		}
		if r == nil {
			q.running = false
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
		r.index, r.err = q.ask(r.start)
		if planted.Is("running-round") {
			q.mu.Lock()
			q.next = nil
			q.mu.Unlock()
		}
		close(r.done)
	}
}

// A read index (Raft §6.4) is the leader's commit index, with proof that it was still the
// leader when it was asked. The proof is that a majority of the voters, itself included, is
// in its term, asked after the question came. Terms only grow, and a voter moves to a term
// before it votes in it: whoever leads a later term was elected by a majority that
// shares a voter with this one, hence after the question. So everything that was acknowledged
// before the question was acknowledged in this term or before, and lies below the commit index.
//
// A follower that asks is a voter that says its term: of three nodes, it and the leader are
// a majority already. raft.VerifyLeader proves the same with a heartbeat of every follower, which
// costs several times as much, and an order (#603) that is easy to get wrong.

// confirm is a read index for the leader's own reads: it asks the other voters.
func (n *Node) confirm(time.Time) (uint64, error) {
	t, ok, era := n.lead.look(n.self.ID)
	if !ok || !t.local || !n.leads(t.term) {
		return 0, errNotLeader
	}
	index := n.raft().CommitIndex()
	others, need := n.voters()
	if need > 0 {
		ctx, cancel := context.WithTimeout(era, requestTimeout)
		defer cancel()
		if !n.inTerm(ctx, t.term, others, need) {
			return 0, errNotLeader
		}
	}
	if !n.leads(t.term) || n.replica.isHeld() {
		return 0, errNotLeader
	}
	return index, nil
}

// ownIndex is a read index of a leader that is a majority by itself, and an error on any other
// node. Nobody is asked, so that a round would only make thousands of requests wait for each other,
// and leave the processor's caches in between.
func (n *Node) ownIndex() (uint64, error) {
	if !n.leads(n.raft().CurrentTerm()) {
		return 0, errNotLeader
	}
	if _, need := n.voters(); need > 0 {
		return 0, errNotLeader
	}
	return n.confirm(time.Time{})
}

// leads reports whether this node leads in term, according to Raft.
func (n *Node) leads(term uint64) bool {
	r := n.raft()
	return r != nil && r.State() == raft.Leader && r.CurrentTerm() == term
}

// voters returns the other voters, and how many of them make a majority together with this node.
func (n *Node) voters() (others []raft.Server, need int) {
	total, self := 0, 0
	for _, s := range n.raft().GetConfiguration().Configuration().Servers {
		switch {
		case s.Suffrage != raft.Voter:
			continue
		case string(s.ID) == n.self.ID:
			self = 1
		default:
			others = append(others, s)
		}
		total++
	}
	return others, total/2 + 1 - self
}

// hedge is how long a leader that needs one more voter waits for the one that answered last before
// it asks all of them.
const hedge = 5 * time.Millisecond

// inTerm asks voters for their terms until need of them are in term, and reports whether they are. With
// three nodes one of the two others is enough: the one that answered last is asked first.
func (n *Node) inTerm(ctx context.Context, term uint64, voters []raft.Server, need int) bool {
	near := n.near.Load()
	i := slices.IndexFunc(voters, func(s raft.Server) bool { return near != nil && s.ID == *near })
	if need == 1 && i >= 0 {
		soon, cancel := context.WithTimeout(ctx, hedge)
		same := n.sameTerm(soon, term, voters[i])
		cancel()
		if same {
			return true
		}
	}
	answers := make(chan bool, len(voters))
	for _, s := range voters {
		if !n.spawn(func() {
			same := n.sameTerm(ctx, term, s)
			if same {
				n.near.Store(&s.ID)
			}
			answers <- same
		}) {
			return false
		}
	}
	for left := len(voters); need > 0; left-- {
		if left < need {
			return false
		}
		if <-answers {
			need--
		}
	}
	return true
}

// sameTerm asks one voter, and reports whether it is in term.
func (n *Node) sameTerm(ctx context.Context, term uint64, s raft.Server) bool {
	b, err := n.calls.do(ctx, string(s.Address), callTerm, nil)
	return err == nil && len(b) == 8 && binary.BigEndian.Uint64(b) == term
}

// serveTerm answers the node's current term.
func (n *Node) serveTerm(context.Context, []byte) ([]byte, error) {
	r := n.raft()
	if r == nil {
		return nil, refusal("this node is in no cluster")
	}
	return binary.BigEndian.AppendUint64(nil, r.CurrentTerm()), nil
}

// serveReadIndex answers a follower, which says its term.
func (n *Node) serveReadIndex(ctx context.Context, arg []byte) ([]byte, error) {
	if len(arg) != 8 {
		return nil, refusal("malformed question for a read index")
	}
	if _, err := n.awaitReady(ctx); err != nil {
		return nil, err
	}
	if index, ok := n.indexFor(callerOf(ctx), arg); ok {
		return binary.BigEndian.AppendUint64(nil, index), nil
	}
	index, err := n.confirms.get(ctx)
	if err != nil {
		return nil, err
	}
	return binary.BigEndian.AppendUint64(nil, index), nil
}

// indexFor is a read index for a question that is a vote, so that nobody else needs to be asked: the
// asker is a voter in the leader's term, and makes a majority with it.
func (n *Node) indexFor(asker string, arg []byte) (uint64, bool) {
	t, ok, _ := n.lead.look(n.self.ID)
	if !ok || !t.local || len(arg) != 8 || binary.BigEndian.Uint64(arg) != t.term {
		return 0, false
	}
	others, need := n.voters()
	if need > 1 || !slices.ContainsFunc(others, func(s raft.Server) bool { return string(s.ID) == asker }) {
		return 0, false
	}
	index := n.raft().CommitIndex()
	return index, n.leads(t.term) && !n.replica.isHeld()
}

// instant answers a call that waits for nothing, and reports whether it is one.
func (c *calls) instant(ctx context.Context, kind byte, arg []byte) (status byte, payload []byte, ok bool) {
	switch kind {
	case callTerm:
		status, payload = outcomeFrame(c.node.serveTerm(ctx, arg))
		return status, payload, true
	case callReadIndex:
		if index, ok := c.node.indexFor(callerOf(ctx), arg); ok {
			return statusOK, binary.BigEndian.AppendUint64(nil, index), true
		}
	}
	return 0, nil, false
}

// askLeader gets one read index from whoever leads, waiting for a leader if need be.
func (n *Node) askLeader(start time.Time) (uint64, error) {
	ctx, cancel := context.WithTimeout(n.ctx, requestTimeout)
	defer cancel()
	for {
		t, era, err := n.leader(ctx, start)
		if err != nil {
			return 0, err
		}
		index, err := n.readIndexOf(era, t)
		if err == nil {
			return index, nil
		}
		if ctx.Err() != nil {
			return 0, fsm.Errorf(fsm.Unavailable, "no read index: %v", err)
		}
		n.pause(ctx, era)
	}
}

func (n *Node) readIndexOf(ctx context.Context, t target) (uint64, error) {
	if t.local {
		return n.confirms.get(ctx)
	}
	b, err := n.calls.do(ctx, t.addr, callReadIndex, binary.BigEndian.AppendUint64(nil, n.raft().CurrentTerm()))
	if err != nil {
		return 0, err
	}
	if len(b) != 8 {
		return 0, errors.New("malformed read index")
	}
	return binary.BigEndian.Uint64(b), nil
}

// readIndex returns a read index that was asked for after the call. The leader asks itself; only
// when that fails it looks for another leader, and waits for one, as the other nodes do.
func (n *Node) readIndex(ctx context.Context) (uint64, error) {
	if index, err := n.ownIndex(); err == nil {
		return index, nil
	}
	if t, known, _ := n.lead.look(n.self.ID); known && t.local {
		if index, err := n.confirms.get(ctx); err == nil {
			return index, nil
		}
	}
	return n.reads.get(ctx)
}

// Barrier returns when the local machine holds everything that was acknowledged anywhere
// in the cluster before the call: a View that follows is a linearizable read. Concurrent
// calls share rounds. It fails with Unavailable when there is no leader in time.
func (n *Node) Barrier(ctx context.Context) error {
	if n.raft() == nil {
		return errNoCluster()
	}
	if planted.Is("no-barrier") {
		return nil
	}
	index, err := n.readIndex(ctx)
	if planted.Is("stale-index") {
		index -= min(index, 3)
	}
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
	if n.replica.applied.Load() >= index {
		return nil
	}
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
