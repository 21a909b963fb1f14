package main

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// sample is one request.
type sample struct {
	at    time.Time // when it was sent
	took  time.Duration
	write bool
}

// load is a number of clients that send requests, each as fast as it is answered.
type load struct {
	stop    chan struct{}
	wg      sync.WaitGroup
	mu      sync.Mutex
	samples []sample
	made    []string // tokens that were created and acknowledged
	err     error
}

// request sends one and says whether it was a write, and which token it made, if it did.
type request func(r *rand.Rand) (write bool, made string, err error)

func startLoad(clients int, send request) *load {
	l := &load{stop: make(chan struct{})}
	for i := range clients {
		r := rand.New(rand.NewPCG(uint64(i), 1))
		l.wg.Go(func() { l.client(r, send) })
	}
	return l
}

func (l *load) client(r *rand.Rand, send request) {
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		at := time.Now()
		write, made, err := send(r)
		took := time.Since(at)
		l.mu.Lock()
		l.samples = append(l.samples, sample{at, took, write})
		if made != "" {
			l.made = append(l.made, made)
		}
		if err != nil {
			l.err = err
		}
		l.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// end stops the clients and waits for them.
func (l *load) end() error {
	close(l.stop)
	l.wg.Wait()
	return l.err
}

// took returns the sorted times of the requests that were under way at some moment between from and to.
func (l *load) took(write bool, from, to time.Time) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var ds []time.Duration
	for _, s := range l.samples {
		if s.write == write && s.at.Before(to) && s.at.Add(s.took).After(from) {
			ds = append(ds, s.took)
		}
	}
	slices.Sort(ds)
	return ds
}

// quantile of sorted times, 0 if there are none.
func quantile(ds []time.Duration, q float64) time.Duration {
	if len(ds) == 0 {
		return 0
	}
	return ds[min(len(ds)-1, int(q*float64(len(ds))))]
}

// mix looks up, renews and creates tokens of s at nodes.
func mix(s shape, nodes ...*node) request {
	first, n := s.others()
	return func(r *rand.Rand) (bool, string, error) {
		at, id := nodes[r.IntN(len(nodes))], string(idOf(first+r.IntN(n)))
		switch k := r.IntN(10); {
		case k < 7:
			return false, "", at.lookup(id)
		case k == 7:
			_, err := at.call("POST", "auth/token/renew-self", id, nil)
			return true, "", err
		}
		made, err := at.create()
		return true, made, err
	}
}

// create makes a token.
func (n *node) create() (string, error) {
	a, err := n.call("POST", "auth/token/create", n.root, map[string]any{"policies": []string{"default"}, "ttl": "1h"})
	if err != nil {
		return "", err
	}
	auth, _ := a["auth"].(map[string]any)
	id, _ := auth["client_token"].(string)
	return id, nil
}
