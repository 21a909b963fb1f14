package compose

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tokengrove/grove/test/chaos/fault"
)

// victim is a Cluster as faults see it. It implements fault.Cluster.
type victim Cluster

// harm is how a kind of fault is done and taken back.
type harm struct {
	inject, heal func(v *victim, ctx context.Context, s fault.Step) error
}

var harms = map[string]harm{
	fault.Kill:           {(*victim).killAll, (*victim).bootAll},
	fault.Blackout:       {(*victim).killAll, (*victim).bootAll},
	fault.Pause:          {each("pause"), each("unpause")},
	fault.Partition:      {(*victim).cut, (*victim).mend},
	fault.Deaf:           {(*victim).cut, (*victim).mend},
	fault.Mute:           {(*victim).cut, (*victim).mend},
	fault.Bridge:         {(*victim).cut, (*victim).mend},
	fault.Ring:           {(*victim).cut, (*victim).mend},
	fault.Slow:           {(*victim).slow, (*victim).hasten},
	fault.Lossy:          {(*victim).lose, (*victim).mend},
	fault.DiskFull:       {(*victim).fill, (*victim).free},
	fault.Clock:          {(*victim).jump, (*victim).jumpBack},
	fault.RestartStorm:   {(*victim).storm, (*victim).bootAll},
	fault.RollingRestart: {each("stop", "-t", "20"), (*victim).bootAll},
	fault.Replace:        {(*victim).remove, (*victim).rejoin},
	fault.Transfer:       {(*victim).transfer, nil},
}

// Inject implements fault.Cluster.
func (v *victim) Inject(ctx context.Context, s fault.Step) error {
	return harms[s.Kind].inject(v, ctx, s)
}

// Heal implements fault.Cluster.
func (v *victim) Heal(ctx context.Context, s fault.Step) error {
	if heal := harms[s.Kind].heal; heal != nil {
		return heal(v, ctx, s)
	}
	return nil
}

// Leader implements fault.Cluster.
func (v *victim) Leader(ctx context.Context) int {
	leads := make([]bool, len(v.nodes))
	var wg sync.WaitGroup
	for i, n := range v.nodes {
		wg.Go(func() { leads[i] = n.leads(ctx) })
	}
	wg.Wait()
	for i, l := range leads {
		if l {
			return i
		}
	}
	return -1
}

// Await implements fault.Cluster: a node that looks the root token up has asked the leader for an
// index, and has applied as far.
func (v *victim) Await(ctx context.Context, nodes []int) error {
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() {
			errs[i] = await(ctx, v.nodes[n].name+" answers", func() error {
				return v.nodes[n].call(ctx, http.MethodGet, "auth/token/lookup-self", v.token, nil, nil)
			})
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// all does something to all nodes of a step at the same time.
func (v *victim) all(s fault.Step, do func(n *node) error) error {
	errs := make([]error, len(s.Nodes))
	var wg sync.WaitGroup
	for i, n := range s.Nodes {
		wg.Go(func() { errs[i] = do(v.nodes[n]) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// each is a harm that a command of Docker does to each node.
func each(command ...string) func(v *victim, ctx context.Context, s fault.Step) error {
	return func(v *victim, ctx context.Context, s fault.Step) error {
		return v.all(s, func(n *node) error {
			_, err := run(ctx, "docker", append(append([]string{}, command...), n.box)...)
			return err
		})
	}
}

func (v *victim) killAll(ctx context.Context, s fault.Step) error {
	return v.all(s, func(n *node) error { return n.kill(ctx) })
}

func (v *victim) bootAll(ctx context.Context, s fault.Step) error {
	return v.all(s, func(n *node) error { return v.boot(ctx, n) })
}

func (v *victim) cut(ctx context.Context, s fault.Step) error {
	return v.net.cut(ctx, s.Number, s.Cuts(len(v.nodes)))
}

func (v *victim) mend(ctx context.Context, s fault.Step) error {
	return v.net.set(ctx, s.Number, nil)
}

// lose loses 3 to 27 % of what the node sends, and of what it gets.
func (v *victim) lose(ctx context.Context, s fault.Step) error {
	p := 0.03 + float64(s.Level)/400
	return v.net.each(ctx, s.Number, v.nodes[s.Nodes[0]], fmt.Sprintf("-m statistic --mode random --probability %.3f -j DROP", p))
}

// slow delays by 10 to 208 ms, each way, give or take a quarter.
func (v *victim) slow(ctx context.Context, s fault.Step) error {
	n := v.nodes[s.Nodes[0]]
	pid, err := n.pid(ctx)
	if err != nil {
		return err
	}
	d, err := delay(pid, time.Duration(10+2*s.Level)*time.Millisecond)
	if err != nil {
		return fmt.Errorf("delaying packets of %s: %w", n.name, err)
	}
	v.mu.Lock()
	v.delays[s.Number] = d
	v.mu.Unlock()
	return v.net.each(ctx, s.Number, n, "-j NFQUEUE --queue-num 0 --queue-bypass")
}

func (v *victim) hasten(ctx context.Context, s fault.Step) error {
	err := v.mend(ctx, s)
	v.mu.Lock()
	d := v.delays[s.Number]
	delete(v.delays, s.Number)
	v.mu.Unlock()
	if d != nil {
		d.close()
	}
	return err
}

// fill fills the disk. Half of the time the node is started again with it full.
func (v *victim) fill(ctx context.Context, s fault.Step) error {
	n := v.nodes[s.Nodes[0]]
	if err := n.fill(); err != nil || s.Level < 50 {
		return err
	}
	if err := n.kill(ctx); err != nil {
		return err
	}
	return v.boot(ctx, n)
}

func (v *victim) free(ctx context.Context, s fault.Step) error {
	n := v.nodes[s.Nodes[0]]
	return errors.Join(n.free(), v.undo(ctx, n))
}

// offsets are jumps within what clocks may differ, and beyond it.
var offsets = []time.Duration{-60 * time.Second, -15 * time.Second, -8 * time.Second, -3 * time.Second, 3 * time.Second, 8 * time.Second, 15 * time.Second, 60 * time.Second}

// Skew bounds how far the clock of a node is off in a run. No two are at the same time.
const Skew = 61 * time.Second

func (v *victim) jump(_ context.Context, s fault.Step) error {
	return v.nodes[s.Nodes[0]].shift(offsets[s.Level%len(offsets)])
}

func (v *victim) jumpBack(_ context.Context, s fault.Step) error {
	return v.nodes[s.Nodes[0]].shift(0)
}

// storm starts the node and kills it 0.1 to 0.6 s later, two to four times.
func (v *victim) storm(ctx context.Context, s fault.Step) error {
	n := v.nodes[s.Nodes[0]]
	for range 2 + s.Level%3 {
		err := n.kill(ctx)
		if err == nil {
			err = v.boot(ctx, n)
		}
		if err == nil {
			err = pause(ctx, time.Duration(100+5*s.Level)*time.Millisecond)
		}
		if err != nil {
			return err
		}
	}
	return n.kill(ctx)
}

// transfer makes the leader step down, one to three times.
func (v *victim) transfer(ctx context.Context, s fault.Step) error {
	for range 1 + s.Level%3 {
		if l := v.Leader(ctx); l >= 0 {
			err := v.nodes[l].call(ctx, http.MethodPut, "sys/step-down", v.token, nil, nil)
			if err != nil && !strings.Contains(err.Error(), "503") { // it lost leadership by itself just now
				return err
			}
		}
		if err := pause(ctx, 300*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// undo makes a node run: thawed, with room, and with its clock right.
func (v *victim) undo(ctx context.Context, n *node) error {
	state, err := run(ctx, "docker", "inspect", "-f", "{{.State.Status}}", n.box)
	if err == nil && state == "paused" {
		_, err = run(ctx, "docker", "unpause", n.box)
	}
	err = errors.Join(err, n.free(), n.shift(0))
	if state == "restarting" { // Docker waits longer each time; do not
		err = errors.Join(err, n.kill(ctx))
	}
	if state != "running" && state != "paused" {
		err = errors.Join(err, v.boot(ctx, n))
	}
	return err
}
