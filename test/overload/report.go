package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// What must hold.
const (
	// leastRatio is of the peak, beside what a server with nothing to do loses.
	leastRatio = 0.8
	// settled is after how many seconds the memory must have reached its size: every connection has
	// been served by then, and the collector has run.
	settled = 10
	// mostGrowth is how much larger the memory may be at the end than when it had settled: the
	// collector makes it go up and down by as much.
	mostGrowth = 1.15
	// mostRSS bounds one node with all connections, in MB.
	mostRSS = 1024
)

// result is one overload. Its JSON form is what is kept.
type result struct {
	Date     string `json:"date"`
	Cores    int    `json:"cores"`
	Nodes    int    `json:"nodes"`
	Workload string `json:"workload"`
	peak
	Connections int              `json:"connections"`
	Seconds     int              `json:"seconds"`
	Rate        float64          `json:"rate"`
	Errors      map[string]int64 `json:"errors_by_status,omitempty"`
	longest
	RSS    [][]int  `json:"rss_mb"` // of each node, every second
	Faults []string `json:"faults,omitempty"`
}

// peak is what the rate under overload is compared with.
type peak struct {
	Peak        float64 `json:"peak_rate"`
	PeakClients int     `json:"peak_clients"`
	NullPeak    float64 `json:"null_peak_rate"` // of a server with nothing to do, with as many clients
	NullRate    float64 `json:"null_rate"`      // its, with as many connections as the overload has
}

// longest is how long requests that succeeded took, in milliseconds.
type longest struct {
	P99 float64 `json:"p99_ms"`
	Max float64 `json:"max_ms"`
}

// ratio of the rate under overload to the peak.
func (r *result) ratio() float64 {
	if r.Peak == 0 {
		return 0
	}
	return r.Rate / r.Peak
}

// own is the ratio without what a server with nothing to do loses as well.
func (r *result) own() float64 {
	if r.NullPeak == 0 || r.NullRate == 0 {
		return r.ratio()
	}
	return r.ratio() / min(1, r.NullRate/r.NullPeak)
}

// judge notes what does not hold.
func (r *result) judge(c *cluster) {
	fault := func(format string, args ...any) { r.Faults = append(r.Faults, fmt.Sprintf(format, args...)) }
	if r.own() < leastRatio {
		fault("goodput is %.2f of the peak, %.2f beside a server with nothing to do; at least %.2f is wanted", r.ratio(), r.own(), leastRatio)
	}
	for class, n := range r.Errors {
		if class != "503" {
			fault("%d requests ended with %s", n, class)
		}
	}
	for i, rss := range r.RSS {
		if len(rss) > 0 && slices.Max(rss) > mostRSS {
			fault("node %d: %d MB, at most %d", i+1, slices.Max(rss), mostRSS)
		}
		if g := growth(rss); g > mostGrowth {
			fault("node %d: memory grew by the factor %.2f after it had settled", i+1, g)
		}
	}
	for i, n := range c.nodes {
		if n.ended() {
			fault("node %d ended: %s", i+1, n.tail())
		}
	}
	slices.Sort(r.Faults)
}

// growth compares the median of the last quarter with the most that was used until the memory had settled.
func growth(rss []int) float64 {
	if len(rss) < 2*settled {
		return 0
	}
	last := slices.Sorted(slices.Values(rss[len(rss)-len(rss)/4:]))
	return float64(last[len(last)/2]) / float64(slices.Max(rss[:settled]))
}

// report prints a table.
func report(w io.Writer, rs []result) error {
	var b strings.Builder
	b.WriteString("| nodes | workload | peak /s (clients) | connections | /s | ratio | … beside null | refused | p99 ms | max ms | RSS MB, settled → end, most | growth | |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range rs {
		var memory, grown []string
		for _, rss := range r.RSS {
			if len(rss) > settled {
				memory = append(memory, fmt.Sprintf("%d → %d, %d", slices.Max(rss[:settled]), rss[len(rss)-1], slices.Max(rss)))
				grown = append(grown, fmt.Sprintf("%.2f", growth(rss)))
			}
		}
		verdict := "holds"
		if len(r.Faults) > 0 {
			verdict = strings.Join(r.Faults, "; ")
		}
		fmt.Fprintf(&b, "| %d | %s | %.0f (%d) | %d | %.0f | %.2f | %.2f | %s | %.0f | %.0f | %s | %s | %s |\n", r.Nodes, r.Workload, r.Peak, r.PeakClients,
			r.Connections, r.Rate, r.ratio(), r.own(), failures(r.Errors), r.P99, r.Max, strings.Join(memory, "; "), strings.Join(grown, "; "), verdict)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func failures(classes map[string]int64) string {
	var parts []string
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		parts = append(parts, fmt.Sprintf("%s: %d", class, classes[class]))
	}
	if len(parts) == 0 {
		return "0"
	}
	return strings.Join(parts, ", ")
}

// keep appends the results to a file, if one is named.
func keep(file string, rs []result) error {
	if file == "" {
		return nil
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	e := json.NewEncoder(f)
	for _, r := range rs {
		if err := e.Encode(r); err != nil {
			return err
		}
	}
	return f.Sync()
}
