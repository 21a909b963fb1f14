package main

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

const (
	warmup = time.Second
	// settle is how long bystanders go on after an acknowledgement: what is tidied up later must not
	// keep them waiting either.
	settle = 3 * time.Second
)

// patient is what a bystander never waits longer for.
const patient = 150 * time.Millisecond

// plant makes a parent and its children through the API; the parent comes first.
func (c *trio) plant(children int) ([]string, error) {
	n := c.nodes[0]
	a, err := n.call("POST", "auth/token/create", n.root, map[string]any{"policies": []string{"root"}, "ttl": "1h"})
	if err != nil {
		return nil, err
	}
	auth, _ := a["auth"].(map[string]any)
	top, _ := auth["client_token"].(string)
	left := atomic.Int64{}
	left.Store(int64(children))
	full := make(chan struct{})
	l := startLoad(clients, func(r *rand.Rand) (bool, string, error) {
		k := left.Add(-1)
		if k < 0 {
			pause(time.Millisecond)
			if k == -1 {
				close(full)
			}
			return true, "", nil
		}
		by := *c.nodes[r.IntN(len(c.nodes))]
		by.root = top
		made, err := by.create()
		return true, made, err
	})
	select {
	case <-full:
	case <-time.After(patience):
	}
	err = l.end()
	return append([]string{top}, l.made...), err
}

// checkChain looks up the end of the chain on every node.
func (c *trio) checkChain() error {
	var most time.Duration
	for _, n := range c.nodes {
		for range 20 {
			begin := time.Now()
			if err := n.lookup(string(idOf(c.s.chainEnd()))); err != nil {
				return err
			}
			most = max(most, time.Since(begin))
		}
	}
	c.t.time("chain of "+number(c.s.chain)+": its end is looked up, longest of 60", most, 0)
	return nil
}

// fell revokes the tree of top through a node that does not lead, while a bystander a node looks up
// another token. Nothing below may be alive once that is acknowledged.
func (c *trio) fell(what, top string, below []string, bar time.Duration) error {
	leader, err := c.leader()
	if err != nil {
		return err
	}
	by := c.nodes[0]
	if by == leader {
		by = c.nodes[1]
	}
	if err := c.quiet(); err != nil {
		return err
	}
	first, n := c.s.others()
	var next atomic.Int64
	l := startLoad(len(c.nodes), func(r *rand.Rand) (bool, string, error) {
		at := c.nodes[int(next.Add(1))%len(c.nodes)]
		return false, "", at.lookup(string(idOf(first + r.IntN(n))))
	})
	pause(warmup)
	begin := time.Now()
	_, err = by.call("POST", "auth/token/revoke", by.root, map[string]any{"token": top})
	acknowledged := time.Since(begin)
	if err == nil {
		err = c.survey(append([]string{top}, below...))
	}
	pause(settle)
	if lerr := l.end(); lerr != nil {
		return fmt.Errorf("a bystander: %w", lerr)
	}
	if err != nil {
		return err
	}
	c.t.time(what+": revoked and acknowledged", acknowledged, bar)
	c.t.time(what+": lookups of a bystander meanwhile, longest", quantile(l.took(false, begin, time.Now()), 1), patient)
	return nil
}

// quiet waits until no node writes a snapshot: what is measured next is to be a tree's doing.
func (c *trio) quiet() error {
	return until("snapshots are written", func() (bool, error) {
		for _, n := range c.nodes {
			begun, err := n.events(froze, time.Time{})
			if err != nil {
				return false, err
			}
			done, err := n.events(wrote, time.Time{})
			if err != nil || len(done) < len(begun)-n.kills {
				return false, err
			}
		}
		return true, nil
	})
}

// survey looks up tokens on every node: all must be dead.
func (c *trio) survey(ids []string) error {
	for i, id := range ids {
		at := c.nodes[i%len(c.nodes)]
		if err := at.lookup(id); !dead(err) {
			return fmt.Errorf("token %d of %d lives on %s after its tree was revoked: %w", i, len(ids), at.name, err)
		}
	}
	return nil
}
