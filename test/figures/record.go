package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// What clients' links are.
const (
	plain  = "plain"
	secure = "tls"
)

// What is loaded.
const (
	null    = "null"
	one     = "1 node"
	leader  = "3 nodes, leader"
	spread  = "3 nodes, all"
	devNode = "3 nodes in 1 process, all"
)

// record is everything that was measured. Its JSON form is the file of results.
type record struct {
	Date   string `json:"date"`
	Commit string `json:"commit"`
	machine
	Repetitions  int           `json:"repetitions"` // that were asked for
	Seconds      float64       `json:"seconds"`     // of a measurement
	Measurements []measurement `json:"measurements"`
	Trees        []tree        `json:"trees"`
	Alone        []alone       `json:"alone"`
	Rounds       []round       `json:"rounds"`
	Bars         []bar         `json:"bars"`
}

// machine is what everything ran on, and with.
type machine struct {
	Go         string `json:"go"`
	Cores      int    `json:"cores"`
	Procs      int    `json:"procs"`       // GOMAXPROCS of each of three nodes
	FileSystem string `json:"file_system"` // of the nodes' data
	Generator  string `json:"generator"`
}

// key says what was measured.
type key struct {
	Links    string `json:"links"`
	Target   string `json:"target"`
	Workload string `json:"workload"`
	Clients  int    `json:"clients"`
}

// measurement is one load on one target.
type measurement struct {
	Repetition int `json:"repetition"`
	key
	outcome
	CPU cpu `json:"cpu"`
	// Moved says that another node led at the end than at the beginning.
	Moved bool `json:"leader_moved,omitempty"`
}

// outcome is what a load generator says. Latencies are of successes.
type outcome struct {
	Rate       float64 `json:"rate"` // successes per second
	Count      int64   `json:"count"`
	Errors     int64   `json:"errors"`
	FirstError string  `json:"first_error,omitempty"`
	P50        float64 `json:"p50_ms"`
	P99        float64 `json:"p99_ms"`
	Max        float64 `json:"max_ms"`
}

// tree is one revocation of a parent.
type tree struct {
	Repetition  int     `json:"repetition"`
	Links       string  `json:"links"`
	Target      string  `json:"target"`
	Descendants int     `json:"descendants"`
	Build       float64 `json:"build_seconds"`
	Revoke      float64 `json:"revoke_ms"` // until it was acknowledged
	Alive       int     `json:"alive"`     // lookups of descendants afterwards that succeeded: must be 0
	// The bystanders' lookups: one a node, of tokens that have nothing to do with the tree.
	BystanderP99 float64 `json:"bystander_p99_ms"`
	BystanderMax float64 `json:"bystander_max_ms"`
}

// alone is one client's latency in the benchmarks of package cluster: of a bare Raft, and of
// Grove's way to it.
type alone struct {
	Repetition int     `json:"repetition"`
	Name       string  `json:"name"`
	P50        float64 `json:"p50_us"`
}

// round is what the machine did during a repetition.
type round struct {
	Repetition int     `json:"repetition"`
	Links      string  `json:"links"`
	LoadBefore float64 `json:"load_before"` // average of a minute
	LoadAfter  float64 `json:"load_after"`
	CPU        cpu     `json:"cpu"` // of its measurements together
}

// bar is what a figure is asked to reach, and whether its median does.
type bar struct {
	key
	Figure string  `json:"figure"` // rate_to_null, p99_ms, latency_to_bare
	Bar    float64 `json:"bar"`
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
	Pass   bool    `json:"pass"`
}

func newRecord(o options) *record {
	r := &record{
		Date: time.Now().UTC().Format(time.DateOnly), Commit: o.commit,
		machine: machine{Go: runtime.Version(), Cores: runtime.NumCPU(), Procs: o.procs, Generator: "grove bench"}, Repetitions: o.repetitions, Seconds: o.duration.Seconds(),
	}
	if o.generator != "" {
		r.Generator = "external"
	}
	return r
}

func (r *record) json() ([]byte, error) {
	r.Bars = r.bars()
	b, err := json.MarshalIndent(r, "", " ")
	return append(b, '\n'), err
}

// fault is why the figures must not be quoted, nil if nothing speaks against it.
func (r *record) fault() error {
	failed, first := 0, ""
	for _, m := range r.Measurements {
		if m.Errors > 0 || m.Count == 0 {
			if failed++; first == "" {
				first = fmt.Sprintf("%s, %s of %d clients, repetition %d: %d of %d failed: %s", m.Target, m.Workload, m.Clients, m.Repetition, m.Errors, m.Errors+m.Count, m.FirstError)
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("requests failed in %d measurements; the first: %s", failed, first)
	}
	for _, t := range r.Trees {
		if t.Alive > 0 {
			return fmt.Errorf("%d descendants of a revoked parent of %d lived", t.Alive, t.Descendants)
		}
	}
	return nil
}

// of returns the measurements of k by repetition.
func (r *record) of(k key) map[int]measurement {
	all := map[int]measurement{}
	for _, m := range r.Measurements {
		if m.key == k {
			all[m.Repetition] = m
		}
	}
	return all
}

// numbers reads "3000,1000000".
func numbers(text string) ([]int, error) {
	var all []int
	for _, s := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' }) {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q is no number of descendants", s)
		}
		all = append(all, n)
	}
	return all, nil
}
