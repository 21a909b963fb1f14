package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/test/chaos/check"
	"github.com/tokengrove/grove/test/chaos/history"
)

// bug is a mistake that fsm/planted puts into a server.
type bug struct {
	name, what string
	// promises are those of which at least one has to be found broken.
	promises []string
}

// bugs is every planted mistake.
var bugs = []bug{
	{"running-round", "a read takes an index that was asked for before it came (verify before index)", []string{"P3", "P4", "P6", "lin", "lost"}},
	{"stale-index", "a read waits for an index that is three entries old", []string{"P3", "P4", "P6", "lin", "lost"}},
	{"no-barrier", "reads have no barrier", []string{"P3", "P4", "P6", "lost", "lin"}},
	{"local-denial", "a follower believes its own denial without a barrier", []string{"lost"}},
	{"early-ack", "a revocation is answered before it is committed", []string{"P3", "P4"}},
	{"revoke-alone", "a revocation leaves the descendants alive", []string{"P3", "P4"}},
	{"prefix-below", "revoke-prefix misses the tokens at the prefix itself", []string{"P3", "P4"}},
	{"child-of-the-dead", "a creation that comes after its parent's death is accepted", []string{"P3", "P4"}},
	{"twice-on-resend", "the machine applies what it has a result for", []string{"P1", "P2", "P5", "lin", "lost"}},
	{"renumber-on-resend", "the edge gives what it sends again a new number", []string{"P1", "P2", "P5", "lin", "lost"}},
	{"free-read", "a read by a limited token is not charged", []string{"P1"}},
	{"last-use-again", "a token whose uses are gone is served", []string{"P1"}},
	{"uses-restored", "a snapshot brings uses back", []string{"P1", "P6", "lin"}},
	{"late-deadline", "a token lives ten times its TTL", []string{"P9"}},
	{"no-patience", "a node without a leader refuses at once", []string{"P10"}},
}

// tries are how long a planted bug may hide, in runs of their own.
var tries = []time.Duration{12 * time.Second, 30 * time.Second, 60 * time.Second}

// found is what became of one bug.
type found struct {
	bug
	report     *check.Report
	promise    string // that was broken
	violations int
	operations uint64        // until the first proof was complete
	after      time.Duration // likewise
	faults     int
	failure    error
}

// plant runs every planted bug and prints a table; false: one was not found.
func plant(ctx context.Context, o options, out io.Writer) (bool, error) {
	dir, remove, err := folder(o)
	if err != nil {
		return false, err
	}
	o.target, o.quiet = "process", true
	good := true
	fmt.Fprintln(out, "| planted bug | found by | violations | operations until proven | seconds | faults |")
	fmt.Fprintln(out, "|---|---|---|---|---|---|")
	for _, b := range bugs {
		if o.planted.only != "" && o.planted.only != b.name {
			continue
		}
		f, err := b.hunt(ctx, o, filepath.Join(dir, b.name))
		if err != nil {
			return false, err
		}
		if f.promise == "" {
			good = false
			fmt.Fprintf(out, "| %s: %s | **NOT FOUND** (%v) | | | | |\n", b.name, b.what, f.failure)
			continue
		}
		fmt.Fprintf(out, "| %s: %s | %s | %d | %d | %.1f | %d |\n", b.name, b.what, f.promise, f.violations, f.operations, f.after.Seconds(), f.faults)
	}
	if good {
		remove()
	}
	return good, nil
}

// hunt builds the server with the bug and runs it until it is found, or the tries are over.
func (b bug) hunt(ctx context.Context, o options, dir string) (found, error) {
	f := found{bug: b}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return f, err
	}
	bin, err := build(filepath.Join(dir, "grove"), "-tags", "planted", "-ldflags", "-X github.com/tokengrove/grove/fsm/planted.bug="+b.name)
	if err != nil {
		return f, err
	}
	defer os.Remove(bin)
	for i, d := range tries {
		run := filepath.Join(dir, fmt.Sprint(i+1))
		if err := os.MkdirAll(run, 0o700); err != nil {
			return f, err
		}
		try := o
		try.binary, try.duration, try.seed = bin, d, o.seed+uint64(i)
		h, err := record(ctx, try, run, io.Discard)
		f.failure = err // a server that stops itself is no excuse for the checkers
		if ctx.Err() != nil {
			return f, ctx.Err()
		}
		if h != nil && f.judge(h) {
			return f, nil
		}
	}
	return f, nil
}

// judge looks for what the bug has to break, and where the first proof is.
func (f *found) judge(h *history.History) bool {
	f.report = check.Run(h, check.FromEvents(h.Events, len(h.Header.Nodes)), 30*time.Second)
	returns := map[uint64]time.Duration{}
	for i := range h.Operations {
		returns[h.Operations[i].Number] = h.Operations[i].Return
	}
	var broken []string
	var end time.Duration
	for _, r := range returns {
		end = max(end, r)
	}
	first := end
	for _, v := range f.report.Violations {
		if !slices.Contains(f.promises, v.Promise) {
			continue
		}
		f.violations++
		if !slices.Contains(broken, v.Promise) {
			broken = append(broken, v.Promise)
		}
		proven := time.Duration(0)
		for _, n := range v.Operations {
			proven = max(proven, returns[n])
		}
		if len(v.Operations) == 0 && h.Audit != nil {
			proven = h.Audit.At
		}
		first = min(first, proven)
	}
	for _, r := range returns {
		if r <= first {
			f.operations++
		}
	}
	f.after += first // the tries before count, too
	for _, e := range h.Events {
		if e.From <= first {
			f.faults++
		}
	}
	slices.Sort(broken)
	f.promise = strings.Join(broken, ", ")
	return len(broken) > 0
}
