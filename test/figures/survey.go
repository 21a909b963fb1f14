package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// cell is a row of the table.
type cell struct {
	workload string
	clients  int
}

// cells are all rows. lookup comes first: what a server needs to get going is not charged to a write.
var cells = []cell{
	{"lookup", 32}, {"create", 32}, {"use", 32}, {"renew", 32}, {"revoke", 32}, {"mixed", 32},
	{"create", 256}, {"use", 256}, {"renew", 256}, {"revoke", 256},
	{"create", 1},
}

// survey is a run under way.
type survey struct {
	options
	links    []string
	sizes    []int // of trees
	dir      string
	progress io.Writer
	record   *record
}

// target is a column: some addresses of a server.
type target struct {
	name string
	of   *server
	urls func(ctx context.Context) ([]string, error)
}

func (s *survey) say(format string, args ...any) { fmt.Fprintf(s.progress, format+"\n", args...) }

func (s *survey) run(ctx context.Context) error {
	cert, err := newCertificate(s.dir)
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	for rep := 1; rep <= s.repetitions; rep++ {
		if err := s.alone(ctx, rep); err != nil {
			return err
		}
		for _, links := range s.links {
			c := &serverConfig{grove: s.grove, dir: s.dir, procs: s.procs}
			if links == secure {
				c.cert = cert
			}
			if err := s.repetition(ctx, rep, links, c); err != nil {
				return fmt.Errorf("repetition %d, %s: %w", rep, links, err)
			}
		}
	}
	return nil
}

// repetition measures everything once, on new servers.
func (s *survey) repetition(ctx context.Context, rep int, links string, c *serverConfig) error {
	r := round{Repetition: rep, Links: links}
	var err error
	if r.LoadBefore, err = loadAverage(); err != nil {
		return err
	}
	s.say("=== repetition %d of %d, %s: load average %.2f", rep, s.repetitions, links, r.LoadBefore)
	servers, err := s.start(ctx, c)
	defer func() {
		for _, sv := range servers {
			sv.stop()
		}
	}()
	if err != nil {
		return err
	}
	g := &generator{grove: s.grove, external: s.generator, cert: c.cert, warmup: s.duration / 5}
	targets := targetsOf(servers)
	if rep%2 == 0 {
		slices.Reverse(targets)
	}
	for _, cl := range cells {
		for _, t := range targets {
			m, err := s.measure(ctx, g, key{links, t.name, cl.workload, cl.clients}, t, servers)
			if err != nil {
				return err
			}
			m.Repetition = rep
			r.CPU = r.CPU.add(m.CPU)
			s.record.Measurements = append(s.record.Measurements, m)
		}
	}
	if err := s.fell(ctx, g, rep, links, targets, servers); err != nil {
		return err
	}
	if r.LoadAfter, err = loadAverage(); err != nil {
		return err
	}
	s.record.Rounds = append(s.record.Rounds, r)
	s.say("=== load average %.2f; %s", r.LoadAfter, r.CPU)
	if why := r.CPU.disturbed(); why != "" {
		s.say("!!! DISTURBED: %s during repetition %d, %s", why, rep, links)
	}
	return nil
}

// start brings up all servers of a repetition. They are up at the same time, so that they can be measured
// in turn; what the idle ones cost is part of the record.
func (s *survey) start(ctx context.Context, c *serverConfig) ([]*server, error) {
	var all []*server
	starts := []func() (*server, error){
		func() (*server, error) { return c.startNull(ctx, s.generator) },
		func() (*server, error) { return c.startGrove(ctx, one, 1) },
		func() (*server, error) { return c.startGrove(ctx, spread, 3) },
	}
	if s.dev && c.cert == nil {
		starts = append(starts, func() (*server, error) { return c.startDev(ctx) })
	}
	for _, start := range starts {
		sv, err := start()
		if sv != nil {
			all = append(all, sv)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

func targetsOf(servers []*server) []target {
	var all []target
	for _, sv := range servers {
		if sv.name == spread {
			all = append(all, target{leader, sv, func(ctx context.Context) ([]string, error) {
				u, err := sv.leader(ctx)
				return []string{u}, err
			}})
		}
		all = append(all, target{sv.name, sv, func(context.Context) ([]string, error) { return sv.urls, nil }})
	}
	return all
}

// alternate lets one server run, and returns the processes of the others.
func alternate(ctx context.Context, on *server, servers []*server) (idlers []int, err error) {
	for _, sv := range servers {
		if sv != on {
			sv.pause()
			idlers = append(idlers, sv.pids()...)
		}
	}
	return idlers, on.resume(ctx)
}

// stock is how many tokens are made to be revoked: about as many as a target can in the time, so that
// null and Grove are measured for about as long, and the start weighs the same.
func stock(t target, d time.Duration) int {
	perSecond := 10_000.0
	if t.name == null {
		perSecond = 25_000
	}
	return max(1000, int(perSecond*d.Seconds()))
}

// measure puts one load on one target.
func (s *survey) measure(ctx context.Context, g *generator, k key, t target, servers []*server) (measurement, error) {
	m := measurement{key: k}
	idlers, err := alternate(ctx, t.of, servers)
	if err != nil {
		return m, err
	}
	urls, err := t.urls(ctx)
	if err != nil {
		return m, err
	}
	before, err := readClock(t.of.pids(), idlers)
	if err != nil {
		return m, err
	}
	var used time.Duration
	j := job{workload: k.Workload, clients: k.Clients, duration: s.duration, urls: urls, token: t.of.token, stock: stock(t, s.duration)}
	m.outcome, used, err = g.load(ctx, j)
	if err != nil {
		return m, fmt.Errorf("%s: %w", k.Target, err)
	}
	after, err := readClock(t.of.pids(), idlers)
	if err != nil {
		return m, err
	}
	m.CPU = after.since(before, used)
	if t.name == leader {
		now, err := t.urls(ctx)
		if err != nil {
			return m, err
		}
		m.Moved = now[0] != urls[0]
	}
	s.say("%-8s %4d  %-24s %8.0f /s  p50 %7.2f  p99 %7.2f ms  %3d errors  (%s)", k.Workload, k.Clients, k.Target, m.Rate, m.P50, m.P99, m.Errors, m.CPU)
	if why := m.CPU.disturbed(); why != "" {
		s.say("!!! %s meanwhile", why)
	}
	return m, nil
}

// fell revokes parents of many, on one node and on three.
func (s *survey) fell(ctx context.Context, g *generator, rep int, links string, targets []target, servers []*server) error {
	for i, n := range s.sizes {
		if rep > 1 && i > 0 && n == slices.Max(s.sizes) {
			continue // it takes minutes to build
		}
		for _, t := range targets {
			if t.name != one && t.name != spread {
				continue
			}
			if _, err := alternate(ctx, t.of, servers); err != nil {
				return err
			}
			r, _, err := g.bench(ctx, job{workload: "tree", clients: 32, urls: t.of.urls, token: t.of.token, children: n})
			if err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
			s.say("tree of %d, %s: revoked in %.2f ms (built in %.1f s), %d alive; bystanders p99 %.2f, max %.2f ms", n, t.name, r.Tree.Revoke, r.Tree.Build, r.Tree.Alive, r.Latency.P99, r.Latency.Max)
			s.record.Trees = append(s.record.Trees, tree{rep, links, t.name, r.Tree.Descendants, r.Tree.Build, r.Tree.Revoke, r.Tree.Alive, r.Latency.P99, r.Latency.Max})
		}
	}
	return nil
}

// The benchmarks of one client alone in package cluster, as they are printed.
const (
	bareApply = "BenchmarkBareApply/leader/1"
	propose   = "BenchmarkPropose/leader/1"
)

var p50Metric = regexp.MustCompile(`(?m)^(Benchmark\S+?)(?:-\d+)?\s.*?\s([0-9.e+]+) p50-ns`)

// alone runs both in one process, one after the other.
func (s *survey) alone(ctx context.Context, rep int) error {
	if s.cluster == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute+6*s.duration)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.cluster, "-test.run=^$", "-test.bench=^(BenchmarkBareApply|BenchmarkPropose)$/^leader$/^1$", fmt.Sprintf("-test.benchtime=%s", s.duration))
	cmd.Dir = filepath.Dir(s.cluster)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("benchmarks of one client: %w\n%s", err, out)
	}
	found := p50Metric.FindAllStringSubmatch(string(out), -1)
	for _, f := range found {
		ns, err := strconv.ParseFloat(f[2], 64)
		if err != nil {
			return fmt.Errorf("benchmarks of one client: %w", err)
		}
		s.record.Alone = append(s.record.Alone, alone{rep, f[1], ns / 1000})
		s.say("%-30s p50 %.0f µs", f[1], ns/1000)
	}
	if len(found) != 2 {
		return fmt.Errorf("benchmarks of one client: %d results, want 2:\n%s", len(found), out)
	}
	return nil
}
