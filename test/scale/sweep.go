package scale

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/tokengrove/grove/test/scale/chart"
)

// Sweep is one line of `grove bench -format=json`: a workload with so many clients. Other
// fields of the line are not looked at.
type Sweep struct {
	Workload string  `json:"workload"`
	Clients  int     `json:"clients"`
	Rate     float64 `json:"rate"` // successes per second
	Errors   int64   `json:"errors"`
	Latency  struct {
		P99 float64 `json:"p99"`
	} `json:"latency_ms"`
}

// ReadSweep reads the lines of a sweep over numbers of clients.
func ReadSweep(r io.Reader) ([]Sweep, error) {
	var all []Sweep
	err := lines(r, func(line []byte) error {
		var s Sweep
		if err := json.Unmarshal(line, &s); err != nil {
			return err
		}
		if s.Workload == "" || s.Clients <= 0 || s.Rate <= 0 || s.Latency.P99 <= 0 {
			return errors.New("workload, clients, rate and latency_ms.p99 are needed")
		}
		if s.Errors > 0 {
			return fmt.Errorf("%s with %d clients: %d requests failed", s.Workload, s.Clients, s.Errors)
		}
		all = append(all, s)
		return nil
	})
	if err == nil && len(all) == 0 {
		err = errors.New("the sweep is empty")
	}
	return all, err
}

// ReadSweepFile is ReadSweep of a file.
func ReadSweepFile(name string) ([]Sweep, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening sweep: %w", err)
	}
	defer f.Close()
	all, err := ReadSweep(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return all, nil
}

// SweepCharts draws throughput and p99 over the number of clients, a line a workload.
func SweepCharts(all []Sweep) map[string]chart.Chart {
	rate := chart.Chart{Title: "Throughput of three nodes over clients (measured)", X: "clients", Y: "requests / s", LogX: true}
	p99 := chart.Chart{Title: "p99 of three nodes over clients (measured)", X: "clients", Y: "ms", LogX: true, LogY: true}
	sorted := slices.SortedStableFunc(slices.Values(all), func(a, b Sweep) int {
		return cmp.Or(cmp.Compare(a.Workload, b.Workload), cmp.Compare(a.Clients, b.Clients))
	})
	for i, s := range sorted {
		if i == 0 || sorted[i-1].Workload != s.Workload {
			rate.Lines = append(rate.Lines, chart.Line{Name: s.Workload})
			p99.Lines = append(p99.Lines, chart.Line{Name: s.Workload})
		}
		last := len(rate.Lines) - 1
		rate.Lines[last].Points = append(rate.Lines[last].Points, chart.Point{X: float64(s.Clients), Y: s.Rate})
		p99.Lines[last].Points = append(p99.Lines[last].Points, chart.Point{X: float64(s.Clients), Y: s.Latency.P99})
	}
	return map[string]chart.Chart{"scale-clients-rate.svg": rate, "scale-clients-p99.svg": p99}
}

// SweepText is what the document says of a sweep: its plots and a table, or that there is none.
func SweepText(all []Sweep) string {
	if len(all) == 0 {
		return "It has not been run for this page yet.\n"
	}
	var b strings.Builder
	b.WriteString("![rate](scale-clients-rate.svg)\n![p99](scale-clients-p99.svg)\n\n| workload | clients | measured | p99 |\n|---|---|---|---|\n")
	for _, s := range all {
		fmt.Fprintf(&b, "| %s | %d | %s/s | %s |\n", s.Workload, s.Clients, thousands(s.Rate), Figure{Value: s.Latency.P99, Unit: "ms"})
	}
	return b.String()
}
