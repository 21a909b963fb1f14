package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// stat is the middle and the ends of the repetitions.
type stat struct {
	median, low, high float64
	n                 int
}

func statOf(values []float64) stat {
	if len(values) == 0 {
		return stat{}
	}
	v := slices.Sorted(slices.Values(values))
	mid := v[len(v)/2]
	if len(v)%2 == 0 {
		mid = (v[len(v)/2-1] + mid) / 2
	}
	return stat{mid, v[0], v[len(v)-1], len(v)}
}

// show writes median and spread with so many decimals; "–" when nothing was measured.
func (s stat) show(decimals int) string {
	switch {
	case s.n == 0:
		return "–"
	case s.n == 1:
		return number(s.median, decimals)
	}
	return fmt.Sprintf("%s (%s–%s)", number(s.median, decimals), number(s.low, decimals), number(s.high, decimals))
}

// number writes x with commas between thousands.
func number(x float64, decimals int) string {
	whole, rest, _ := strings.Cut(fmt.Sprintf("%.*f", decimals, x), ".")
	var b strings.Builder
	for i, d := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 && whole[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	if rest != "" {
		b.WriteString("." + rest)
	}
	return b.String()
}

// values takes one figure of every repetition of k.
func (r *record) values(k key, of func(measurement) float64) stat {
	var all []float64
	for _, m := range r.of(k) { // order: statOf sorts
		all = append(all, of(m))
	}
	return statOf(all)
}

// ratio divides the rates of k by those of null of the same repetition.
func (r *record) ratio(k key) stat {
	base := k
	base.Target = null
	under := r.of(base)
	var all []float64
	for rep, m := range r.of(k) { // order: statOf sorts
		if n, ok := under[rep]; ok && n.Rate > 0 {
			all = append(all, m.Rate/n.Rate)
		}
	}
	return statOf(all)
}

func rateOf(m measurement) float64 { return m.Rate }
func p50Of(m measurement) float64  { return m.P50 }
func p99Of(m measurement) float64  { return m.P99 }

// has reports whether anything was measured with these links on this target.
func (r *record) has(links, target string) bool {
	return slices.ContainsFunc(r.Measurements, func(m measurement) bool { return m.Links == links && m.Target == target })
}

// columns are the targets of Grove that were measured.
func (r *record) columns(links string) []string {
	return slices.DeleteFunc([]string{one, leader, spread, devNode}, func(t string) bool { return !r.has(links, t) })
}

// markdown writes the whole page.
func (r *record) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s: grove %s, %s, %d cores, load generator (%s) and servers on the same machine, loopback, data on %s, %g s a measurement.\n",
		r.Date, cmp.Or(r.Commit, "of an unknown commit"), r.Go, r.Cores, r.Generator, cmp.Or(r.FileSystem, "an unknown file system"), r.Seconds)
	fmt.Fprintf(&b, "Median of %d repetition(s), (least–most). \"null\" is net/http and encoding/json with no work behind. Ratios are to null of the same\nrepetition. Nodes are processes of their own, each of three with GOMAXPROCS=%d, and their links are mutual TLS in both tables. Verdicts are of medians that are not rounded.\n", r.done(), r.Procs)
	r.warnings(&b)
	all := r.bars()
	failed := slices.DeleteFunc(slices.Clone(all), func(b bar) bool { return b.Pass })
	fmt.Fprintf(&b, "\n%d of %d bars are reached.\n", len(all)-len(failed), len(all))
	for _, links := range []string{plain, secure} {
		if r.has(links, null) {
			r.rates(&b, links)
			r.latencies(&b, links)
		}
	}
	r.oneClient(&b)
	r.felled(&b)
	return b.String()
}

// done is how many repetitions there are measurements of.
func (r *record) done() int {
	reps := map[int]bool{}
	for _, m := range r.Measurements {
		reps[m.Repetition] = true
	}
	return len(reps)
}

// warnings says what speaks against the figures.
func (r *record) warnings(b *strings.Builder) {
	if r.done() < 3 {
		b.WriteString("\n**NOT TO BE QUOTED: fewer than three repetitions.**\n")
	}
	if r.FileSystem == "tmpfs" {
		b.WriteString("\n**NOT TO BE QUOTED: the data are in memory; TMPDIR chooses another folder.**\n")
	}
	for _, x := range r.Rounds {
		if why := x.CPU.disturbed(); why != "" {
			fmt.Fprintf(b, "\n**DISTURBED: %s during repetition %d (%s); load average %.2f before, %.2f after.**\n", why, x.Repetition, x.Links, x.LoadBefore, x.LoadAfter)
		}
	}
	moved := 0
	for _, m := range r.Measurements {
		if m.Moved {
			moved++
		}
	}
	if moved > 0 {
		fmt.Fprintf(b, "\n**The leader changed during %d measurement(s) of \"leader\".**\n", moved)
	}
	if err := r.fault(); err != nil {
		fmt.Fprintf(b, "\n**%v**\n", err)
	}
}

func title(links string) string {
	return map[string]string{plain: "without TLS for clients", secure: "with TLS on every link"}[links]
}

// rates writes the table of throughput.
func (r *record) rates(b *strings.Builder, links string) {
	cols := r.columns(links)
	fmt.Fprintf(b, "\n### Requests per second, %s\n\n| workload | clients | null |", title(links))
	for _, c := range cols {
		fmt.Fprintf(b, " %s |", c)
	}
	for _, c := range cols {
		fmt.Fprintf(b, " %s / null |", c)
	}
	fmt.Fprintf(b, " bar | leader | all |\n%s\n", strings.Repeat("|---", 3+2*len(cols)+3)+"|")
	for _, c := range cells {
		k := key{links, null, c.workload, c.clients}
		fmt.Fprintf(b, "| %s | %d | %s |", c.workload, c.clients, r.values(k, rateOf).show(0))
		for _, k.Target = range cols {
			fmt.Fprintf(b, " %s |", r.values(k, rateOf).show(0))
		}
		for _, k.Target = range cols {
			fmt.Fprintf(b, " %s |", r.ratio(k).show(2))
		}
		b.WriteString(r.verdicts("≥", k, rateToNull) + "\n")
	}
}

// verdicts are the last columns of a row: the bar, and what leader and all make of it.
func (r *record) verdicts(sign string, k key, figure string) string {
	text, found := "", 0.0
	for _, k.Target = range []string{leader, spread} {
		if b, ok := r.bar(k, figure); ok {
			found = b.Bar
			text += " " + b.verdict() + " |"
		} else {
			text += " – |"
		}
	}
	if found == 0 {
		return " – | – | – |"
	}
	return fmt.Sprintf(" %s %g |%s", sign, found, text)
}

// latencies writes the table of p99.
func (r *record) latencies(b *strings.Builder, links string) {
	cols := append([]string{null}, r.columns(links)...)
	fmt.Fprintf(b, "\n### p99 in ms, %s\n\n| workload | clients |", title(links))
	for _, c := range cols {
		fmt.Fprintf(b, " %s |", c)
	}
	fmt.Fprintf(b, " bar | leader | all |\n%s\n", strings.Repeat("|---", 2+len(cols)+3)+"|")
	for _, c := range cells {
		k := key{links, null, c.workload, c.clients}
		fmt.Fprintf(b, "| %s | %d |", c.workload, c.clients)
		for _, k.Target = range cols {
			fmt.Fprintf(b, " %s |", r.values(k, p99Of).show(1))
		}
		b.WriteString(r.verdicts("<", k, p99Millis) + "\n")
	}
}

// oneClient writes what a client alone waits for, and of what that consists.
func (r *record) oneClient(b *strings.Builder) {
	fmt.Fprintf(b, "\n### One client alone, median latency in µs\n\n| what | p50 | bar | |\n|---|---|---|---|\n")
	bare, own, ratio := r.aloneStats()
	if ratio.n > 0 {
		fmt.Fprintf(b, "| a bare raft.Apply of 200 B on three nodes in one process | %s | | |\n", bare.show(0))
		fmt.Fprintf(b, "| a create through the leader's Propose, likewise | %s | | |\n", own.show(0))
		v, _ := r.bar(key{}, latencyToBare)
		fmt.Fprintf(b, "| Propose / bare | %s | ≤ %g | %s |\n", ratio.show(2), aloneBar, v.verdict())
	}
	for _, links := range []string{plain, secure} {
		for _, t := range append([]string{null}, r.columns(links)...) {
			s := r.values(key{links, t, "create", 1}, func(m measurement) float64 { return 1000 * p50Of(m) })
			if s.n > 0 {
				fmt.Fprintf(b, "| a create over HTTP, %s: %s | %s | | |\n", title(links), t, s.show(0))
			}
		}
	}
}

// felled writes the table of trees.
func (r *record) felled(b *strings.Builder) {
	if len(r.Trees) == 0 {
		return
	}
	b.WriteString("\n### Revoking a parent\n\n| descendants | on | links | revoked in ms | bystanders' p99 ms | bystanders' longest ms | survivors |\n|---|---|---|---|---|---|---|\n")
	type row struct {
		n             int
		target, links string
	}
	rows := map[row][]tree{}
	for _, t := range r.Trees {
		k := row{t.Descendants, t.Target, t.Links}
		rows[k] = append(rows[k], t)
	}
	order := func(x, y row) int {
		return cmp.Or(cmp.Compare(x.n, y.n), cmp.Compare(x.links, y.links), cmp.Compare(x.target, y.target))
	}
	for _, k := range slices.SortedFunc(maps.Keys(rows), order) {
		var revoke, p99, most []float64
		alive := 0
		for _, t := range rows[k] {
			revoke, p99, most = append(revoke, t.Revoke), append(p99, t.BystanderP99), append(most, t.BystanderMax)
			alive += t.Alive
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %d |\n", number(float64(k.n), 0), k.target, k.links, statOf(revoke).show(1), statOf(p99).show(1), statOf(most).show(1), alive)
	}
}
