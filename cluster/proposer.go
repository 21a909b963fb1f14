package cluster

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/planted"
	"github.com/tokengrove/grove/fsm/token"
)

const (
	// entriesInFlight is how many log entries the leader has under way at most; meanwhile the next
	// gathers. While it holds fewer than pipelinedItems commands it waits for the one before: two
	// small entries cost two disk syncs on every node, where one larger costs one.
	entriesInFlight = 4
	pipelinedItems  = 256
	// entryItems and entryBytes bound one log entry.
	entryItems = 1024
	entryBytes = 1 << 20
	// groupHead and itemHead are what a group and an item take besides bodies, about.
	groupHead, itemHead = 40, 16
	// submissions bounds the leader's queue, in groups.
	submissions = 1024
	// enqueueTimeout bounds how long Raft may take to accept an entry.
	enqueueTimeout = 2 * time.Second
)

// proposer is the leader's side of group commit: groups of all edges become one log
// entry. It runs on every node; Raft refuses where the node does not lead.
type proposer struct {
	node    *Node
	in      chan *submission
	flights chan flight   // proposed, in order
	landed  chan struct{} // one of them has ended
	pauses  chan pausing
}

// pausing keeps the proposer from proposing. Groups gather meanwhile.
type pausing struct {
	still chan struct{}   // closed when nothing is under way any more
	until context.Context // ends the pause
}

// flight is one log entry under way.
type flight struct {
	batch  []*submission
	future raft.ApplyFuture
}

// submission is one group and where its results go. done has room for one answer.
type submission struct {
	group fsm.Group
	size  int
	done  chan outcome
}

func newProposer(n *Node) *proposer {
	return &proposer{node: n, in: make(chan *submission, submissions), flights: make(chan flight, entriesInFlight), landed: make(chan struct{}, entriesInFlight), pauses: make(chan pausing)}
}

// submit has g applied and returns its results. errNotLeader and errBusy mean that
// certainly nothing happened; any other error leaves the outcome unknown.
func (p *proposer) submit(ctx context.Context, g fsm.Group) ([]fsm.Result, error) {
	s := &submission{group: g, done: make(chan outcome, 1)}
	s.size = groupHead
	for _, it := range g.Items {
		s.size += len(it.Body) + itemHead
	}
	select {
	case p.in <- s:
	default:
		return nil, errBusy
	}
	select {
	case o := <-s.done:
		return o.results, o.err
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.node.ctx.Done():
		return nil, p.node.ctx.Err()
	}
}

// run gathers and proposes until the node closes.
func (p *proposer) run() {
	var next gathering
	for under := 0; ; {
		in := p.in
		if next.full() {
			in = nil
		}
		if under == 0 && len(next.batch) > 0 || under < entriesInFlight && next.items >= pipelinedItems {
			runtime.Gosched() // who is about to submit may join
			next.takeFrom(in)
			if p.propose(next.batch) {
				under++
			}
			next = gathering{}
			continue
		}
		select {
		case s := <-in:
			next.add(s)
		case <-p.landed:
			under--
		case w := <-p.pauses:
			under = p.rest(w, under)
		case <-p.node.ctx.Done():
			return
		}
	}
}

// pause waits, no longer than ctx, until nothing is under way, and keeps it so until the function
// that it returns is called.
func (p *proposer) pause(ctx context.Context) context.CancelFunc {
	until, resume := context.WithCancel(ctx)
	w := pausing{make(chan struct{}), until}
	select {
	case p.pauses <- w:
	case <-until.Done():
	case <-p.node.ctx.Done():
	}
	select {
	case <-w.still:
	case <-until.Done():
	case <-p.node.ctx.Done():
	}
	return resume
}

// rest is a pause on the proposer's side. It returns how many entries are under way at its end.
func (p *proposer) rest(w pausing, under int) int {
	for ; under > 0; under-- {
		select {
		case <-p.landed:
		case <-w.until.Done():
			return under
		case <-p.node.ctx.Done():
			return under
		}
	}
	close(w.still)
	select {
	case <-w.until.Done():
	case <-p.node.ctx.Done():
	}
	return 0
}

// gathering is what will be the next entry.
type gathering struct {
	batch       []*submission
	items, size int
}

func (g *gathering) full() bool { return g.items >= entryItems || g.size >= entryBytes }

func (g *gathering) add(s *submission) {
	g.batch = append(g.batch, s)
	g.items += len(s.group.Items)
	g.size += s.size
}

// takeFrom adds what has queued up, within the bounds of an entry.
func (g *gathering) takeFrom(in <-chan *submission) {
	for !g.full() {
		select {
		case s := <-in:
			g.add(s)
		default:
			return
		}
	}
}

// land waits for the entries under way, in order, until the node closes. A future that Raft
// leaves unanswered when it shuts down keeps it for ever, so that the node does not wait for it.
func (p *proposer) land() {
	for {
		select {
		case f := <-p.flights:
			err := f.future.Error()
			p.landed <- struct{}{} // has room for all
			p.finish(f.batch, f.future, err)
		case <-p.node.ctx.Done():
			return
		}
	}
}

// propose hands an entry to Raft, and reports whether it is under way.
func (p *proposer) propose(batch []*submission) bool {
	r := p.node.raft()
	if r == nil || r.State() != raft.Leader {
		deliver(batch, outcome{err: errNotLeader})
		return false
	}
	if p.node.clockOff() != nil {
		select {
		case p.node.wrongClock <- struct{}{}:
		default:
		}
		deliver(batch, outcome{err: errNotLeader})
		return false
	}
	e := fsm.Entry{At: token.InstantOf(p.node.cfg.Now()), Groups: make([]fsm.Group, len(batch))}
	size := 32
	for i, s := range batch {
		e.Groups[i] = s.group
		size += s.size
	}
	if planted.Is("early-ack") {
		batch = p.ackRevocations(batch, r.LastIndex())
	}
	p.flights <- flight{batch, r.Apply(fsm.AppendEntry(make([]byte, 0, size), e), enqueueTimeout)} // has room for all
	return true
}

func (p *proposer) finish(batch []*submission, f raft.ApplyFuture, err error) {
	p.node.noteTransfer(errors.Is(err, raft.ErrLeadershipTransferInProgress), time.Now())
	if err != nil {
		if errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipTransferInProgress) {
			err = errNotLeader
		}
		deliver(batch, outcome{err: err})
		return
	}
	o, ok := f.Response().(outcome)
	if !ok || o.err != nil {
		deliver(batch, outcome{err: fmt.Errorf("applying: %w", errors.Join(o.err))})
		return
	}
	rest := o.results
	for _, s := range batch {
		n := len(s.group.Items)
		if n > len(rest) {
			s.done <- outcome{err: errors.New("fewer results than commands")}
			continue
		}
		s.done <- outcome{results: rest[:n]}
		rest = rest[n:]
	}
}

func deliver(batch []*submission, o outcome) {
	for _, s := range batch {
		s.done <- o
	}
}
