package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/test/chaos/check"
	"github.com/tokengrove/grove/test/chaos/compose"
	"github.com/tokengrove/grove/test/chaos/history"
	"github.com/tokengrove/grove/test/chaos/load"
	"github.com/tokengrove/grove/test/chaos/process"
	"github.com/tokengrove/grove/test/chaos/target"
)

// kind makes a target whose files are in dir. skew is how far it lets the clocks of its nodes drift.
type kind struct {
	make func(o options, dir string) (target.Target, error)
	skew time.Duration
}

// targets is what can be broken.
var targets = map[string]*kind{
	"process": {make: func(o options, dir string) (target.Target, error) {
		bin, err := binary(o, dir)
		if err != nil {
			return nil, err
		}
		return process.New(bin, dir)
	}, skew: time.Second},
	"compose": {make: newCompose, skew: compose.Skew},
}

func targetNames() string { return strings.Join(slices.Sorted(maps.Keys(targets)), ", ") }

// binary returns the server to run, which is built into dir unless there is one.
func binary(o options, dir string) (string, error) {
	if o.binary != "" {
		return o.binary, nil
	}
	return build(filepath.Join(dir, "grove"))
}

// build compiles the server, with more arguments for go build.
func build(bin string, args ...string) (string, error) {
	args = append(append([]string{"build", "-o", bin}, args...), "github.com/tokengrove/grove/cmd/grove")
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return bin, nil
}

// settle is how long the load goes on after everything is healed.
const settle = 2 * time.Second

// searchBudget is how long porcupine may take for a whole run.
const searchBudget = 5 * time.Minute

// record is one run: a cluster, load and faults, and what came of it.
func record(ctx context.Context, o options, dir string, out io.Writer) (h *history.History, err error) {
	t, err := targets[o.target].make(o, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.Stop()) }()
	fmt.Fprintf(out, "chaos: target %s, %s, seed %d, %d clients\n", o.target, o.duration, o.seed, o.clients)
	root, err := t.Start(ctx)
	if err != nil {
		return nil, fmt.Errorf("starting the cluster: %w", err)
	}
	head := history.Header{Target: o.target, Seed: o.seed, Duration: o.duration, Skew: max(o.skew, targets[o.target].skew)}
	for _, n := range t.Nodes() {
		head.Nodes = append(head.Nodes, n.Name)
	}
	w, err := history.Make(filepath.Join(dir, "history.zst"), head)
	if err != nil {
		return nil, err
	}
	var a *history.Audit
	a, err = disturb(ctx, o, t, root, w, out)
	h, failure := w.Close(a)
	return h, errors.Join(err, failure)
}

// disturb runs load and faults side by side, heals, and audits.
func disturb(ctx context.Context, o options, t target.Target, root string, w *history.Writer, out io.Writer) (*history.Audit, error) {
	clock := target.NewClock()
	l, err := load.New(ctx, load.Config{Nodes: t.Nodes(), Root: root, Clients: o.clients, Rate: o.rate, Seed: o.seed, Clock: clock, Writer: w})
	if err != nil {
		return nil, err
	}
	defer l.Close()
	loading, stopLoad := context.WithCancel(ctx)
	defer stopLoad()
	loaded := make(chan struct{})
	go func() { l.Run(loading); close(loaded) }()
	shown := make(chan struct{})
	go func() { progress(loading, l, clock, out, o.quiet); close(shown) }()
	breaking, stopBreaking := context.WithTimeout(ctx, o.duration)
	defer stopBreaking()
	log := target.NewLog(clock, w)
	failure := t.Disturb(breaking, o.seed, log)
	if failure == nil {
		failure = t.Heal(ctx)
	}
	log.Close()
	wait(ctx, settle)
	stopLoad()
	<-loaded
	<-shown
	if failure != nil {
		return nil, failure
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return l.Audit(ctx)
}

// progress prints a line now and then.
func progress(ctx context.Context, l *load.Load, clock target.Clock, out io.Writer, quiet bool) {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if p := l.Progress(); !quiet {
			fmt.Fprintf(out, "%6.0f s  %8d operations, %d without an answer or refused with 503\n", clock.Now().Seconds(), p.Operations, p.Failed)
		}
	}
}

// wait is a part of the run.
func wait(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// folder returns where a run keeps its files, and what removes it after a good run.
func folder(o options) (dir string, remove func(), err error) {
	if o.out != "" {
		return o.out, func() {}, os.MkdirAll(o.out, 0o700)
	}
	dir, err = os.MkdirTemp("", "grove-chaos")
	return dir, func() { os.RemoveAll(dir) }, err
}

// chaos is one run with its verdict.
func chaos(ctx context.Context, o options, out io.Writer) (bool, error) {
	dir, remove, err := folder(o)
	if err != nil {
		return false, err
	}
	h, err := record(ctx, o, dir, out)
	if err != nil {
		return false, fmt.Errorf("%w\nhistory and logs: %s\nthe same again: %s", err, dir, command(o))
	}
	r := verdict(o, h)
	report(out, h, r)
	if len(r.Violations) > 0 {
		fmt.Fprintf(out, "history and logs: %s\nthe same again: %s\n", dir, command(o))
		return false, nil
	}
	remove()
	return true, nil
}

// command repeats a run: its faults, that is; what the clients meet is up to the machine.
func command(o options) string {
	return fmt.Sprintf("go run ./test/chaos -target=%s -duration=%s -seed=%d -clients=%d -rate=%d%s", o.target, o.duration, o.seed, o.clients, o.rate, o.compose.arguments(o.target))
}

// judge judges a history that was kept.
func judge(o options, out io.Writer) (bool, error) {
	h, err := history.Read(o.judge.file)
	if err != nil {
		if h == nil || len(h.Operations) == 0 {
			return false, err
		}
		fmt.Fprintf(out, "the history is cut off: %v\n", err)
	}
	r := verdict(o, h)
	report(out, h, r)
	return len(r.Violations) == 0, nil
}

// verdict runs all checkers and drops what is not to be judged.
func verdict(o options, h *history.History) *check.Report {
	r := check.Run(h, check.FromEvents(h.Events, len(h.Header.Nodes)), searchBudget)
	r.Violations = slices.DeleteFunc(r.Violations, func(v check.Violation) bool {
		return slices.Contains(strings.Split(o.judge.without, ","), v.Promise)
	})
	return r
}
