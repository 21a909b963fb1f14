package main

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

func TestStat(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values   []float64
		decimals int
		want     string
	}{
		{nil, 0, "–"},
		{[]float64{7}, 1, "7.0"},
		{[]float64{3, 1, 2}, 0, "2 (1–3)"},
		{[]float64{4, 1, 2, 3}, 1, "2.5 (1.0–4.0)"},
		{[]float64{1234567, 999, 12345}, 0, "12,345 (999–1,234,567)"},
	} {
		if got := statOf(c.values).show(c.decimals); got != c.want {
			t.Errorf("%v: %q, want %q", c.values, got, c.want)
		}
	}
	if got := number(-123456.75, 2); got != "-123,456.75" {
		t.Errorf("%q", got)
	}
}

// sample is a record of three repetitions in which Grove always reaches the given ratios to null, while
// the machine gets slower.
func sample(ratios ...float64) *record {
	r := newRecord(options{repetitions: 3, duration: time.Second, generator: "x", commit: "abc"})
	for i, ratio := range ratios {
		rep := i + 1
		for _, c := range cells {
			for _, t := range []string{null, one, leader, spread} {
				m := measurement{Repetition: rep, key: key{plain, t, c.workload, c.clients}}
				m.Count, m.P99, m.Rate = 1, 20, 10_000/float64(rep)
				if t != null {
					m.Rate *= ratio
				}
				r.Measurements = append(r.Measurements, m)
			}
		}
	}
	return r
}

// row is the first line of text that begins so.
func row(t *testing.T, text, begin string) string {
	t.Helper()
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, begin) {
			return strings.TrimSpace(line)
		}
	}
	t.Fatalf("no line begins with %q in\n%s", begin, text)
	return ""
}

func TestMarkdown(t *testing.T) {
	t.Parallel()
	r := sample(0.5, 0.3, 0.25)
	r.Alone = []alone{{1, bareApply, 400}, {1, propose, 600}, {2, bareApply, 500}, {2, propose, 800}}
	r.Trees = []tree{{1, plain, one, 3000, 1, 2, 0, 0.5, 4}, {2, plain, one, 3000, 1, 4, 0, 0.7, 8}}
	text := r.markdown()
	for begin, want := range map[string]string{
		"| create | 32 |":    "| create | 32 | 5,000 (3,333–10,000) | 1,500 (833–5,000) | 1,500 (833–5,000) | 1,500 (833–5,000) | 0.30 (0.25–0.50) | 0.30 (0.25–0.50) | 0.30 (0.25–0.50) | ≥ 0.3 | pass | pass |",
		"| lookup | 32 |":    "| lookup | 32 | 5,000 (3,333–10,000) | 1,500 (833–5,000) | 1,500 (833–5,000) | 1,500 (833–5,000) | 0.30 (0.25–0.50) | 0.30 (0.25–0.50) | 0.30 (0.25–0.50) | ≥ 0.7 | **FAIL** | **FAIL** |",
		"| Propose / bare |": "| Propose / bare | 1.55 (1.50–1.60) | ≤ 1.5 | **FAIL** |",
		"| 3,000 |":          "| 3,000 | 1 node | plain | 3.0 (2.0–4.0) | 0.6 (0.5–0.7) | 6.0 (4.0–8.0) | 0 |",
	} {
		if got := row(t, text, begin); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	latencies := text[strings.Index(text, "### p99"):]
	if got, want := row(t, latencies, "| mixed | 32 |"), "| mixed | 32 | 20.0 (20.0–20.0) | 20.0 (20.0–20.0) | 20.0 (20.0–20.0) | 20.0 (20.0–20.0) | < 25 | pass | pass |"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if strings.Contains(text, "QUOTED") || strings.Contains(text, "DISTURBED") || strings.Contains(text, title(secure)) {
		t.Errorf("three quiet repetitions without TLS are:\n%s", text)
	}
	for table := range strings.SplitSeq(text, "\n\n") {
		lines := strings.Split(strings.TrimSpace(table), "\n")
		for _, line := range lines {
			if strings.HasPrefix(line, "|") && strings.Count(line, "|") != strings.Count(lines[0], "|") {
				t.Errorf("%q has not as many columns as %q", line, lines[0])
			}
		}
	}
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(r *record)
		want  string
	}{
		"few repetitions":    {func(r *record) { *r = *sample(0.5, 0.5) }, "NOT TO BE QUOTED"},
		"another process":    {func(r *record) { r.Rounds = []round{{Repetition: 2, Links: plain, CPU: cpu{Others: 0.5}}} }, "DISTURBED: other processes used 0.50 cores during repetition 2 (plain)"},
		"another guest":      {func(r *record) { r.Rounds = []round{{CPU: cpu{Stolen: 0.5}}} }, "DISTURBED: other guests"},
		"a change of leader": {func(r *record) { r.Measurements[0].Moved = true }, "The leader changed during 1 measurement(s)"},
		"failed requests":    {func(r *record) { r.Measurements[0].Errors, r.Measurements[0].FirstError = 3, "503" }, "requests failed in 1 measurements; the first: null, lookup of 32 clients, repetition 1: 3 of 4 failed: 503"},
		"data in memory":     {func(r *record) { r.FileSystem = "tmpfs" }, "the data are in memory"},
		"survivors":          {func(r *record) { r.Trees = []tree{{Descendants: 9, Alive: 2}} }, "2 descendants of a revoked parent of 9 lived"},
	} {
		t.Run(name, func(t *testing.T) {
			r := sample(0.5, 0.5, 0.5)
			c.spoil(r)
			if text := r.markdown(); !strings.Contains(text, c.want) {
				t.Errorf("want %q in\n%s", c.want, text)
			}
		})
	}
}

func TestCPU(t *testing.T) {
	t.Parallel()
	busy, stolen, err := machineTimes("cpu  100 20 30 4000 50 60 70 8 0 0\ncpu0 1 1 1\n")
	if err != nil || busy != 1500*time.Millisecond || stolen != 80*time.Millisecond {
		t.Errorf("%v %v %v", busy, stolen, err)
	}
	used, err := processTime("42 (a) b (c) S 1 42 42 0 -1 4194304 1 2 3 4 250 50 0 0 20 0 9 0")
	if err != nil || used != 3*time.Second {
		t.Errorf("%v %v", used, err)
	}
	for _, text := range []string{"", "cpu 1 2", "cpu a 2 3 4 5 6 7 8 9"} {
		if _, _, err := machineTimes(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	if _, err := processTime("42 (a) S 1"); err == nil {
		t.Error("half a line was read")
	}
	start := time.Unix(100, 0)
	before := clock{at: start, busy: time.Second, loaded: time.Second}
	after := clock{at: start.Add(10 * time.Second), busy: 16 * time.Second, loaded: 9 * time.Second, idler: time.Second, stolen: time.Second}
	c := after.since(before, 4*time.Second)
	want := cpu{10, 0.8, 0.4, 0.1, 0.2, 0.1}
	for i, pair := range [][2]float64{{c.Seconds, want.Seconds}, {c.Servers, want.Servers}, {c.Generator, want.Generator}, {c.Idle, want.Idle}, {c.Others, want.Others}, {c.Stolen, want.Stolen}} {
		if math.Abs(pair[0]-pair[1]) > 1e-9 {
			t.Errorf("figure %d of %v, want %v", i, c, want)
		}
	}
	if sum := c.add(cpu{Seconds: 30, Others: 1}); math.Abs(sum.Others-0.8) > 1e-9 || sum.Seconds != 40 {
		t.Errorf("joined: %v", sum)
	}
}

func TestP50Metric(t *testing.T) {
	t.Parallel()
	found := p50Metric.FindAllStringSubmatch("goos: linux\nBenchmarkBareApply/leader/1-2 \t 1885\t 680053 ns/op\t 510698 p50-ns\t 14650 B/op\t 204 allocs/op\nBenchmarkPropose/leader/1 \t 10\t 5 ns/op\t 1.5e+06 p50-ns\nPASS\n", -1)
	if len(found) != 2 || found[0][1] != bareApply || found[0][2] != "510698" || found[1][1] != propose || found[1][2] != "1.5e+06" {
		t.Errorf("%q", found)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no binary":      {nil, "-grove is needed"},
		"an argument":    {[]string{"-grove=x", "5"}, `unexpected argument "5"`},
		"no repetition":  {[]string{"-grove=x", "-n=0"}, "-n is at least 1"},
		"unknown links":  {[]string{"-grove=x", "-links=plain,quic"}, `"quic" is neither plain nor tls`},
		"a tree of none": {[]string{"-grove=x", "-trees=5,0"}, `-trees: "0" is no number`},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), c.args, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	o, err := parse([]string{"-grove=x", "-quick", "-d=200ms"}, io.Discard)
	if err != nil || o.repetitions != 1 || o.duration != 200*time.Millisecond || o.trees != "300" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestBars(t *testing.T) {
	t.Parallel()
	r := sample(0.5, 0.3, 0.25)
	r.Measurements[0].Links = secure // nothing to compare with: no bar
	passed := map[string]int{}
	for _, b := range r.bars() {
		if b.Pass {
			passed[b.Figure]++
		}
		if b.Median < b.Least || b.Median > b.Most {
			t.Errorf("%+v", b)
		}
	}
	// create, use, renew and revoke at 32 through the leader and all; p99 of six workloads likewise.
	if len(r.bars()) != 2*9+2*6 || passed[rateToNull] != 8 || passed[p99Millis] != 12 {
		t.Errorf("%d bars, passed: %v", len(r.bars()), passed)
	}
}

func TestFileSystem(t *testing.T) {
	t.Parallel()
	const mounts = "sda / ext4 rw 0 0\nmem /fast tmpfs rw 0 0\nsdb /fast/disk xfs rw 0 0\n"
	for dir, want := range map[string]string{"/a/x": "ext4", "/fast/x": "tmpfs", "/fast": "tmpfs", "/faster": "ext4", "/fast/disk/x": "xfs"} {
		if got := fileSystem(dir, mounts); got != want {
			t.Errorf("%s is on %q, want %q", dir, got, want)
		}
	}
	if got := fileSystem("/x", ""); got != "" {
		t.Errorf("%q", got)
	}
}
