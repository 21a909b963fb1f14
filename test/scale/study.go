package scale

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/tokengrove/grove/test/scale/chart"
	"github.com/tokengrove/grove/test/scale/queue"
)

// study is one question to the model: several series over one axis.
type study struct {
	name, title, axis string
	log               bool
	series            []series
	// law fits the universal scalability law to each series.
	law bool
}

// series is one configuration over the values of the axis.
type series struct {
	name string
	at   []float64
	make func(x float64) queue.Config
}

// spread is the random part of service times in all studies.
const spread = 0.3

// model makes a configuration of the measured constants.
func model(s queue.Shape, l queue.Load) queue.Config {
	if l.Trees == 0 {
		l.Trees = 1000
	}
	if l.Requests == 0 {
		l.Requests = min(max(40*l.Clients, 40_000), 160_000)
	}
	return queue.Config{Costs: queue.Measured, Shape: s, Load: l, Spread: spread, Seed: 1}
}

var doubling = []float64{1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024}

// loads are the two ends: every request an entry, and none.
func loads(at []float64, make func(x, writes float64) queue.Config) []series {
	return []series{
		{"create", at, func(x float64) queue.Config { return make(x, 1) }},
		{"lookup", at, func(x float64) queue.Config { return make(x, 0) }},
	}
}

// studies are what docs/scale.md shows.
func studies() []study {
	onGroups := func(skew float64) func(float64) queue.Config {
		return func(x float64) queue.Config {
			return model(queue.Shape{Nodes: 9, Replicas: 3, Cores: 8, Groups: int(x)}, queue.Load{Clients: 2304, Writes: 1, Skew: skew})
		}
	}
	groups := []float64{1, 3, 9, 18, 36}
	return []study{
		{name: "clients", title: "Three nodes of two cores, one group, over clients", axis: "clients", log: true,
			series: loads(doubling, func(x, writes float64) queue.Config {
				return model(queue.Shape{Nodes: 3, Cores: 2, Groups: 1}, queue.Load{Clients: int(x), Writes: writes})
			})},
		{name: "nodes", title: "One group on all nodes of four cores, 512 clients", axis: "nodes", law: true,
			series: loads([]float64{1, 3, 5, 7, 9}, func(x, writes float64) queue.Config {
				return model(queue.Shape{Nodes: int(x), Cores: 4, Groups: 1}, queue.Load{Clients: 512, Writes: writes})
			})},
		{name: "cores", title: "Three nodes, one group, 1,024 clients", axis: "cores of a node", log: true, law: true,
			series: loads([]float64{1, 2, 4, 8, 16, 32}, func(x, writes float64) queue.Config {
				return model(queue.Shape{Nodes: 3, Cores: int(x), Groups: 1}, queue.Load{Clients: 1024, Writes: writes})
			})},
		{name: "groups", title: "Nine nodes of eight cores, three replicas a group, 2,304 clients that create", axis: "groups", log: true, law: true,
			series: []series{{"trees alike", groups, onGroups(0)}, {"tree k has 1/k (Zipf)", groups, onGroups(1)}}},
		{name: "skew", title: "The same, nine groups, over the skew of the trees", axis: "skew", series: []series{
			{"create", []float64{0, 0.4, 0.8, 1, 1.2, 1.5}, func(x float64) queue.Config { return onGroups(x)(9) }},
		}},
	}
}

// answer is what the model says at one point.
type answer struct {
	x         float64
	simulated queue.Result
	formula   queue.Forecast
}

// ask runs a series. part is the share of the requests to simulate: 1, or less for a test.
func (s series) ask(part float64) ([]answer, error) {
	var all []answer
	for _, x := range s.at {
		cfg := s.make(x)
		cfg.Load.Requests = max(int(part*float64(cfg.Load.Requests)), 2*cfg.Load.Clients)
		r, err1 := queue.Run(cfg)
		f, err2 := queue.Predict(cfg)
		if err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%s at %g: %v %v", s.name, x, err1, err2)
		}
		all = append(all, answer{x, r, f})
	}
	return all, nil
}

// finding is a study that was answered.
type finding struct {
	study
	answers [][]answer // by series
}

func (st study) ask(part float64) (finding, error) {
	f := finding{study: st}
	for _, s := range st.series {
		as, err := s.ask(part)
		if err != nil {
			return f, fmt.Errorf("study %s: %w", st.name, err)
		}
		f.answers = append(f.answers, as)
	}
	return f, nil
}

// table is the study in Markdown.
func (f finding) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n| | %s | simulated | p99 | commands an entry | closed form | its limit | simulated / closed |\n|---|---|---|---|---|---|---|---|\n", f.title, f.axis)
	for i, s := range f.series {
		for _, a := range f.answers[i] {
			batch := "–"
			if a.simulated.Batch > 0 {
				batch = digits(a.simulated.Batch)
			}
			fmt.Fprintf(&b, "| %s | %g | %s/s | %s | %s | %s/s | %s | %.2f |\n", s.name, a.x, thousands(a.simulated.Rate),
				Figure{Value: micros(a.simulated.P99), Unit: "µs"}, batch, thousands(a.formula.Rate), a.formula.Limit, a.simulated.Rate/a.formula.Rate)
		}
	}
	if f.law {
		b.WriteString("\n" + f.fits() + "\n")
	}
	return b.String()
}

// fits says what law the simulated points follow.
func (f finding) fits() string {
	var parts []string
	for i, s := range f.series {
		var ns, xs []float64
		for _, a := range f.answers[i] {
			ns, xs = append(ns, a.x), append(xs, a.simulated.Rate)
		}
		law := queue.Fit(ns, xs)
		peak := "no peak"
		if p := law.Peak(); !math.IsInf(p, 0) {
			peak = fmt.Sprintf("peak at %.0f", p)
		}
		parts = append(parts, fmt.Sprintf("%s λ = %s/s, σ = %.3f, κ = %.5f (%s)", s.name, thousands(law.Lambda), law.Sigma, law.Kappa, peak))
	}
	return "Universal scalability law through the simulated points: " + strings.Join(parts, "; ") + "."
}

func thousands(v float64) string {
	if v >= 10_000 {
		return fmt.Sprintf("%.1f k", v/1000)
	}
	return fmt.Sprintf("%.0f", v)
}

// charts draws throughput and latency.
func (f finding) charts() map[string]chart.Chart {
	rate := chart.Chart{Title: f.title + " (modelled)", X: f.axis, Y: "requests / s", LogX: f.log}
	p99 := chart.Chart{Title: f.title + " (modelled)", X: f.axis, Y: "p99, ms", LogX: f.log, LogY: true}
	for i, s := range f.series {
		simulated := chart.Line{Name: s.name + ", simulated", Modelled: true}
		closed := chart.Line{Name: s.name + ", closed form", Modelled: true}
		late := chart.Line{Name: s.name, Modelled: true}
		for _, a := range f.answers[i] {
			simulated.Points = append(simulated.Points, chart.Point{X: a.x, Y: a.simulated.Rate})
			closed.Points = append(closed.Points, chart.Point{X: a.x, Y: a.formula.Rate})
			late.Points = append(late.Points, chart.Point{X: a.x, Y: millis(a.simulated.P99)})
		}
		rate.Lines = append(rate.Lines, simulated, closed)
		p99.Lines = append(p99.Lines, late)
	}
	return map[string]chart.Chart{"scale-model-" + f.name + ".svg": rate, "scale-model-" + f.name + "-p99.svg": p99}
}

// slice is the width of the parts of a move's run.
const slice = 50 * time.Millisecond
