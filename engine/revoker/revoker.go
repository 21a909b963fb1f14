// Package revoker takes back what dead leases stand for.
//
// Contract: a Worker runs on the leader alone, for as long as that leads. What is due, in which order, and what has failed
// how often is in the replicated state; the Worker keeps nothing but which attempts it has under way. So it can end at
// any moment, and the next leader's goes on. What it has found out becomes a command, which the next leader may
// find applied or not: then it tries once more, and an engine takes what is gone for taken back.
//
// Invariants: of a row one attempt is under way at a time, and of a line of rows only the first; an attempt
// ends by its deadline; all of them together, and those of one mount, are bounded; a failure makes nothing
// live longer, it only makes what is dead stay in the queue.
package revoker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

// Store is the replicated machine as the worker needs it. All methods are safe for concurrent use, and end within a bound of
// their own.
type Store interface {
	// View runs f under the machine's read lock. f must not block, and not keep m.
	View(f func(m *fsm.Machine))
	// Propose replicates a command, applied at most once, and returns its result.
	Propose(ctx context.Context, c fsm.Command) (fsm.Result, error)
}

// Config is what New needs. Zero values are documented.
type Config struct {
	Engines map[string]engine.Secrets // by type
	Sealer  engine.Sealer
	// Log takes what operators should know: that something was given up.
	Log  func(text string, args ...any) // nil: nobody
	Now  func() time.Time               // nil: time.Now
	Rand io.Reader                      // for engines
	Limits
}

// Limits bound what a worker does at once, and how long it tries. Zero values are documented.
type Limits struct {
	Attempts    uint32        // after which a revocation is parked; 0: 24, some two and a half hours
	Concurrency int           // attempts that are under way at once; 0: 32
	PerMount    int           // … of one mount; 0: 8
	Rate        int           // attempts that are begun in a second; 0: 200
	Deadline    time.Duration // of an attempt; 0: 20 s
	Longest     time.Duration // wait between two attempts; 0: 10 min
}

func (l *Limits) fill() {
	l.Attempts, l.Concurrency, l.PerMount, l.Rate = or(l.Attempts, 24), or(l.Concurrency, 32), or(l.PerMount, 8), or(l.Rate, 200)
	l.Deadline, l.Longest = or(l.Deadline, 20*time.Second), or(l.Longest, 10*time.Minute)
}

func or[T comparable](v, usual T) T {
	var zero T
	if v == zero {
		return usual
	}
	return v
}

const (
	// pause is how often the worker looks when nothing ends: the queue is short then, or nothing is due.
	pause = 50 * time.Millisecond
	// looked bounds the rows that one look passes over because their mount has enough under way.
	looked = 10_000
)

// Worker takes back what is due.
type Worker struct {
	cfg Config

	mu       sync.Mutex
	underway map[string]bool // leases
	busy     map[string]int  // attempts of a mount
}

// New makes a worker. Run may be called again and again, also while the last call still ends.
func New(c Config) *Worker {
	c.Limits.fill()
	if c.Log == nil {
		c.Log = func(string, ...any) {}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Worker{cfg: c, underway: map[string]bool{}, busy: map[string]int{}}
}

// Run takes back what is due until ctx ends, and then waits for the attempts under way, which end with it.
func (w *Worker) Run(ctx context.Context, s Store) {
	var attempts sync.WaitGroup
	defer attempts.Wait()
	ended := make(chan struct{}, 1)
	tick := time.NewTicker(pause)
	defer tick.Stop()
	rate := float64(w.cfg.Rate)
	b := budget{rate: rate, left: rate, last: w.cfg.Now()}
	for ctx.Err() == nil {
		for _, r := range w.due(s, b.at(w.cfg.Now())) {
			b.left--
			w.begin(&r)
			attempts.Go(func() {
				w.attempt(ctx, s, &r)
				w.end(&r)
				select {
				case ended <- struct{}{}:
				default:
				}
			})
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-ended:
		}
	}
}

// budget is how many attempts may be begun: as many as the rate gives, and at most a second's worth at once.
type budget struct {
	rate, left float64
	last       time.Time
}

// at returns how many may be begun at a time.
func (b *budget) at(now time.Time) int {
	b.left = min(b.rate, b.left+max(0, now.Sub(b.last).Seconds())*b.rate)
	b.last = now
	return int(b.left)
}

// due returns at most limit rows to try now.
func (w *Worker) due(s Store, limit int) (rows []fsm.Revocation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if limit = min(limit, w.cfg.Concurrency-len(w.underway)); limit <= 0 {
		return nil
	}
	seen, taking, now := 0, map[string]int{}, token.InstantOf(w.cfg.Now())
	s.View(func(m *fsm.Machine) {
		m.DueRevocations(now, func(r fsm.Revocation) bool {
			if mt := r.Lease.Mount; !w.underway[r.ID] && w.busy[mt]+taking[mt] < w.cfg.PerMount {
				taking[mt]++
				rows = append(rows, r)
			}
			seen++
			return len(rows) < limit && seen < looked
		})
	})
	return rows
}

func (w *Worker) begin(r *fsm.Revocation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.underway[r.ID] = true
	w.busy[r.Lease.Mount]++
}

func (w *Worker) end(r *fsm.Revocation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.underway, r.ID)
	if w.busy[r.Lease.Mount]--; w.busy[r.Lease.Mount] == 0 {
		delete(w.busy, r.Lease.Mount)
	}
}

// attempt tries one row, and has the result replicated. It is under way until that is so, or else the same row would be
// found due again.
func (w *Worker) attempt(ctx context.Context, s Store, r *fsm.Revocation) {
	err := w.revoke(ctx, s, r)
	v := &r.Revocation
	var c fsm.Command = &fsm.FinishRevocation{ID: r.ID, Turn: v.Turn}
	if err != nil {
		if ctx.Err() != nil {
			return // it was cut short: that says nothing about what is outside
		}
		failures := v.Attempts + 1
		c = &fsm.FailRevocation{
			ID: r.ID, Turn: v.Turn, Attempts: v.Attempts, Error: err.Error(), Wait: w.wait(v.Attempts), Park: failures >= w.cfg.Attempts,
		}
		switch {
		case v.Forced:
			w.cfg.Log("a lease was forgotten by force though it could not be taken back", "lease", r.ID, "error", err)
		case failures >= w.cfg.Attempts:
			w.cfg.Log("a lease could not be taken back and is parked: see sys/grove/revocations", "lease", r.ID, "attempts", failures, "error", err)
		}
	}
	// The result counts also when this node leads no more: the next leader then need not try again.
	if _, err := s.Propose(context.WithoutCancel(ctx), c); err != nil {
		w.cfg.Log("what became of taking back a lease is not recorded: it is tried again", "lease", r.ID, "error", err)
	}
}

// wait is how long to wait after a number of failures before. It differs a little each time, so that what failed
// together is not tried together for ever.
func (w *Worker) wait(failures uint32) time.Duration {
	d := lease.Backoff(failures, w.cfg.Longest)
	return d - time.Duration(rand.Int64N(int64(d)/5+1))
}

// revoke calls the engine.
func (w *Worker) revoke(ctx context.Context, s Store, r *fsm.Revocation) (err error) {
	ctx, cancel := context.WithTimeout(ctx, w.cfg.Deadline)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the engine of %s panicked: %v", r.Mount.Path, p)
		}
	}()
	e := w.cfg.Engines[r.Mount.Type]
	if e == nil {
		return fmt.Errorf("this server has no engine of type %q", r.Mount.Type)
	}
	l, err := engine.OpenLease(&r.Lease, r.Mount.Path, w.cfg.Sealer)
	if err != nil {
		return err
	}
	err = e.Revoke(ctx, w.request(s, r), l)
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("no answer within %s: %w", w.cfg.Deadline, err)
	}
	return err
}

// request is what the engine gets: the mount as it is now, read only.
func (w *Worker) request(s Store, r *fsm.Revocation) *engine.Request {
	var kept storage.Store
	now := token.InstantOf(w.cfg.Now())
	s.View(func(m *fsm.Machine) { kept, now = m.Storage(r.Lease.Mount), m.Now(now) })
	mt := &r.Mount
	return &engine.Request{
		Op: engine.Delete, Storage: engine.NewTx(kept), Path: r.Path(), Now: now, Values: engine.Values{}, Sealer: w.cfg.Sealer, Rand: w.cfg.Rand,
		Mount:  engine.Mount{Path: mt.Path, UUID: mt.UUID, Accessor: mt.Accessor, DefaultTTL: mt.DefaultTTL, MaxTTL: mt.MaxTTL},
		Client: engine.Client{Header: func(string) string { return "" }}, Locked: func(string) bool { return false },
	}
}
