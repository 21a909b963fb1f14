package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/test/chaos/check"
	"github.com/tokengrove/grove/test/chaos/history"
)

// shownViolations is how many violations of a run are printed in full.
const shownViolations = 12

// report prints the timeline, the figures and the verdict.
func report(out io.Writer, h *history.History, r *check.Report) {
	timeline(out, h)
	figures(out, h, r)
	if len(r.Violations) == 0 {
		fmt.Fprintln(out, "\nVERDICT: every promise held")
		return
	}
	fmt.Fprintf(out, "\nVERDICT: BROKEN: %s\n", r.Count())
	for i, v := range append(r.FirstOf(), r.Violations...) {
		if i == shownViolations {
			fmt.Fprintf(out, "  … and %d more\n", len(r.Violations)-i)
			break
		}
		if len(v.Operations) > 8 {
			v.Operations = v.Operations[:8]
		}
		fmt.Fprintln(out, " ", v)
	}
}

// figures counts what happened.
func figures(out io.Writer, h *history.History, r *check.Report) {
	kinds, outcomes, faults := map[string]int{}, map[string]int{}, map[string]int{}
	failures := map[string]int{}
	var last time.Duration
	for i := range h.Operations {
		o := &h.Operations[i]
		kinds[o.Kind.String()]++
		outcomes[o.Outcome.String()]++
		last = max(last, o.Return)
		if o.Failed() {
			failures[fmt.Sprintf("%s %d", o.Outcome, o.Answer.Status)]++
		}
	}
	for _, e := range h.Events {
		faults[e.Kind]++
	}
	rate := 0.0
	if last > 0 {
		rate = float64(len(h.Operations)) / last.Seconds()
	}
	fmt.Fprintf(out, "\noperations  %d (%.0f/s): %s\n", len(h.Operations), rate, counts(kinds))
	fmt.Fprintf(out, "outcomes    %s\n", counts(outcomes))
	fmt.Fprintf(out, "failures    %s\n", counts(failures))
	fmt.Fprintf(out, "faults      %d of %d kinds: %s\n", len(h.Events), len(faults), counts(faults))
	fmt.Fprintf(out, "tokens      %d\n", r.Tokens)
	if a := h.Audit; a != nil {
		fmt.Fprintf(out, "audit       %d live tokens on %d nodes\n", len(a.Rows), len(a.Live))
	} else {
		fmt.Fprintln(out, "audit       none: the run did not get that far")
	}
	fmt.Fprintf(out, "porcupine   %d trees judged, %d not within its bounds, %d undecided in time\n", r.Trees, r.Skipped, r.Undecided)
}

func counts(m map[string]int) string {
	if len(m) == 0 {
		return "none"
	}
	keys := slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		if m[a] != m[b] {
			return m[b] - m[a]
		}
		return strings.Compare(a, b)
	})
	for i, k := range keys {
		keys[i] = fmt.Sprintf("%s %d", k, m[k])
	}
	return strings.Join(keys, ", ")
}

// columns is how wide a timeline is at most.
const columns = 100

// timeline draws throughput and faults over time: a column is a second, or more in long runs.
func timeline(out io.Writer, h *history.History) {
	var last time.Duration
	for i := range h.Operations {
		last = max(last, h.Operations[i].Return)
	}
	step := time.Second
	for last/step >= columns {
		step *= 2
	}
	n := int(last/step) + 1
	done, failed := make([]int, n), make([]int, n)
	for i := range h.Operations {
		o := &h.Operations[i]
		if o.Failed() {
			failed[o.Return/step]++
		} else {
			done[o.Return/step]++
		}
	}
	fmt.Fprintf(out, "\ntimeline: a column is %s; answers (a full block: %d/s), failures, faults by kind (# from begin to well again)\n",
		step, int(float64(slices.Max(done))/step.Seconds()))
	fmt.Fprintf(out, "  %-16s %s\n  %-16s %s\n", "answers", bars(done), "failures", bars(failed))
	kinds := map[string][]byte{}
	for _, e := range h.Events {
		row := kinds[e.Kind]
		if row == nil {
			row = []byte(strings.Repeat(".", n))
			kinds[e.Kind] = row
		}
		for i := int(e.From / step); i <= min(n-1, int(e.To/step)); i++ {
			row[i] = '#'
		}
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		fmt.Fprintf(out, "  %-16s %s\n", k, kinds[k])
	}
}

// bars draws numbers as a row of characters, the largest as the highest.
func bars(values []int) string {
	const levels = " .:-=+*%@"
	most := max(1, slices.Max(values))
	var b strings.Builder
	for _, v := range values {
		b.WriteByte(levels[(v*(len(levels)-1)+most-1)/most])
	}
	return b.String()
}
