package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// WriteJSON writes a result as one line.
func WriteJSON(w io.Writer, r Result) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// Table writes results for people, each as soon as it is there.
type Table struct {
	to   io.Writer
	null bool // with columns of the null server
	head bool // is written
}

// NewTable makes a table; null: with the figures of the null server beside.
func NewTable(w io.Writer, null bool) *Table { return &Table{to: w, null: null} }

// Write adds a result, and below it what is special about it.
func (t *Table) Write(r Result) error {
	var b strings.Builder
	if !t.head {
		t.head = true
		fmt.Fprintf(&b, "%-9s %7s %10s %10s %9s %9s %9s %9s %9s %9s %8s", "workload", "clients", "count", "per s", "mean ms", "p50", "p90", "p99", "p99.9", "max", "errors")
		if t.null {
			fmt.Fprintf(&b, " %10s %7s", "null per s", "ratio")
		}
		b.WriteByte('\n')
	}
	l := r.Latency
	fmt.Fprintf(&b, "%-9s %7d %10d %10.1f", r.Workload, r.Clients, r.Count, r.Rate)
	for _, ms := range []float64{l.Mean, l.P50, l.P90, l.P99, l.P999, l.Max} {
		fmt.Fprintf(&b, " %9s", millis(ms))
	}
	fmt.Fprintf(&b, " %8d", r.Errors)
	if r.Null != nil {
		fmt.Fprintf(&b, " %10.1f %7.3f", r.Null.Rate, r.Null.Ratio)
	}
	b.WriteByte('\n')
	for _, note := range r.notes() {
		fmt.Fprintf(&b, "  %s\n", note)
	}
	_, err := io.WriteString(t.to, b.String())
	return err
}

// millis writes milliseconds with about three digits.
func millis(ms float64) string {
	switch {
	case ms < 10:
		return fmt.Sprintf("%.2f", ms)
	case ms < 100:
		return fmt.Sprintf("%.1f", ms)
	}
	return fmt.Sprintf("%.0f", ms)
}

// notes are the lines below a row.
func (r *Result) notes() []string {
	var notes []string
	if len(r.ErrorsByClass) > 0 {
		var parts []string
		for _, class := range slices.Sorted(maps.Keys(r.ErrorsByClass)) {
			parts = append(parts, fmt.Sprintf("%d × %s", r.ErrorsByClass[class], class))
		}
		notes = append(notes, fmt.Sprintf("errors: %s; the first: %s", strings.Join(parts, ", "), r.FirstError))
	}
	if f := r.Tree; f != nil {
		notes = append(notes,
			fmt.Sprintf("revoking a parent of %d (depth %d): %s ms; building it: %.1f s", f.Descendants, f.Depth, millis(f.RevokeMillis), f.BuildSeconds),
			fmt.Sprintf("alive afterwards: %d of %d lookups on %d nodes, %d unverified; longest wait of bystanders: %s ms", f.Alive, f.Sampled, len(r.Nodes), f.Unverified, millis(r.Latency.Max)))
	}
	if f := r.Failover; f != nil {
		notes = append(notes, f.notes()...)
	}
	if r.Unsent > 0 {
		notes = append(notes, fmt.Sprintf("%d requests were due and not sent: the servers or the clients did not keep up with the rate", r.Unsent))
	}
	if r.Interrupted {
		notes = append(notes, fmt.Sprintf("interrupted after %.1f s", r.Seconds))
	}
	return notes
}

func (f *FailoverFigures) notes() []string {
	gap := fmt.Sprintf("longest gap between acknowledged writes: %s ms, %.1f s after the start", millis(f.LongestGap), f.GapAt)
	if f.KilledAt > 0 {
		gap += fmt.Sprintf(" (kill: %.1f s)", f.KilledAt)
	}
	return []string{
		gap,
		fmt.Sprintf("acknowledged: %d, lost: %d, unverified: %d", f.Acknowledged, f.Lost, f.Unverified),
		fmt.Sprintf("checks meanwhile: %d, failed: %d, refused: %d", f.Checks, f.ChecksFailed, f.ChecksRefused),
	}
}
