package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/tokengrove/grove/fsm"
)

const (
	// batchesInFlight is how many batches an edge has under way; meanwhile the next gathers.
	batchesInFlight = 4
	// batchItems and batchBytes bound one batch.
	batchItems = 512
	batchBytes = 1 << 20
	// queueItems bounds what waits; beyond it the node refuses instead of growing.
	queueItems = 16384
	// retryPause is how long an edge waits for news before it asks the same leader again.
	retryPause = 20 * time.Millisecond
)

// proposal is one command on its way. done has room for one answer.
type proposal struct {
	item  fsm.Item
	start time.Time
	ctx   context.Context
	// uncertain: it was sent once without an answer, so that it may have been applied.
	uncertain bool
	done      chan answer
}

// answer ends a proposal.
type answer struct {
	result fsm.Result
	err    error
}

// edge is this node's side of group commit. Commands get a sequence number in the edge's
// session, gather into batches, and are sent to whoever leads, again and again under
// the same number, until there is an answer or no more patience.
//
// The low mark is the smallest number without an answer. A proposal that was given up
// counts as answered: the machine then refuses a copy of it that is still under way,
// which is one of the two outcomes that its caller was told of.
type edge struct {
	node  *Node
	queue chan *proposal
	slot  chan struct{}

	mu      sync.Mutex
	session fsm.SessionID
	opened  bool
	next    uint64
	low     uint64
	pending map[uint64]bool
	opening sync.Mutex
}

func newEdge(n *Node) (*edge, error) {
	e := &edge{node: n, queue: make(chan *proposal, queueItems), slot: make(chan struct{}, batchesInFlight), next: 1, low: 1, pending: map[uint64]bool{}}
	return e, e.mint()
}

// mint draws a new session ID.
func (e *edge) mint() error {
	e.opened = false
	if _, err := io.ReadFull(e.node.cfg.Rand, e.session[:]); err != nil {
		return fmt.Errorf("minting a session: %w", err)
	}
	return nil
}

// propose sends c and waits for its outcome.
func (e *edge) propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	k, body, err := fsm.EncodeCommand(c)
	if err != nil {
		return fsm.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	p := &proposal{item: fsm.Item{Kind: k, Body: body}, start: time.Now(), ctx: ctx, done: make(chan answer, 1)}
	select {
	case e.queue <- p:
	default:
		return fsm.Result{}, fsm.Errorf(fsm.Unavailable, "this node is overloaded: %d commands wait", queueItems)
	}
	select {
	case a := <-p.done:
		return a.result, a.err
	case <-e.node.ctx.Done():
		return fsm.Result{}, fsm.Errorf(fsm.OutcomeUnknown, "this node is shutting down; the outcome is unknown")
	}
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
		batch := e.gather(first)
		e.node.spawn(func() {
			e.send(batch)
			<-e.slot
		})
	}
}

func (e *edge) gather(first *proposal) []*proposal {
	batch := []*proposal{first}
	for size := len(first.item.Body); len(batch) < batchItems && size < batchBytes; {
		select {
		case p := <-e.queue:
			batch = append(batch, p)
			size += len(p.item.Body)
		default:
			return batch
		}
	}
	return batch
}

// number gives the batch its sequence numbers in the current session.
func (e *edge) number(batch []*proposal) fsm.SessionID {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range batch {
		p.item.Seq = e.next
		e.pending[e.next] = true
		e.next++
	}
	return e.session
}

func (e *edge) lowMark() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.low
}

// finish ends a proposal and moves the low mark.
func (e *edge) finish(p *proposal, a answer) {
	e.forget(p)
	p.done <- a
}

func (e *edge) forget(p *proposal) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.pending, p.item.Seq)
	for e.low < e.next && !e.pending[e.low] {
		e.low++
	}
}

// send delivers a batch, however often that takes.
func (e *edge) send(batch []*proposal) {
	session := fsm.SessionID{}
	for len(batch) > 0 {
		if batch = e.expire(batch); len(batch) == 0 {
			return
		}
		t, changed, err := e.node.leader(batch[0].ctx, batch[0].start)
		if err != nil {
			batch = e.giveUpOverdue(batch, err)
			continue
		}
		if err := e.open(t, changed); err != nil {
			e.pause(changed)
			continue
		}
		if session == (fsm.SessionID{}) {
			session = e.number(batch)
		}
		rs, err := e.deliver(t, changed, session, batch)
		if err == nil {
			batch, session = e.answer(batch, rs, session)
			continue
		}
		if !certain(err) {
			for _, p := range batch {
				p.uncertain = true
			}
		}
		e.pause(changed)
	}
}

// certain reports whether err means that nothing happened.
func certain(err error) bool {
	var no refusal
	var unsent notSent
	return errors.Is(err, errNotLeader) || errors.As(err, &no) || errors.As(err, &unsent)
}

// deliver sends the batch once. It stops waiting when the leader changes: the answer of
// the old one may never come.
func (e *edge) deliver(t target, changed <-chan struct{}, session fsm.SessionID, batch []*proposal) ([]fsm.Result, error) {
	g := fsm.Group{Session: session, Low: e.lowMark()}
	for _, p := range batch {
		g.Items = append(g.Items, p.item)
	}
	ctx, cancel := e.node.untilChange(changed)
	defer cancel()
	return e.node.toLeader(ctx, t, g)
}

// untilChange returns a context that ends with the leader that changed is about.
func (n *Node) untilChange(changed <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(n.ctx, requestTimeout)
	n.spawn(func() {
		select {
		case <-changed:
			cancel()
		case <-ctx.Done():
		}
	})
	return ctx, cancel
}

// toLeader has a group applied by the leader t.
func (n *Node) toLeader(ctx context.Context, t target, g fsm.Group) ([]fsm.Result, error) {
	if t.local {
		return n.proposer.submit(ctx, g)
	}
	out, err := n.calls.do(ctx, t.addr, callPropose, fsm.AppendGroup(nil, g))
	if err != nil {
		return nil, err
	}
	rs, err := fsm.DecodeResults(out)
	if err == nil && len(rs) != len(g.Items) {
		err = fmt.Errorf("%d results for %d commands", len(rs), len(g.Items))
	}
	return rs, err
}

// pause waits for another leader, or a moment.
func (e *edge) pause(changed <-chan struct{}) {
	t := time.NewTimer(retryPause)
	defer t.Stop()
	select {
	case <-changed:
	case <-t.C:
	case <-e.node.ctx.Done():
	}
}

// open makes sure that the session is known to the machine.
func (e *edge) open(t target, changed <-chan struct{}) error {
	e.opening.Lock()
	defer e.opening.Unlock()
	e.mu.Lock()
	session, opened := e.session, e.opened
	e.mu.Unlock()
	if opened {
		return nil
	}
	k, body, err := fsm.EncodeCommand(&fsm.OpenSession{Session: session, Node: e.node.self.ID})
	if err != nil {
		return err
	}
	ctx, cancel := e.node.untilChange(changed)
	defer cancel()
	rs, err := e.node.toLeader(ctx, t, fsm.Group{Items: []fsm.Item{{Kind: k, Body: body}}})
	if err != nil {
		return err
	}
	if err := rs[0].Err(); err != nil {
		return err
	}
	e.mu.Lock()
	e.opened = e.session == session
	e.mu.Unlock()
	return nil
}

// answer ends the proposals that have a result, and returns those that must be sent
// again under a new session.
func (e *edge) answer(batch []*proposal, rs []fsm.Result, session fsm.SessionID) ([]*proposal, fsm.SessionID) {
	var again []*proposal
	for i, p := range batch {
		switch {
		case rs[i].Code != fsm.NoSession:
			e.finish(p, answer{result: rs[i]})
		case p.uncertain:
			e.finish(p, answer{err: fsm.Errorf(fsm.OutcomeUnknown, "the edge session was lost; whether the write was applied is unknown")})
		default:
			e.forget(p)
			again = append(again, p)
		}
	}
	if len(again) == 0 {
		return nil, session
	}
	e.mu.Lock()
	if e.session == session {
		if err := e.mint(); err != nil {
			e.node.log.Error("edge session", "error", err)
		}
	}
	e.mu.Unlock()
	return again, fsm.SessionID{}
}

// expire gives up what has passed its own deadline.
func (e *edge) expire(batch []*proposal) []*proposal {
	var keep []*proposal
	for _, p := range batch {
		if err := p.ctx.Err(); err != nil {
			e.giveUp([]*proposal{p}, fsm.Errorf(fsm.Unavailable, "not done within the request's deadline: %v", err))
			continue
		}
		keep = append(keep, p)
	}
	return keep
}

// giveUpOverdue gives up what has waited for a leader as long as the node's patience, and
// returns the rest, which came later.
func (e *edge) giveUpOverdue(batch []*proposal, why error) []*proposal {
	var keep []*proposal
	lost := e.node.lead.lostSince()
	for _, p := range batch {
		since := lost
		if p.start.After(since) {
			since = p.start
		}
		if e.node.ctx.Err() == nil && p.ctx.Err() == nil && time.Since(since) < e.node.cfg.stretch(patience) {
			keep = append(keep, p)
			continue
		}
		e.giveUp([]*proposal{p}, why)
	}
	return keep
}

// giveUp ends proposals without a result: certainly not applied, or unknown.
func (e *edge) giveUp(batch []*proposal, why error) {
	for _, p := range batch {
		err := why
		if p.uncertain {
			err = fsm.Errorf(fsm.OutcomeUnknown, "%v; whether the write was applied is unknown", why)
		}
		e.finish(p, answer{err: err})
	}
}
