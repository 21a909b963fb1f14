package jwt

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/tokengrove/grove/engine"
)

// How long what was fetched is good.
const (
	// oldest: what is older counts no more, also if there is nothing newer to be had.
	oldest = 24 * time.Hour
	// pause is how long a failure is remembered, so that not every login waits for a host that is silent.
	pause = 5 * time.Second
	// refreshEvery and refreshBurst bound what anybody can cause by bringing tokens of keys that nobody knows.
	refreshEvery = 10 * time.Second
	refreshBurst = 3
	// maxWaiting is how many requests wait for one server: a dead one must not take all the room that a node has for requests.
	maxWaiting = 32
)

// errCrowded refuses one more.
var errCrowded = engine.Unreachable("a server that this login needs is slow, and %d requests wait for it already: try again later", maxWaiting)

// fetched is something from outside that is kept, and fetched again when it gets old. One request fetches, and others that need it
// wait for that one. It is safe for concurrent use.
type fetched[T any] struct {
	fetch func(context.Context) (T, error)
	fresh time.Duration // after that it is fetched again
	clock func() time.Time
	extra *rate.Limiter

	mu      sync.Mutex
	value   T
	at      time.Time // when value was fetched; zero: never
	failure error     // of the last attempt, nil if it has not failed
	failed  time.Time
	running chan struct{} // closed when the attempt that runs has ended; nil: none runs
	waiting int           // for it
}

func newFetched[T any](fresh time.Duration, clock func() time.Time, fetch func(context.Context) (T, error)) *fetched[T] {
	return &fetched[T]{fetch: fetch, fresh: fresh, clock: clock, extra: rate.NewLimiter(rate.Every(refreshEvery), refreshBurst)}
}

// get returns the value, and when it was fetched.
func (f *fetched[T]) get(ctx context.Context) (T, time.Time, error) {
	f.mu.Lock()
	now := f.clock()
	usable := !f.at.IsZero() && now.Sub(f.at) < oldest
	paused := f.failure != nil && now.Sub(f.failed) < pause
	switch {
	case usable && (now.Sub(f.at) < f.fresh || paused || f.running != nil):
		defer f.mu.Unlock()
		return f.value, f.at, nil
	case paused:
		defer f.mu.Unlock()
		return f.value, f.at, f.failure
	}
	f.mu.Unlock()
	value, at, err := f.attempt(ctx)
	if err != nil && usable {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.value, f.at, nil
	}
	return value, at, err
}

// newer returns a value that was fetched after some time. ok: there is one; false also when it was fetched too often.
func (f *fetched[T]) newer(ctx context.Context, than time.Time) (value T, ok bool, err error) {
	f.mu.Lock()
	if f.at.After(than) {
		defer f.mu.Unlock()
		return f.value, true, nil
	}
	if f.running == nil && !f.extra.AllowN(f.clock(), 1) {
		f.mu.Unlock()
		return value, false, nil
	}
	f.mu.Unlock()
	value, _, err = f.attempt(ctx)
	return value, err == nil, err
}

// attempt fetches, or waits for whoever does. The attempt itself does not end with the request that makes it: others wait for it.
func (f *fetched[T]) attempt(ctx context.Context) (T, time.Time, error) {
	f.mu.Lock()
	if running := f.running; running != nil {
		if f.waiting >= maxWaiting {
			defer f.mu.Unlock()
			return f.value, f.at, errCrowded
		}
		f.waiting++
		f.mu.Unlock()
		var late error
		select {
		case <-running:
		case <-ctx.Done():
			late = ctx.Err()
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.waiting--
		return f.value, f.at, first(late, f.failure)
	}
	f.running = make(chan struct{})
	f.mu.Unlock()

	bound, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*askWait)
	value, err := f.fetch(bound)
	cancel()

	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.running)
	f.running = nil
	if f.failure, f.failed = err, f.clock(); err == nil {
		f.value, f.at = value, f.failed
	}
	return f.value, f.at, err
}

// first is the first error that is one.
func first(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
