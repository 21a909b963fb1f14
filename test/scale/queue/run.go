package queue

import (
	"fmt"
	"time"
)

// Result is what a run gave.
type Result struct {
	Rate           float64 // answers per second
	Mean, P50, P99 time.Duration
	Inside         float64 // requests in the system, time average over the whole run
	Batch          float64 // commands per log entry; 0: no entry
	Entries        int
	Use            Use
	Elapsed        time.Duration // of the whole run
	Pauses         []Pause
	answers        []finish
}

// Use is the utilisation of the busiest of each.
type Use struct{ CPU, Disk, Raft, Apply float64 }

// Run simulates. It fails when the configuration is wrong, or the run broke a law.
func Run(cfg Config) (Result, error) {
	if err := cfg.Validate(); err != nil {
		return Result{}, err
	}
	w := newWorld(cfg)
	w.start()
	for w.step() {
	}
	if err := w.book.check(w); err != nil {
		return Result{}, fmt.Errorf("simulation with seed %d: %w", cfg.Seed, err)
	}
	return w.result(), nil
}

func (w *world) result() Result {
	b := &w.book
	warm := len(b.done) / 10
	ds := b.latencies(warm)
	r := Result{Elapsed: w.now, Pauses: b.pauses, answers: b.done, Inside: float64(b.area) / float64(max(w.now, 1))}
	// A request is counted when it is answered; the first answer only starts the time.
	if span := b.done[len(b.done)-1].at - b.done[warm].at; span > 0 {
		r.Rate = float64(len(ds)-1) / span.Seconds()
	}
	var sum time.Duration
	for _, d := range ds {
		sum += d
	}
	r.Mean, r.P50, r.P99 = sum/time.Duration(len(ds)), quantile(ds, 50), quantile(ds, 99)
	commands := 0
	for _, g := range w.groups {
		r.Entries += g.entries
		commands += g.commands
		for _, rep := range g.replicas {
			r.Use.Raft = max(r.Use.Raft, w.use(rep.raft))
			r.Use.Apply = max(r.Use.Apply, w.use(rep.fold))
		}
	}
	if r.Entries > 0 {
		r.Batch = float64(commands) / float64(r.Entries)
	}
	for _, m := range w.machines {
		r.Use.CPU = max(r.Use.CPU, w.use(m.cpu))
		r.Use.Disk = max(r.Use.Disk, w.use(m.disk))
	}
	return r
}

// use is the utilisation of a station over the whole run.
func (w *world) use(s *station) float64 {
	s.account()
	return float64(s.used) / float64(s.servers) / float64(max(w.now, 1))
}

// quantile returns the value that percent of the sorted ones do not exceed.
func quantile(sorted []time.Duration, percent int) time.Duration {
	return sorted[max((len(sorted)*percent+99)/100-1, 0)]
}

// Slice is a part of a run.
type Slice struct {
	Start time.Duration
	Rate  float64
	P99   time.Duration
}

// Slices cuts the run into parts of one width.
func (r Result) Slices(width time.Duration) []Slice {
	var all []Slice
	for from := 0; from < len(r.answers); {
		start := r.answers[from].at / width * width
		to := from
		for to < len(r.answers) && r.answers[to].at < start+width {
			to++
		}
		b := book{done: r.answers[from:to]}
		all = append(all, Slice{start, float64(to-from) / width.Seconds(), quantile(b.latencies(0), 99)})
		from = to
	}
	return all
}
