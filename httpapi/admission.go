package httpapi

import (
	chain "container/list"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Limits bound what a node takes on at once, so that overload costs time and answers of 503, and
// never memory or throughput. Zero values are documented.
type Limits struct {
	// Requests is how many requests with a token are in work at once; 0: 1024. It is well above what
	// group commit needs to be at its best, and what waits costs next to nothing.
	Requests int
	// Waiting is how many more may wait for their turn; 0: 16384.
	Waiting int
	// Wait is how long one may wait; 0: 2 s, longer than the election of a leader takes.
	Wait time.Duration
	// BodyBytes is how much of large request bodies is held at once; 0: 256 MiB.
	BodyBytes int64
	// LoginRate is how many logins a second one address may try at one mount, for long; 0: 100; negative:
	// any number.
	LoginRate int
}

const (
	usualRequests  = 1024
	usualWaiting   = 16384
	usualWait      = 2 * time.Second
	usualBodyBytes = 256 << 20
	// wholeLists is how many answers that grow with the number of tokens are in work at once.
	wholeLists = 4
	// listWait is how long one of them may wait: they take longer.
	listWait = 10 * time.Second
)

func (l *Limits) validate() error {
	if l.Requests < 0 || l.Waiting < 0 || l.Wait < 0 || l.BodyBytes < 0 {
		return errors.New("limits of requests cannot be negative")
	}
	if l.BodyBytes != 0 && l.BodyBytes < maxBody {
		return fmt.Errorf("max_body_memory = %d is below the largest body, %d bytes", l.BodyBytes, maxBody)
	}
	or := func(n *int, usual int) {
		if *n == 0 {
			*n = usual
		}
	}
	or(&l.Requests, usualRequests)
	or(&l.Waiting, usualWaiting)
	or(&l.LoginRate, usualLoginRate)
	if l.Wait == 0 {
		l.Wait = usualWait
	}
	if l.BodyBytes == 0 {
		l.BodyBytes = usualBodyBytes
	}
	return nil
}

// limits are a node's bounds at work.
type limits struct {
	admission *admission // of requests with a token
	lists     *admission // of answers that grow with the number of tokens
	bodies    *budget
	logins    *loginRate
}

func newLimits(l Limits) limits {
	b := &budget{}
	b.left.Store(l.BodyBytes)
	return limits{
		admission: newAdmission(l.Requests, l.Waiting, l.Wait),
		lists:     newAdmission(wholeLists, l.Waiting, listWait),
		bodies:    b,
		logins:    newLoginRate(l.LoginRate),
	}
}

// admission lets a bounded number of requests in at once. The others wait in one line per client,
// and the lines take turns: a client with a thousand requests that wait delays one with a single
// request by one turn. Within a line it is first come, first served. A free slot costs one
// uncontended lock and no allocation; who the client is matters only to those who wait.
//
// A line is that of an address, the only name of a client that costs it something: a token
// that nobody has looked at yet can be made up. Of IPv6 it is the network of 64 bits,
// which one host has to itself. X-Forwarded-For is no name either: anybody can write it.
//
// Who waits in vain has waited for the whole time: refusals, which some clients answer with the
// next request at once, are few that way, and leave the processor to those who get in.
type admission struct {
	slots, room int
	wait        time.Duration

	mu      sync.Mutex
	inWork  int
	waiting int
	lines   map[netip.Addr]*line // none is empty
	turns   chain.List           // of *line; the first is next
}

// line is the requests of one client that wait.
type line struct {
	client netip.Addr
	queue  chain.List     // of *turn
	place  *chain.Element // in turns
}

// turn is one request that waits. let has room for one answer: in, or refused.
type turn struct {
	of    *line
	place *chain.Element // in of.queue
	let   chan bool
}

func newAdmission(slots, room int, wait time.Duration) *admission {
	return &admission{slots: slots, room: room, wait: wait, lines: map[netip.Addr]*line{}}
}

// errOverloaded is what a request gets that was not let in. Nothing of it was done.
var errOverloaded = fail(http.StatusServiceUnavailable, "this node is overloaded: the request waited for its turn in vain, and nothing of it was done; try again")

// enter returns nil when the request is let in; leave must follow. remote is the client's
// address with its port.
func (a *admission) enter(ctx context.Context, remote string) error {
	a.mu.Lock()
	if a.inWork < a.slots {
		a.inWork++ // nobody waits: leave hands slots on
		a.mu.Unlock()
		return nil
	}
	t := a.enqueue(clientOf(remote))
	a.mu.Unlock()
	if t == nil {
		return errOverloaded
	}
	timer := time.NewTimer(a.wait)
	defer timer.Stop()
	select {
	case in := <-t.let:
		return a.admitted(ctx, in)
	case <-timer.C:
	case <-ctx.Done():
	}
	a.mu.Lock()
	if t.place != nil {
		a.remove(t)
		a.mu.Unlock()
		return errOverloaded
	}
	a.mu.Unlock()
	return a.admitted(ctx, <-t.let) // it was answered at the same moment
}

// admitted ends the wait of a request. It gives the slot back when the client has left meanwhile: it
// may ask again, and one that gave up asks often.
func (a *admission) admitted(ctx context.Context, in bool) error {
	if in && !hasLeft(ctx) {
		return nil
	}
	if in {
		a.leave()
	}
	return errOverloaded
}

// leftKey is the key of the context value that says whether a connection's client has left.
type leftKey struct{}

// WithConnection returns a context for the requests of a connection, for http.Server.ConnContext. left
// says whether its client has closed it; it is asked after a request has waited for its turn.
func WithConnection(ctx context.Context, left func() bool) context.Context {
	return context.WithValue(ctx, leftKey{}, left)
}

func hasLeft(ctx context.Context) bool {
	left, ok := ctx.Value(leftKey{}).(func() bool)
	return ctx.Err() != nil || ok && left()
}

// leave gives the slot to the next in turn, or back.
func (a *admission) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	first := a.turns.Front()
	if first == nil {
		a.inWork--
		return
	}
	l := first.Value.(*line)
	t := l.queue.Front().Value.(*turn)
	a.turns.MoveToBack(first)
	a.remove(t)
	t.let <- true
}

// enqueue puts a request into its client's line, nil if there is no room. a.mu is held. When the
// room is used up, a client that has less than its share of it takes the last place of
// one that has more.
func (a *admission) enqueue(client netip.Addr) *turn {
	l := a.lines[client]
	if l == nil {
		l = &line{client: client}
	}
	if a.waiting >= a.room && !a.makeRoom(l) {
		return nil
	}
	if l.place == nil {
		a.lines[client], l.place = l, a.turns.PushBack(l)
	}
	t := &turn{of: l, let: make(chan bool, 1)}
	t.place = l.queue.PushBack(t)
	a.waiting++
	return t
}

// makeRoom refuses the last request of a client that has more than its share, and reports false
// when there is none, or l has its share itself.
func (a *admission) makeRoom(l *line) bool {
	clients := len(a.lines)
	if l.place == nil {
		clients++
	}
	share := a.room / clients
	if l.queue.Len() >= share {
		return false
	}
	for e := a.turns.Back(); e != nil; e = e.Prev() {
		if other := e.Value.(*line); other.queue.Len() > share {
			t := other.queue.Back().Value.(*turn)
			a.remove(t)
			t.let <- false
			return true
		}
	}
	return false
}

// remove takes t out of its line, and forgets an empty line. a.mu is held.
func (a *admission) remove(t *turn) {
	l := t.of
	l.queue.Remove(t.place)
	t.place = nil
	a.waiting--
	if l.queue.Len() == 0 {
		a.turns.Remove(l.place)
		l.place = nil
		delete(a.lines, l.client)
	}
}

// clientOf is the client behind an address with a port.
func clientOf(remote string) netip.Addr {
	ap, err := netip.ParseAddrPort(remote)
	if err != nil {
		return netip.Addr{} // all that have no address are one
	}
	return ClientOf(ap.Addr())
}

// ClientOf returns what of an address names a client: an IPv4 address, or the network of 64 bits of an
// IPv6 address, which one host has to itself.
func ClientOf(addr netip.Addr) netip.Addr {
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		return netip.PrefixFrom(addr, 64).Masked().Addr()
	}
	return addr
}

// admit runs an authenticated request when it is let in. Its body has been read, and its answer
// is written when the slot is free again: a slow client holds none.
func (a *api) admit(rq *request, rt *route) (*response, error) {
	if err := a.admission.enter(rq.ctx, rq.http.RemoteAddr); err != nil {
		return nil, err
	}
	defer a.admission.leave()
	return a.serveAuthenticated(rq, rt)
}

// bounded admits few at once to a route whose lists grow with the number of tokens. They keep their
// slot until the answer is written, because it is the answers that take memory.
func (a *api) bounded(rt *route, next http.Handler) http.Handler {
	if !rt.whole {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := a.lists.enter(r.Context(), r.RemoteAddr); err != nil {
			a.writeFailure(w, failureOf(err))
			return
		}
		defer a.lists.leave()
		next.ServeHTTP(w, r)
	})
}
