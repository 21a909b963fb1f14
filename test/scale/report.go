package scale

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/tokengrove/grove/test/scale/chart"
)

// rows are the lines of the table, in its order.
var rows = []struct{ title, name string }{
	{"create, entries of 64", "create apply"}, {"use", "use apply"}, {"renew", "renew apply"}, {"revoke one", "revoke apply"},
	{"create alone, p99", "create p99"}, {"use alone, p99", "use p99"}, {"renew alone, p99", "renew p99"}, {"revoke alone, p99", "revoke p99"},
	{"lookup, p99", "lookup p99"},
	{"live heap a token", "heap per token"}, {"resident a token", "resident per token"},
	{"GC pause, p99", "gc pause p99"}, {"GC cycle", "gc cycle"}, {"apply beside GC, p99", "apply p99 beside gc"},
	{"freeze (pause of a snapshot), longest of 9", "freeze max"}, {"apply after a freeze, p99", "apply p99 after a freeze"},
	{"apply beside a snapshot's writing, p50", "apply p50 beside write"}, {"… p99", "apply p99 beside write"}, {"… longest", "apply max beside write"},
	{"write a snapshot", "write"}, {"… with writers beside", "write beside apply"}, {"snapshot a token", "snapshot per token"}, {"restore to ready", "restore"},
	{"revoke the giant tree (half of all): acknowledged", "tree revoke"}, {"… longest apply of others meanwhile", "tree longest apply of others"}, {"… reclaimed after", "tree reclaim"},
	{"revoke a prefix (a quarter of all): acknowledged", "prefix revoke"}, {"… longest apply of others meanwhile", "prefix longest apply of others"}, {"… reclaimed after", "prefix reclaim"},
	{"chain: create", "chain create"}, {"… check its end", "chain check"}, {"… check its end while others are reclaimed", "chain check while reclaiming"},
	{"… revoke its top: acknowledged", "chain revoke"}, {"… longest apply of others meanwhile", "chain longest apply of others"},
}

// sizesOf returns the sizes that figures speak of, ascending.
func (fs Figures) sizes() []int {
	var ns []int
	for _, f := range fs.All {
		if f.Tokens > 0 {
			ns = append(ns, f.Tokens)
		}
	}
	slices.Sort(ns)
	return slices.Compact(ns)
}

// Table is the Markdown table of measured figures, a column a size.
func (fs Figures) Table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured: %s.\n\n| |", fs.Origin)
	for _, n := range fs.sizes() {
		fmt.Fprintf(&b, " %s tokens |", count(n))
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(fs.sizes())) + "\n")
	for _, row := range rows {
		fmt.Fprintf(&b, "| %s |", row.title)
		for _, n := range fs.sizes() {
			f, ok := fs.Of(row.name, n)
			if !ok {
				b.WriteString(" – |")
				continue
			}
			fmt.Fprintf(&b, " %s |", f)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// CostTable is the Markdown table of the figures that have no size.
func (fs Figures) CostTable() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured: %s.\n\n| constant | value |\n|---|---|\n", fs.Origin)
	for _, f := range fs.All {
		if f.Tokens == 0 {
			fmt.Fprintf(&b, "| %s | %s |\n", f.Name, f)
		}
	}
	return b.String()
}

// String is the value with three digits and its unit; times get the unit that reads best.
func (f Figure) String() string {
	v, unit := f.Value, f.Unit
	switch {
	case unit == "µs" && v >= 1000:
		v, unit = v/1000, "ms"
	case unit == "ms" && v < 1:
		v, unit = v*1000, "µs"
	case unit == "B" && v >= 1e6:
		v, unit = v/1e6, "MB"
	case unit == "/s" && v >= 10_000:
		return fmt.Sprintf("%.0f k%s", v/1000, unit)
	}
	if unit == "ms" && v >= 10_000 {
		v, unit = v/1000, "s"
	}
	return strings.TrimSpace(digits(v) + " " + unit)
}

// digits writes three significant digits, and all before the point.
func digits(v float64) string {
	if v == 0 {
		return "0"
	}
	after := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return fmt.Sprintf("%.*f", max(after, 0), v)
}

// count writes 10000 as 10 k and 5000000 as 5 M.
func count(n int) string {
	switch {
	case n >= 1e6 && n%1e5 == 0:
		return fmt.Sprintf("%g M", float64(n)/1e6)
	case n >= 1e3 && n%1e2 == 0:
		return fmt.Sprintf("%g k", float64(n)/1e3)
	}
	return fmt.Sprint(n)
}

// line draws one figure over the sizes.
func (fs Figures) line(title, name string) chart.Line {
	l := chart.Line{Name: title}
	for _, n := range fs.sizes() {
		if f, ok := fs.Of(name, n); ok && f.Value > 0 {
			l.Points = append(l.Points, chart.Point{X: float64(n), Y: f.Value})
		}
	}
	return l
}

// Charts are the plots of measured figures by the name of their file.
func (fs Figures) Charts() map[string]chart.Chart {
	const tokens = "tokens in the forest"
	over := func(title, y string, log bool, ls ...chart.Line) chart.Chart {
		return chart.Chart{Title: title + " (measured)", X: tokens, Y: y, LogX: true, LogY: log, Lines: ls}
	}
	return map[string]chart.Chart{
		"scale-apply.svg": over("Apply of one machine, entries of 64", "commands / s", false,
			fs.line("create", "create apply"), fs.line("use", "use apply"), fs.line("renew", "renew apply"), fs.line("revoke", "revoke apply")),
		"scale-memory.svg": over("Memory", "bytes / token", false,
			fs.line("live heap", "heap per token"), fs.line("resident", "resident per token"), fs.line("snapshot on disk", "snapshot per token")),
		"scale-pause.svg": over("What a request may wait for", "µs", true,
			fs.line("GC pause, p99", "gc pause p99"), fs.line("freeze, longest", "freeze max"),
			fs.line("apply beside snapshot, p99", "apply p99 beside write"), fs.line("apply beside snapshot, longest", "apply max beside write")),
		"scale-snapshot.svg": over("Snapshot", "ms", true, fs.line("write", "write"), fs.line("write, writers beside", "write beside apply"), fs.line("restore", "restore")),
		"scale-revoke.svg": over("Death of a tree (half of all) and a prefix (a quarter)", "ms", true,
			fs.line("tree acknowledged", "tree revoke"), fs.line("longest apply of others", "tree longest apply of others"), fs.line("reclaimed", "tree reclaim"),
			fs.line("prefix acknowledged", "prefix revoke"), fs.line("longest apply of others (prefix)", "prefix longest apply of others")),
	}
}
