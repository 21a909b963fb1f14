package httpapi

import (
	chain "container/list"
	"net/netip"
	"sync"
	"time"
)

// loginRate limits how often a client may try to log in at a mount: a bucket of burst logins for each,
// which fills again at rate. It is this node's own, and bounded: who has not come for the longest
// time is forgotten, with a full bucket if it is fair, because a bucket is full again after burst/rate.
type loginRate struct {
	each  time.Duration // of one login; 0: unlimited
	burst int

	mu      sync.Mutex
	clients map[loginClient]*chain.Element
	order   chain.List // of *loginTime; who came last is at the end
}

type loginClient struct {
	mount string
	addr  netip.Addr
}

// loginTime says when a client's bucket is full again (the generic cell rate algorithm).
type loginTime struct {
	client loginClient
	full   time.Time
}

const (
	usualLoginRate  = 100 // a second
	loginSeconds    = 10  // of the rate, in a burst
	maxLoginClients = 1 << 14
)

func newLoginRate(rate int) *loginRate {
	r := &loginRate{burst: max(1, rate*loginSeconds), clients: map[loginClient]*chain.Element{}}
	if rate > 0 {
		r.each = time.Second / time.Duration(rate)
	}
	return r
}

// take reports whether a client may try now.
func (r *loginRate) take(mount, remote string, now time.Time) bool {
	if r.each == 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	c := loginClient{mount, clientOf(remote)}
	e := r.clients[c]
	if e == nil {
		if len(r.clients) >= maxLoginClients {
			oldest := r.order.Front()
			delete(r.clients, oldest.Value.(*loginTime).client)
			r.order.Remove(oldest)
		}
		e = r.order.PushBack(&loginTime{client: c, full: now})
		r.clients[c] = e
	}
	r.order.MoveToBack(e)
	t := e.Value.(*loginTime)
	if t.full.Before(now) {
		t.full = now
	}
	if t.full.Sub(now) > r.each*time.Duration(r.burst-1) {
		return false
	}
	t.full = t.full.Add(r.each)
	return true
}
