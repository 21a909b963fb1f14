package cluster

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tokengrove/grove/fsm"
)

const (
	// batchesInFlight is how many batches an edge has under way; meanwhile the next gathers. They
	// gather once more at the leader, where a batch costs a disk sync, so that many small ones here do
	// no harm, while a command that waits here, too, would wait twice.
	batchesInFlight = 16
	// batchItems and batchBytes bound one batch.
	batchItems = 512
	batchBytes = 1 << 20
	// queueItems and queueBytes bound what waits; beyond that the node refuses instead of growing.
	queueItems = 16384
	queueBytes = 128 << 20
	// maxCommand bounds one command: the API's largest body, and room for the rest.
	maxCommand = 33 << 20
	// retryPause is how long an edge waits for news before it asks the same leader again.
	retryPause = 20 * time.Millisecond
)

// proposal is one command on its way. done has room for one answer.
type proposal struct {
	item  fsm.Item
	start time.Time
	done  chan answer

	// The rest is guarded by the session's mutex.
	flying    bool // handed to a leader, no answer yet
	uncertain bool // was handed to a leader without an answer, so that it may have been applied
	gone      bool // nobody waits for it any more
}

// answer ends a proposal.
type answer struct {
	result fsm.Result
	err    error
}

// edge is this node's side of group commit. Commands gather into batches, and are sent to
// whoever leads, again and again under the same number, until there is an answer or no
// more patience.
type edge struct {
	node    *Node
	queue   chan *proposal
	waiting atomic.Int64 // bytes in queue
	slot    chan struct{}
	idle    chan []*proposal // taken by a goroutine that has sent a batch before
	session *session
}

func newEdge(n *Node) (*edge, error) {
	s, err := newSession(n.cfg.Rand)
	if err != nil {
		return nil, err
	}
	return &edge{node: n, queue: make(chan *proposal, queueItems), slot: make(chan struct{}, batchesInFlight), idle: make(chan []*proposal), session: s}, nil
}

// propose sends c and waits for its outcome.
func (e *edge) propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	k, body, err := fsm.EncodeCommand(c)
	if err != nil {
		return fsm.Result{}, err
	}
	if len(body) > maxCommand {
		return fsm.Result{}, fsm.Errorf(fsm.Invalid, "a command of %d bytes is too large", len(body))
	}
	p := &proposal{item: fsm.Item{Kind: k, Body: body}, start: time.Now(), done: make(chan answer, 1)}
	if !e.enqueue(p) {
		return fsm.Result{}, fsm.Errorf(fsm.Unavailable, "this node is overloaded: too many commands wait")
	}
	return e.await(ctx, p)
}

// await waits for the outcome of p. It looks after the patience itself, too: without a leader,
// p can be stuck in the queue behind batches that wait longer, because they are younger.
func (e *edge) await(ctx context.Context, p *proposal) (fsm.Result, error) {
	t := time.NewTimer(e.node.cfg.stretch(patience + probeTimeout))
	defer t.Stop()
	for {
		select {
		case a := <-p.done:
			return a.result, a.err
		case <-ctx.Done():
			return e.leave(p, "not done within the request's deadline")
		case <-e.node.ctx.Done():
			return e.leave(p, "this node is shutting down")
		case <-t.C:
		}
		if time.Since(p.start) > requestTimeout {
			return e.leave(p, "not done within "+requestTimeout.String())
		}
		if why := e.node.hopeless(p.start); why != nil {
			return e.leave(p, why.Error())
		}
		t.Reset(e.node.cfg.stretch(probeTimeout))
	}
}

func (e *edge) enqueue(p *proposal) bool {
	size := int64(len(p.item.Body))
	if e.waiting.Add(size) > queueBytes {
		e.waiting.Add(-size)
		return false
	}
	select {
	case e.queue <- p:
		return true
	default:
		e.waiting.Add(-size)
		return false
	}
}

// leave is what a caller does that waits no longer: its proposal is certainly not applied if no
// leader was ever given it, and never will be.
func (e *edge) leave(p *proposal, why string) (fsm.Result, error) {
	if uncertain := e.session.abandon(p); uncertain {
		select {
		case a := <-p.done: // the answer came at the same moment
			return a.result, a.err
		default:
		}
		return fsm.Result{}, unknown(why)
	}
	return fsm.Result{}, fsm.Errorf(fsm.Unavailable, "%s", why)
}

func unknown(why string) error {
	return fsm.Errorf(fsm.OutcomeUnknown, "%s; whether the write was applied is unknown", why)
}

// run gathers and sends until the node closes.
func (e *edge) run() {
	for {
		var first *proposal
		select {
		case first = <-e.queue:
		case <-e.node.ctx.Done():
			return
		}
		select {
		case e.slot <- struct{}{}:
		case <-e.node.ctx.Done():
			return
		}
		runtime.Gosched() // who is about to propose may join
		batch := e.gather(first)
		select {
		case e.idle <- batch:
		default:
			e.node.spawn(func() { e.deliver(batch) })
		}
	}
}

// deliver sends batches, one after the other, until the node closes. There are as many of
// it as batches were ever under way at once: a new goroutine for each would grow its stack anew.
func (e *edge) deliver(batch []*proposal) {
	for {
		e.send(batch, fsm.SessionID{})
		<-e.slot
		select {
		case batch = <-e.idle:
		case <-e.node.ctx.Done():
			return
		}
	}
}

// gather takes what has queued up, within the bounds of a batch.
func (e *edge) gather(first *proposal) []*proposal {
	batch, size := []*proposal{first}, len(first.item.Body)
	for more := true; more && len(batch) < batchItems && size < batchBytes; {
		select {
		case p := <-e.queue:
			batch = append(batch, p)
			size += len(p.item.Body)
		default:
			more = false
		}
	}
	e.waiting.Add(-int64(size))
	return batch
}
