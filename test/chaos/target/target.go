// Package target is the boundary between what a chaos run thinks (load, history, checkers) and what
// it breaks: a cluster that can be started, disturbed, healed and stopped.
package target

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

// Node is one node as clients reach it.
type Node struct {
	Name string
	URL  string // "http://127.0.0.1:8200", or https
	// Transport reaches it; nil: plain HTTP. The load closes what it leaves idle.
	Transport *http.Transport
}

// Target is a cluster under test. The run calls Start once, then Disturb once while load is
// going on, then Heal, and Stop whatever happened before.
type Target interface {
	// Start brings the cluster up from nothing and returns its root token, when all nodes are voters
	// and answer.
	Start(ctx context.Context) (root string, err error)
	// Nodes returns the nodes, the same ones in the same order during a whole run. A node that is replaced
	// keeps its place.
	Nodes() []Node
	// Disturb injects the faults of the seed's schedule, and notes each, until ctx ends; then it lets
	// the fault that is under way end and returns. Equal seeds give equal schedules. An error means that
	// the test itself is broken, or a node is in a way that no fault explains.
	Disturb(ctx context.Context, seed uint64, log *Log) error
	// Heal takes back whatever is still broken and returns when all nodes answer and know a leader.
	Heal(ctx context.Context) error
	// Stop ends everything and removes what it left, at any moment.
	Stop() error
}

// Log notes the faults of a run, on the run's clock.
type Log struct {
	clock  Clock
	writer *history.Writer
	mu     sync.Mutex
	open   map[*history.Event]bool
}

// Clock is the one monotonic clock of a run.
type Clock struct{ start time.Time }

// NewClock returns a clock that starts now.
func NewClock() Clock { return Clock{time.Now()} }

// Now returns the time since the start of the run.
func (c Clock) Now() time.Duration { return time.Since(c.start) }

// NewLog returns a log that writes to w.
func NewLog(c Clock, w *history.Writer) *Log {
	return &Log{clock: c, writer: w, open: map[*history.Event]bool{}}
}

// Begin notes that a fault begins, before it is done, and returns what notes its end: call it when the
// nodes that it hit are well again. Events may overlap.
func (l *Log) Begin(e history.Event) (end func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.From = l.clock.Now()
	p := &e
	l.open[p] = true
	return func() { l.end(p) }
}

func (l *Log) end(e *history.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.open[e] {
		return
	}
	delete(l.open, e)
	e.To = l.clock.Now()
	l.writer.Event(*e)
}

// Close ends the events that nobody has ended.
func (l *Log) Close() {
	l.mu.Lock()
	var left []*history.Event
	for e := range l.open {
		left = append(left, e)
	}
	l.mu.Unlock()
	for _, e := range left {
		l.end(e)
	}
}
