package bench

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Result is what one workload measured. Its JSON form is what -format=json prints.
type Result struct {
	Workload    string           `json:"workload"`
	Nodes       []string         `json:"nodes"`       // addresses
	Clients     int              `json:"clients"`     // at the same time
	TargetRate  float64          `json:"target_rate"` // per second; 0: each client sends when it is answered
	Started     time.Time        `json:"started"`
	Interrupted bool             `json:"interrupted"` // the load ended before its bounds
	Figures                      // of the measured requests
	Latency     Latency          `json:"latency_ms"` // of successes
	Timeline    Timeline         `json:"timeline"`   // of answers
	Null        *Null            `json:"null,omitempty"`
	Tree        *TreeFigures     `json:"tree,omitempty"`
	Failover    *FailoverFigures `json:"failover,omitempty"`
}

// Figures are the counts of a load.
type Figures struct {
	Seconds       float64          `json:"seconds"` // the measured part
	Count         int64            `json:"count"`   // successes
	Rate          float64          `json:"rate"`    // successes per second that were answered within the measured part
	Errors        int64            `json:"errors"`
	ErrorsByClass map[string]int64 `json:"errors_by_status,omitempty"` // a status, or timeout, connection, answer
	FirstError    string           `json:"first_error,omitempty"`
	Unsent        int64            `json:"unsent"` // due by the schedule, but the load ended before a client was free
}

// Latency is a distribution in milliseconds.
type Latency struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`

	curve []quantile
}

// quantile is a point of a distribution: that part of the requests took at most so long.
type quantile struct{ part, ms float64 }

// Timeline counts the answers by when they came, in slices of one width since the start of
// the measured part.
type Timeline struct {
	SliceSeconds float64 `json:"slice_seconds"`
	Counts       []int64 `json:"counts"`
	Errors       []int64 `json:"errors"`
}

// Null is the same load on a server that has nothing to do.
type Null struct {
	Rate  float64 `json:"rate"`
	P99   float64 `json:"p99_ms"`
	Ratio float64 `json:"ratio"` // the workload's rate to that of null
}

// invalid returns why nothing should be concluded from the result, or nil.
func (r *Result) invalid() error {
	switch {
	case r.Interrupted && r.Count+r.Errors == 0:
		return nil // there was no time for any; the interruption is reported
	case r.Count == 0 && r.FirstError == "":
		return fmt.Errorf("%s: no request was measured", r.Workload)
	case r.Count == 0:
		return fmt.Errorf("%s: no request succeeded: %s", r.Workload, r.FirstError)
	case r.Failover != nil && r.Failover.Unverified > 0:
		return fmt.Errorf("failover: no node says whether %d acknowledged tokens are there", r.Failover.Unverified)
	case r.Failover != nil:
		return r.Failover.killErr // failed requests are what it counts
	case r.Tree != nil && r.Tree.Unverified > 0:
		return fmt.Errorf("tree: %d lookups after the revocation got no answer", r.Tree.Unverified)
	case r.Errors > r.Count:
		return fmt.Errorf("%s: most requests failed: %s", r.Workload, r.FirstError)
	}
	return nil
}

// broken returns the promise that the servers broke, or nil.
func (r *Result) broken() error {
	switch {
	case r.Tree != nil && r.Tree.Alive > 0:
		return fmt.Errorf("tree: %d of %d lookups after the revocation succeeded", r.Tree.Alive, r.Tree.Sampled)
	case r.Failover != nil && r.Failover.Lost > 0:
		return fmt.Errorf("failover: %d of %d acknowledged tokens are lost", r.Failover.Lost, r.Failover.Acknowledged)
	}
	return nil
}

// latencyOf takes the distribution out of a histogram of microseconds.
func latencyOf(h *hdrhistogram.Histogram) Latency {
	if h.TotalCount() == 0 {
		return Latency{}
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	l := Latency{Mean: h.Mean() / 1000, P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000}
	for _, b := range h.CumulativeDistribution() {
		l.curve = append(l.curve, quantile{b.Quantile / 100, float64(b.ValueAt) / 1000})
	}
	return l
}
