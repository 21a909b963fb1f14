package revoker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

var root = token.Hash{0xff}

// plot is a machine as a worker has it: what is proposed is applied at once.
type plot struct {
	*testing.T
	mu    sync.RWMutex
	m     *fsm.Machine
	index uint64
	at    token.Instant
	down  bool // nothing can be proposed
}

func newPlot(t *testing.T) *plot {
	t.Parallel()
	p := &plot{T: t, m: fsm.New(), at: token.InstantOf(time.Unix(1_800_000_000, 0))}
	p.must(&fsm.Initialize{
		ClusterID: "c", ClusterName: "test", Policies: []policy.Policy{{Name: policy.Default}},
		Root: token.Record{Hash: root, Accessor: "root", Type: token.Service, Policies: []string{policy.Root}, Path: "auth/token/root"},
	})
	for _, path := range []string{"a/", "b/"} {
		p.must(&fsm.EnableMount{Caller: p.asker(), Mount: mount.Mount{Path: path, Type: "fake", UUID: "u" + path, Accessor: path}})
	}
	return p
}

func (p *plot) now() time.Time {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.at.Time()
}

func (p *plot) pass(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = p.at.Add(d)
}

func (p *plot) View(f func(*fsm.Machine)) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	f(p.m)
}

func (p *plot) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return fsm.Result{}, fsm.Errorf(fsm.Unavailable, "no leader")
	}
	k, body, err := fsm.EncodeCommand(c)
	if err != nil {
		return fsm.Result{}, err
	}
	p.index++
	rs, err := p.m.Apply(p.index, fsm.AppendEntry(nil, fsm.Entry{At: p.at, Groups: []fsm.Group{{Items: []fsm.Item{{Kind: k, Body: body}}}}}))
	if err != nil {
		return fsm.Result{}, err
	}
	return rs[0], nil
}

func (p *plot) asker() (c fsm.Caller) {
	p.View(func(m *fsm.Machine) { c = fsm.Caller{Token: root, Epoch: m.Epoch()} })
	return c
}

func (p *plot) must(c fsm.Command) {
	p.Helper()
	r, err := p.Propose(context.Background(), c)
	if err != nil || r.Err() != nil || r.Stale {
		p.Fatalf("%T: %v %+v", c, err, r)
	}
}

// dies makes a lease, and revokes it.
func (p *plot) dies(mt, name, resource string) {
	p.Helper()
	p.must(&fsm.IssueLease{
		Step:  fsm.Transact{Caller: p.asker(), Mount: mt, UUID: "u" + mt},
		Draft: fsm.LeaseDraft{ID: mt + name, TTL: time.Hour, MaxTTL: time.Hour, Resource: resource},
	})
	p.must(&fsm.RevokeLease{Caller: p.asker(), ID: mt + name})
}

func (p *plot) tally() (t lease.Tally) {
	p.View(func(m *fsm.Machine) { t = m.CountRevocations(0) })
	return t
}

// until waits for something that happens on other goroutines.
func (p *plot) until(what string, is func() bool) {
	p.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			p.Fatalf("not %s: %+v", what, p.tally())
		}
	}
}

// fake is an engine that does what the test says.
type fake struct {
	mu    sync.Mutex
	calls []string
	do    func(ctx context.Context, l *engine.Lease) error
}

func (f *fake) Paths() []engine.Path { return nil }

func (f *fake) Renew(context.Context, *engine.Request, *engine.Lease) (*engine.Renewal, error) {
	return nil, errors.New("not asked for")
}

func (f *fake) Revoke(ctx context.Context, _ *engine.Request, l *engine.Lease) error {
	f.mu.Lock()
	f.calls = append(f.calls, l.ID)
	do := f.do
	f.mu.Unlock()
	if do == nil {
		return nil
	}
	return do(ctx, l)
}

func (f *fake) called() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// start runs a worker until the returned function is called.
func (p *plot) start(f *fake, l Limits) (stop func()) {
	w := New(Config{Engines: map[string]engine.Secrets{"fake": f}, Now: p.now, Limits: l})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Run(ctx, p)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	p.Cleanup(stop)
	return stop
}

func TestTakesBackWhatIsDead(t *testing.T) {
	p, f := newPlot(t), &fake{}
	for i := range 100 {
		p.dies("a/", fmt.Sprint("x/", i), "")
	}
	p.start(f, Limits{})
	p.until("empty", func() bool { return p.tally() == lease.Tally{} })
	p.dies("b/", "y", "")
	p.until("empty", func() bool { return p.tally() == lease.Tally{} })
	if got := f.called(); len(got) != 101 {
		t.Errorf("%d calls, want 101", len(got))
	}
}

// TestFailuresAreRetriedAndParked: each failure lengthens the wait, and the last one parks.
func TestFailuresAreRetriedAndParked(t *testing.T) {
	p, f := newPlot(t), &fake{}
	f.do = func(_ context.Context, l *engine.Lease) error {
		if l.Attempt == 2 {
			panic("odd")
		}
		return fmt.Errorf("failure %d", l.Attempt)
	}
	p.dies("a/", "x", "")
	p.start(f, Limits{Attempts: 3, Longest: time.Hour})
	for n, wait := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second} {
		p.until("tried", func() bool { return len(f.called()) == n+1 })
		var r fsm.Revocation
		p.until("noted", func() bool {
			p.View(func(m *fsm.Machine) { r, _ = m.Revocation("a/x") })
			return int(r.Revocation.Attempts) == n+1
		})
		text := map[int]string{0: "failure 1", 1: "panicked: odd", 2: "failure 3"}[n]
		if got := r.Revocation.Next.Sub(p.at); got > wait || got < wait*8/10 || !strings.Contains(r.Revocation.Error, text) {
			t.Errorf("after failure %d: again in %s because of %q, want some %s and %q", n+1, got, r.Revocation.Error, wait, text)
		}
		p.pass(wait)
	}
	if got := p.tally(); got != (lease.Tally{Parked: 1}) {
		t.Errorf("%+v, want one that is parked", got)
	}
	f.mu.Lock()
	f.do = nil
	f.mu.Unlock()
	p.must(&fsm.HastenRevocation{Caller: p.asker(), ID: "a/x"})
	p.until("empty", func() bool { return p.tally() == lease.Tally{} })
}

// TestOneAfterTheOther: of a resource, one attempt at a time, in the order of deaths, whatever fails.
func TestOneAfterTheOther(t *testing.T) {
	p, f := newPlot(t), &fake{}
	var mu sync.Mutex
	busy, done := 0, []string{}
	f.do = func(_ context.Context, l *engine.Lease) error {
		mu.Lock()
		busy++
		if busy > 1 {
			t.Errorf("%s while another is under way", l.ID)
		}
		mu.Unlock()
		mu.Lock()
		defer mu.Unlock()
		busy--
		if l.Attempt == 1 {
			return errors.New("once")
		}
		done = append(done, l.ID)
		return nil
	}
	var want []string
	for _, i := range []int{3, 1, 2, 0} {
		p.dies("a/", fmt.Sprint("x/", i), "r")
		want = append(want, fmt.Sprint("a/x/", i))
	}
	p.start(f, Limits{})
	p.until("empty", func() bool { p.pass(10 * time.Millisecond); return p.tally() == lease.Tally{} })
	if !slices.Equal(done, want) {
		t.Errorf("done %q, want %q", done, want)
	}
}

// TestBounds: a mount that hangs leaves room for others, and everything together has a bound.
func TestBounds(t *testing.T) {
	p, f := newPlot(t), &fake{}
	free := make(chan struct{})
	var mu sync.Mutex
	busy, most := map[string]int{}, 0
	f.do = func(ctx context.Context, l *engine.Lease) error {
		mt := l.ID[:2]
		mu.Lock()
		busy[mt]++
		most = max(most, busy["a/"])
		mu.Unlock()
		defer func() {
			mu.Lock()
			busy[mt]--
			mu.Unlock()
		}()
		if mt == "a/" {
			select {
			case <-free:
			case <-ctx.Done():
			}
		}
		return nil
	}
	for i := range 50 {
		p.dies("a/", fmt.Sprint("x/", i), "")
	}
	p.dies("b/", "y", "")
	p.start(f, Limits{Concurrency: 5, PerMount: 3})
	p.until("past the mount that hangs", func() bool { return slices.Contains(f.called(), "b/y") })
	close(free)
	p.until("empty", func() bool { return p.tally() == lease.Tally{} })
	if most != 3 {
		t.Errorf("%d at once at one mount, want 3", most)
	}
}

// TestHandover: a worker that ends in the middle leaves everything as it was, and the next goes on: at least once, and
// once more only for what was under way.
func TestHandover(t *testing.T) {
	p, f := newPlot(t), &fake{}
	begun := make(chan struct{}, 100)
	f.do = func(ctx context.Context, _ *engine.Lease) error {
		begun <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	}
	for i := range 20 {
		p.dies("a/", fmt.Sprint("x/", i), "")
	}
	stop := p.start(f, Limits{PerMount: 4})
	for range 4 {
		<-begun
	}
	stop()
	if got := p.tally(); got != (lease.Tally{Pending: 20}) {
		t.Errorf("after the first worker %+v, want 20 that nobody has tried", got)
	}
	next := &fake{}
	p.start(next, Limits{})
	p.until("empty", func() bool { return p.tally() == lease.Tally{} })
	if got := next.called(); len(got) != 20 {
		t.Errorf("the next worker made %d calls, want 20", len(got))
	}
}

// TestResultThatCannotBeRecorded: then it is tried again.
func TestResultThatCannotBeRecorded(t *testing.T) {
	p, f := newPlot(t), &fake{}
	p.dies("a/", "x", "")
	p.mu.Lock()
	p.down = true
	p.mu.Unlock()
	p.start(f, Limits{Rate: 1000})
	p.until("tried twice", func() bool { p.pass(time.Second); return len(f.called()) >= 2 })
	p.mu.Lock()
	p.down = false
	p.mu.Unlock()
	p.until("empty", func() bool { p.pass(time.Second); return p.tally() == lease.Tally{} })
}

// TestDeadlineOfAnAttempt: an engine that does not come back is told to, and the failure says so.
func TestDeadlineOfAnAttempt(t *testing.T) {
	p, f := newPlot(t), &fake{}
	f.do = func(ctx context.Context, _ *engine.Lease) error {
		<-ctx.Done()
		return ctx.Err()
	}
	p.dies("a/", "x", "")
	p.start(f, Limits{Deadline: time.Millisecond})
	p.until("retrying", func() bool { return p.tally() == lease.Tally{Retrying: 1} })
	p.View(func(m *fsm.Machine) {
		if r, _ := m.Revocation("a/x"); !strings.Contains(r.Revocation.Error, "no answer within 1ms") {
			t.Errorf("the error is %q", r.Revocation.Error)
		}
	})
}

// TestUnknownEngine: what this build does not know stays in the queue.
func TestUnknownEngine(t *testing.T) {
	p := newPlot(t)
	p.dies("a/", "x", "")
	w := New(Config{Now: p.now})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go w.Run(ctx, p)
	p.until("retrying", func() bool { return p.tally() == lease.Tally{Retrying: 1} })
}

func TestBudget(t *testing.T) {
	t.Parallel()
	start := time.Unix(1, 0)
	b := budget{rate: 10, left: 10, last: start}
	if n := b.at(start); n != 10 {
		t.Errorf("%d at first, want 10", n)
	}
	b.left -= 10
	if n := b.at(start.Add(350 * time.Millisecond)); n != 3 {
		t.Errorf("%d after 350 ms, want 3", n)
	}
	if n := b.at(start.Add(time.Hour)); n != 10 {
		t.Errorf("%d after an hour, want 10", n)
	}
	if n := b.at(start); n != 10 {
		t.Errorf("%d when the clock went back, want 10", n)
	}
}
