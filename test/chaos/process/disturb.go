package process

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
	"github.com/tokengrove/grove/test/chaos/target"
)

// fault is one thing that is done to the cluster, for a time, and undone.
type fault struct {
	kind string
	// leader: it is done to whoever leads; all: to all nodes at once; one: to all, one after the other; otherwise to
	// any one.
	leader, all, one bool
	weight           int
	do               func(c *Cluster, ctx context.Context, nodes []int, hold time.Duration) error
}

// faults is what can happen here, with how often it does.
var faults = []fault{
	{kind: "kill-leader", leader: true, weight: 6, do: kill},
	{kind: "kill", weight: 3, do: kill},
	{kind: "pause-leader", leader: true, weight: 5, do: pause},
	{kind: "pause", weight: 2, do: pause},
	{kind: "crash-all", all: true, weight: 2, do: kill},
	{kind: "pause-all", all: true, weight: 1, do: pause},
	{kind: "restart-storm", weight: 2, do: storm},
	{kind: "rolling-restart", one: true, weight: 1, do: restart},
	{kind: "step-down", leader: true, weight: 2, do: stepDown},
}

// Kinds returns the kinds of faults.
func Kinds() []string {
	var all []string
	for _, f := range faults {
		all = append(all, f.kind)
	}
	return all
}

// Disturb implements target.Target.
func (c *Cluster) Disturb(ctx context.Context, seed uint64, log *target.Log) error {
	r := rand.New(rand.NewPCG(seed, 0))
	for ctx.Err() == nil {
		rest(ctx, time.Duration(500+r.IntN(1500))*time.Millisecond)
		f := draw(r)
		victim, hold := r.IntN(size), time.Duration(200+r.IntN(2500))*time.Millisecond
		if ctx.Err() != nil {
			return nil
		}
		if err := c.inject(f, victim, hold, log); err != nil {
			return fmt.Errorf("%s: %w", f.kind, err)
		}
	}
	return nil
}

func draw(r *rand.Rand) fault {
	sum := 0
	for _, f := range faults {
		sum += f.weight
	}
	n := r.IntN(sum)
	for _, f := range faults {
		if n -= f.weight; n < 0 {
			return f
		}
	}
	return faults[0]
}

// inject does one fault and waits until the cluster is well again.
func (c *Cluster) inject(f fault, victim int, hold time.Duration, log *target.Log) error {
	ctx := context.Background() // what was begun is undone
	nodes := []int{victim}
	switch {
	case f.leader:
		nodes = []int{c.leader(ctx)}
	case f.all:
		nodes = []int{0, 1, 2}
	case f.one:
		f.one = false
		for i := range size {
			if err := c.inject(f, i, hold, log); err != nil {
				return err
			}
		}
		return nil
	}
	e := history.Event{Kind: f.kind, Nodes: nodes, Cut: nodes, Detail: hold.String()}
	if f.kind == "step-down" {
		e.Cut = nil
	}
	end := log.Begin(e)
	defer end()
	if err := f.do(c, ctx, nodes, hold); err != nil {
		return err
	}
	return await(ctx, "the nodes are well again", func() error {
		for _, n := range c.nodes {
			if err := c.well(ctx, n); err != nil {
				return err
			}
		}
		return nil
	})
}

func kill(c *Cluster, ctx context.Context, nodes []int, hold time.Duration) error {
	for _, n := range nodes {
		c.nodes[n].kill()
	}
	rest(ctx, hold)
	for _, n := range nodes {
		if err := c.nodes[n].start(); err != nil {
			return err
		}
	}
	return nil
}

func pause(c *Cluster, ctx context.Context, nodes []int, hold time.Duration) error {
	for _, n := range nodes {
		c.nodes[n].pause()
	}
	rest(ctx, hold)
	for _, n := range nodes {
		c.nodes[n].resume()
	}
	return nil
}

// storm kills a node again and again, whenever it has come up a little.
func storm(c *Cluster, ctx context.Context, nodes []int, hold time.Duration) error {
	for range 5 {
		if err := kill(c, ctx, nodes, hold/10); err != nil {
			return err
		}
		rest(ctx, hold/5)
	}
	return nil
}

// restart ends a node as an operator does, and starts it again.
func restart(c *Cluster, _ context.Context, nodes []int, _ time.Duration) error {
	for _, n := range nodes {
		if err := c.nodes[n].terminate(); err != nil {
			return err
		}
		if err := c.nodes[n].start(); err != nil {
			return err
		}
	}
	return nil
}

// stepDown makes the leader give up. That it does not want to right now is no error.
func stepDown(c *Cluster, ctx context.Context, nodes []int, _ time.Duration) error {
	if _, err := c.call(ctx, c.nodes[nodes[0]], "PUT", "sys/step-down", nil); err != nil {
		rest(ctx, 100*time.Millisecond)
	}
	return nil
}

// rest is a part of the schedule.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
