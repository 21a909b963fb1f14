// Command overload shows what a cluster does with many more clients than it is fast with: it
// looks for the rate at the best number of clients, then loads with many connections, watches
// the memory of every process meanwhile, and prints a table with verdicts and JSON lines.
// Nodes are processes of their own. scripts/overload runs it.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// options are what to run.
type options struct {
	grove       string // binary; "": built
	seconds     int    // of the overload
	search      int    // seconds of each step of the search
	connections int
	nodes       string
	workloads   string
	out         string
}

func main() {
	var o options
	flag.StringVar(&o.grove, "grove", "", "binary (default: built from this module)")
	flag.IntVar(&o.seconds, "seconds", 60, "length of the overload")
	flag.IntVar(&o.search, "search", 5, "seconds of each step of the search for the peak")
	flag.IntVar(&o.connections, "connections", 4096, "of the overload, over all nodes")
	flag.StringVar(&o.nodes, "nodes", "1,3", "sizes of clusters")
	flag.StringVar(&o.workloads, "workloads", "lookup,use", "workloads of `grove bench` that leave the state as large as it is")
	flag.StringVar(&o.out, "out", "", "append the results to this file as JSON lines")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "overload:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (bool, error) {
	dir, err := os.MkdirTemp("", "grove-overload")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir)
	if o.grove == "" {
		o.grove = filepath.Join(dir, "grove")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", o.grove, "./cmd/grove").CombinedOutput(); err != nil {
			return false, fmt.Errorf("building: %w\n%s", err, out)
		}
	}
	var results []result
	for _, n := range strings.Split(o.nodes, ",") {
		size, err := strconv.Atoi(n)
		if err != nil {
			return false, fmt.Errorf("-nodes: %w", err)
		}
		rs, err := onCluster(ctx, o, filepath.Join(dir, n), size)
		results = append(results, rs...)
		if err != nil {
			return false, errors.Join(err, report(os.Stdout, results))
		}
	}
	if err := keep(o.out, results); err != nil {
		return false, err
	}
	return !slices.ContainsFunc(results, func(r result) bool { return len(r.Faults) > 0 }), report(os.Stdout, results)
}

// onCluster runs all workloads on one cluster.
func onCluster(ctx context.Context, o options, dir string, size int) (rs []result, err error) {
	c, err := startCluster(ctx, o.grove, dir, size)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.stop()) }()
	for _, w := range strings.Split(o.workloads, ",") {
		r, err := overload(ctx, o, c, w)
		if err != nil {
			return rs, fmt.Errorf("%s on %d nodes: %w", w, size, err)
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// overload finds the peak, and then loads.
func overload(ctx context.Context, o options, c *cluster, workload string) (result, error) {
	r := result{
		Date: time.Now().UTC().Format(time.DateOnly), Cores: runtime.NumCPU(), Nodes: len(c.nodes), Workload: workload, Connections: o.connections,
		Seconds: o.seconds,
	}
	l := loader{grove: o.grove, workload: workload, addresses: c.addresses(), token: c.root}
	best := 0.0
	for n := 32; n <= 1024; n *= 2 {
		f, err := l.load(ctx, n, o.search)
		if err != nil {
			return r, err
		}
		fmt.Fprintf(os.Stderr, "%d nodes, %s, %d clients: %.0f/s\n", r.Nodes, workload, n, f.Rate)
		if f.Rate > best {
			best, r.PeakClients = f.Rate, n
		}
	}
	// What else the machine does changes by the minute: the peak counts as it is just before and after.
	before, err1 := l.load(ctx, r.PeakClients, o.search)
	watched := watch(ctx, c)
	f, err2 := l.load(ctx, o.connections, o.seconds)
	r.RSS = watched()
	after, err3 := l.load(ctx, r.PeakClients, o.search)
	r.Peak = (before.Rate + after.Rate) / 2
	r.Rate, r.Errors, r.P99, r.Max = f.Rate, f.Errors, f.Latency.P99, f.Latency.Max
	err := errors.Join(err1, err2, err3, r.compare(ctx, l, o.search))
	r.judge(c)
	return r, err
}

// compare does the same with a server that has nothing to do: what that loses with so many
// connections is lost by the machine, and by the generator, which runs on it too.
func (r *result) compare(ctx context.Context, l loader, seconds int) error {
	ports, err := freePorts(1)
	if err != nil {
		return err
	}
	address := "127.0.0.1:" + strconv.Itoa(ports)
	ctx, cancel := context.WithCancel(ctx)
	null := exec.CommandContext(ctx, l.grove, "bench", "-null="+address)
	if err := null.Start(); err != nil {
		cancel()
		return err
	}
	defer null.Wait()
	defer cancel()
	if err := poll(ctx, func() bool {
		status, _ := ask(ctx, "GET", "http://"+address+"/v1/auth/token/lookup-self", "x", "")
		return status != 0
	}); err != nil {
		return err
	}
	l.addresses = []string{"http://" + address}
	before, err1 := l.load(ctx, r.PeakClients, seconds)
	many, err2 := l.load(ctx, r.Connections, seconds)
	after, err3 := l.load(ctx, r.PeakClients, seconds)
	r.NullPeak, r.NullRate = (before.Rate+after.Rate)/2, many.Rate
	return errors.Join(err1, err2, err3)
}

// figures is what of the output of `grove bench` counts here.
type figures struct {
	Rate    float64
	Errors  map[string]int64 `json:"errors_by_status"`
	Latency struct {
		P99 float64 `json:"p99"`
		Max float64 `json:"max"`
	} `json:"latency_ms"`
}

// loader is a generator with everything but how much and how long.
type loader struct {
	grove, workload, token string
	addresses              []string
}

func (l *loader) load(ctx context.Context, clients, seconds int) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(seconds)*time.Second+5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, l.grove, "bench", "-format=json", "-address="+strings.Join(l.addresses, ","),
		"-clients="+strconv.Itoa(clients), "-duration="+strconv.Itoa(seconds)+"s", "-warmup=2s", "-timeout=30s", l.workload)
	cmd.Env = append(os.Environ(), "VAULT_TOKEN="+l.token)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	var f figures
	if e := json.Unmarshal(out, &f); e != nil {
		return f, fmt.Errorf("grove bench: %w", errors.Join(err, e))
	}
	return f, nil // refusals are counted, not fatal
}
