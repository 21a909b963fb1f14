package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// forever is a wait that no test reaches.
const forever = time.Hour

// awaitWaiting polls until n requests wait.
func awaitWaiting(t *testing.T, a *admission, n int) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		a.mu.Lock()
		got := a.waiting
		a.mu.Unlock()
		if got == n {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d requests wait, want %d", got, n)
		}
	}
}

// enterer is a request that waits in a test.
type enterer struct {
	name string
	err  chan error
}

// queue lets requests of remote wait, one after the other.
func queue(t *testing.T, ctx context.Context, a *admission, remote, name string, order chan<- string, n int) []*enterer {
	t.Helper()
	var es []*enterer
	for i := range n {
		a.mu.Lock()
		before := a.waiting
		a.mu.Unlock()
		e := &enterer{name: fmt.Sprint(name, i), err: make(chan error, 1)}
		es = append(es, e)
		go func() {
			err := a.enter(ctx, remote)
			if err == nil && order != nil {
				order <- e.name
			}
			e.err <- err
		}()
		awaitWaiting(t, a, before+1)
	}
	return es
}

func full(t *testing.T, a *admission) {
	t.Helper()
	for range a.slots {
		if err := a.enter(t.Context(), "192.0.2.1:1"); err != nil {
			t.Fatalf("a free slot: %v", err)
		}
	}
}

// checkEmpty requires that nothing is left behind.
func checkEmpty(t *testing.T, a *admission) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inWork != 0 || a.waiting != 0 || len(a.lines) != 0 || a.turns.Len() != 0 {
		t.Errorf("left behind: %d in work, %d waiting, %d lines, %d turns", a.inWork, a.waiting, len(a.lines), a.turns.Len())
	}
}

// Lines take turns: who has one request that waits is next but one, however many another has.
func TestLinesTakeTurns(t *testing.T) {
	t.Parallel()
	a := newAdmission(1, 100, forever)
	full(t, a)
	order := make(chan string, 100)
	queue(t, t.Context(), a, "192.0.2.1:1", "flood", order, 4)
	queue(t, t.Context(), a, "192.0.2.2:1", "one", order, 1)
	queue(t, t.Context(), a, "[2001:db8::1]:1", "six", order, 1)
	queue(t, t.Context(), a, "[2001:db8::2]:1", "same", order, 1) // of the same network
	var got []string
	for range 7 {
		a.leave()
		got = append(got, <-order)
	}
	a.leave()
	if want := "flood0 one0 six0 flood1 same0 flood2 flood3"; strings.Join(got, " ") != want {
		t.Errorf("order is %q, want %q", got, want)
	}
	checkEmpty(t, a)
}

// When the room is used up, a flooder makes room for others, and is refused itself.
func TestRoomIsShared(t *testing.T) {
	t.Parallel()
	a := newAdmission(1, 6, forever)
	full(t, a)
	flood := queue(t, t.Context(), a, "192.0.2.1:1", "flood", nil, 6)
	if err := a.enter(t.Context(), "192.0.2.1:2"); err != errOverloaded {
		t.Errorf("beyond the room: %v, want a refusal", err)
	}
	enterLate := func(remote string) *enterer {
		e := &enterer{err: make(chan error, 1)}
		go func() { e.err <- a.enter(t.Context(), remote) }()
		return e
	}
	var others []*enterer
	for i := range 3 {
		others = append(others, enterLate("192.0.2.2:1"))
		if err := <-flood[5-i].err; err != errOverloaded {
			t.Errorf("the flooder's last: %v, want a refusal", err)
		}
	}
	if err := a.enter(t.Context(), "192.0.2.2:4"); err != errOverloaded {
		t.Errorf("beyond the share: %v, want a refusal", err)
	}
	for range 6 {
		a.leave()
	}
	a.leave()
	for _, e := range append(flood[:3], others...) {
		if err := <-e.err; err != nil {
			t.Errorf("within the share: %v", err)
		}
	}
	checkEmpty(t, a)
}

// Waiting ends: after the longest wait, and with the client.
func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	a := newAdmission(1, 10, time.Millisecond)
	full(t, a)
	if err := a.enter(t.Context(), "192.0.2.1:1"); err != errOverloaded {
		t.Errorf("after the longest wait: %v, want a refusal", err)
	}
	a.wait = forever
	ctx, cancel := context.WithCancel(t.Context())
	e := queue(t, ctx, a, "192.0.2.1:1", "", nil, 1)[0]
	cancel()
	if err := <-e.err; err != errOverloaded {
		t.Errorf("a client that left: %v, want a refusal", err)
	}
	a.leave()
	checkEmpty(t, a)
}

// However requests come, wait and leave, no more are in work than there are slots, and no slot is lost.
func TestSlotsUnderLoad(t *testing.T) {
	t.Parallel()
	a := newAdmission(3, 20, 200*time.Microsecond)
	var inWork, most, let, refused atomic.Int64
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			for range 200 {
				if err := a.enter(t.Context(), fmt.Sprintf("192.0.2.%d:1", i%5)); err != nil {
					refused.Add(1)
					continue
				}
				let.Add(1)
				n := inWork.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				inWork.Add(-1)
				a.leave()
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 || let.Load() == 0 {
		t.Errorf("%d in work at once, want at most 3; %d let in, %d refused", most.Load(), let.Load(), refused.Load())
	}
	checkEmpty(t, a)
}

// slowStore lets no barrier pass until it is told to.
type slowStore struct {
	*fakeStore
	asked, let chan struct{}
}

func (s *slowStore) Barrier(ctx context.Context) error {
	select {
	case s.asked <- struct{}{}:
	default:
	}
	<-s.let
	return s.fakeStore.Barrier(ctx)
}

// A server whose slots are taken refuses, but says how it is, and serves again afterwards.
func TestOverloadedServer(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	store := &slowStore{fakeStore: s.store, asked: make(chan struct{}, 1), let: make(chan struct{})}
	handler, err := New(Config{Store: store, Cluster: s.cluster, Now: s.store.now, Limits: Limits{Requests: 1, Waiting: 1, Wait: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan int, 1)
	get := func(path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/v1/"+path, nil)
		r.Header.Set("X-Vault-Token", rootID)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		return w
	}
	go func() { served <- get("auth/token/lookup-self").Code }()
	<-store.asked
	w := get("auth/token/lookup-self")
	if w.Code != 503 || w.Header().Get("Retry-After") != "1" || !strings.HasPrefix(w.Body.String(), `{"errors":["this node is overloaded: `) {
		t.Errorf("overloaded: %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := get("sys/leader"); w.Code != 200 {
		t.Errorf("sys/leader of an overloaded node: %d %s", w.Code, w.Body)
	}
	close(store.let)
	if code := <-served; code != 200 {
		t.Errorf("the request in work: %d, want 200", code)
	}
	if w := get("auth/token/lookup-self"); w.Code != 200 {
		t.Errorf("after the overload: %d %s", w.Code, w.Body)
	}
}

// Large bodies share a budget as they arrive, small ones need none.
func TestBodyBudget(t *testing.T) {
	t.Parallel()
	a := &api{log: hclog.NewNullLogger(), limits: newLimits(Limits{BodyBytes: bodyStep})}
	h := a.meter(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := readBody(w, r); err != nil {
			a.writeFailure(w, failureOf(err))
		}
	}))
	post := func(size int, chunked bool) int {
		r := httptest.NewRequest("POST", "/v1/x", strings.NewReader(`{"x":"`+strings.Repeat("x", size)+`"}`))
		if chunked {
			r.ContentLength = -1
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	for _, c := range []struct {
		name       string
		left       int64
		size, want int
	}{
		{"within the budget", bodyStep, smallBody + bodyStep/2, 200},
		{"beyond the budget", bodyStep, smallBody + 2*bodyStep, 503},
		{"small, no budget", 0, 100, 200},
		{"large, no budget", 0, smallBody, 503},
	} {
		for _, chunked := range []bool{false, true} {
			a.bodies.left.Store(c.left)
			if got := post(c.size, chunked); got != c.want {
				t.Errorf("%s (chunked: %v): %d, want %d", c.name, chunked, got, c.want)
			}
			if left := a.bodies.left.Load(); left != c.left {
				t.Errorf("%s: %d bytes are left of the budget, want %d", c.name, left, c.left)
			}
		}
	}
}

func TestLimitsValidate(t *testing.T) {
	t.Parallel()
	for _, l := range []Limits{{Requests: -1}, {Waiting: -1}, {Wait: -1}, {BodyBytes: -1}, {BodyBytes: 1 << 20}} {
		if err := l.validate(); err == nil {
			t.Errorf("%+v: no error", l)
		}
	}
	var l Limits
	if err := l.validate(); err != nil || l != (Limits{usualRequests, usualWaiting, usualWait, usualBodyBytes, usualLoginRate}) {
		t.Errorf("zero values: %+v, %v", l, err)
	}
}

// A free slot costs no allocation.
func TestFreeSlotAllocatesNothing(t *testing.T) {
	a := newAdmission(1, 1, forever)
	ctx := context.Background()
	if n := testing.AllocsPerRun(100, func() {
		if a.enter(ctx, "192.0.2.1:1") == nil {
			a.leave()
		}
	}); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

// TestClientHasLeft: a request whose client left while it waited is not served, and gives its slot on.
func TestClientHasLeft(t *testing.T) {
	t.Parallel()
	a := newAdmission(1, 100, forever)
	full(t, a)
	gone := queue(t, WithConnection(t.Context(), func() bool { return true }), a, "192.0.2.1:1", "gone", nil, 1)[0]
	here := queue(t, WithConnection(t.Context(), func() bool { return false }), a, "192.0.2.1:1", "here", nil, 1)[0]
	a.leave()
	if err := <-gone.err; err == nil {
		t.Error("a request was served whose client had left")
	}
	if err := <-here.err; err != nil {
		t.Errorf("the next one: %v", err)
	}
	a.leave()
	checkEmpty(t, a)
}
