package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// trio is a cluster of three processes.
type trio struct {
	nodes []*node
	s     shape
	t     *table
}

// three measures a cluster: a node that joins and one that was down get the state by snapshot, and
// trees die.
func (o *options) three(t *table) error {
	c := &trio{t: t, s: shape{tokens: o.tree + o.chain + max(o.tree/10, 100) + 1, tree: o.tree, chain: o.chain}}
	defer func() {
		for _, n := range c.nodes {
			n.kill()
		}
	}()
	if err := c.form(o); err != nil {
		return fmt.Errorf("forming the cluster: %w", err)
	}
	if err := c.comeBack(); err != nil {
		return fmt.Errorf("the follower that was down: %w", err)
	}
	if err := c.checkChain(); err != nil {
		return fmt.Errorf("checking the chain: %w", err)
	}
	small, err := c.plant(o.children)
	if err != nil {
		return fmt.Errorf("planting the small tree: %w", err)
	}
	what := fmt.Sprintf("tree of %s through the API", number(o.children))
	if err := c.fell(what, small[0], small[1:], 10*time.Millisecond); err != nil {
		return fmt.Errorf("the small tree: %w", err)
	}
	for _, tree := range []struct {
		what        string
		top, n      int
		acknowledge time.Duration
	}{
		{"tree of " + number(c.s.tree), 1, c.s.tree + 1, 100 * time.Millisecond},
		{"chain of " + number(c.s.chain), c.s.chainTop(), c.s.chain, 100 * time.Millisecond},
	} {
		var below []string
		for i := 1; i <= 200; i++ {
			below = append(below, string(idOf(tree.top+i*(tree.n-1)/200)))
		}
		if err := c.fell(tree.what, string(idOf(tree.top)), below, tree.acknowledge); err != nil {
			return fmt.Errorf("the %s: %w", tree.what, err)
		}
	}
	return nil
}

// form starts one node with the state, and two that join it and get the state by snapshot.
func (c *trio) form(o *options) error {
	first, err := newNode(o.bin, o.dir, "n1", soon)
	if err != nil {
		return err
	}
	c.nodes = append(c.nodes, first)
	if err := first.found(); err != nil {
		return err
	}
	first.kill()
	if err := lay(first, c.s); err != nil {
		return err
	}
	if _, err := first.serve(); err != nil {
		return err
	}
	begin := time.Now()
	for _, name := range []string{"n2", "n3"} {
		n, err := newNode(o.bin, o.dir, name, soon, first)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, n)
		if err := n.start(); err != nil {
			return err
		}
	}
	err = until("three voters", func() (bool, error) {
		a, err := first.call("GET", "sys/storage/raft/configuration", first.root, nil)
		if err != nil {
			return false, nil // not now
		}
		return strings.Count(fmt.Sprint(a), "voter:true") == len(c.nodes) && c.answer(), nil
	})
	c.t.time(fmt.Sprintf("%s tokens: two nodes join and vote", number(c.s.tokens)), time.Since(begin), 0)
	return err
}

// answer reports whether all nodes serve the end of the chain.
func (c *trio) answer() bool {
	for _, n := range c.nodes {
		if n.lookup(string(idOf(c.s.chainEnd()))) != nil {
			return false
		}
	}
	return true
}

// leader returns the node that leads.
func (c *trio) leader() (*node, error) {
	var leads *node
	err := until("a leader", func() (bool, error) {
		for _, n := range c.nodes {
			if a, err := n.call("GET", "sys/leader", "", nil); err == nil && a["is_self"] == true {
				leads = n
				return true, nil
			}
		}
		return false, nil
	})
	return leads, err
}

// comeBack kills a follower, writes until the log that it misses is gone, and starts it again while
// writes go on. Every acknowledged token must be there.
func (c *trio) comeBack() error {
	leader, err := c.leader()
	if err != nil {
		return err
	}
	var follower *node
	var others []*node
	for _, n := range c.nodes {
		if n != leader && follower == nil {
			follower = n
			continue
		}
		others = append(others, n)
	}
	follower.kill()
	begin := time.Now()
	l := startLoad(clients, func(r *rand.Rand) (bool, string, error) {
		made, err := others[r.IntN(len(others))].create()
		return true, made, err
	})
	err = until("a snapshot of the leader", func() (bool, error) {
		es, err := leader.events(wrote, begin)
		return len(es) > 1, err // what it has missed lies before the first, and the log of that is cut
	})
	alone := l.took(true, begin, time.Now())
	back := time.Now()
	var took time.Duration
	if err == nil {
		took, err = follower.serve()
	}
	end := time.Now()
	if err := errors.Join(err, l.end()); err != nil {
		return err
	}
	installs, err := follower.events(restored, back)
	if err != nil {
		return err
	}
	if len(installs) == 0 {
		return errors.New("it did not restore any snapshot")
	}
	for _, id := range l.made[len(l.made)-min(len(l.made), 1000):] {
		if err := follower.lookup(id); err != nil {
			return fmt.Errorf("an acknowledged token is not there: %w", err)
		}
	}
	size := number(c.s.tokens)
	c.t.time(fmt.Sprintf("%s tokens: a follower that was down answers, by %d snapshots", size, len(installs)), took, 30*time.Second)
	c.t.time(size+" tokens: writes of others before that, longest", quantile(alone, 1), 0)
	c.t.time(size+" tokens: writes of others meanwhile, longest", quantile(l.took(true, back, end), 1), time.Second)
	return nil
}
