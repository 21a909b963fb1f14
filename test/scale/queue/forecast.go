package queue

import (
	"math"
	"slices"
	"time"
)

// Forecast is what the closed form says of a configuration: operational laws at a fixed
// point, no randomness and no queue in detail.
type Forecast struct {
	Rate  float64 // requests per second
	Limit string  // what bounds it
	Batch float64 // commands per log entry
}

// guess is what the closed form assumes and then confirms: it depends on the rate, and the
// rate on it.
type guess struct {
	write float64 // commands per second of the hottest group
	entry float64 // … per log entry
	batch float64 // … per batch of an edge that is not on the leader
	round float64 // reads per round of an edge
	own   float64 // … per round of the leader
	busy  float64 // utilisation of the busiest machine's cores
}

// toward moves a guess a small way towards what follows from it: a large step would
// oscillate around the fixed point where the cores are nearly full.
func (a guess) toward(b guess) guess {
	const step = 1.0 / 16
	mix := func(x, y float64) float64 { return x + step*(y-x) }
	return guess{mix(a.write, b.write), mix(a.entry, b.entry), mix(a.batch, b.batch), mix(a.round, b.round), mix(a.own, b.own), mix(a.busy, b.busy)}
}

// formula evaluates the closed form.
//
// What the stations can do at most, by the utilisation law: a request takes of the busiest
// machine's cores
//
//	H + w·C + … + (w·q·E + …)/entry          (demand)
//
// so that rate ≤ cores / demand, and rate ≤ 1 / (w·q·A) for the writer of the hottest group's
// machine.
//
// What the clients can ask for at most, by Little's law: rate = clients / (time of a cycle).
// In group commit nobody goes at once: who comes while a batch is under way waits for the
// next, so that a cycle is
//
//	Z + max(g/2, g-Z) + way                   Z: HTTP; g: time between two batches
//
// That g-Z is what makes small batches at small loads: a client that is answered comes back
// too late for the batch that starts then. A log entry is alone under way, and g its time,
// unless so many write that large ones go ahead of time: gap and way. Waiting for a core is
// Sakasegawa's approximation for M/M/c.
type formula struct {
	cfg     Config
	away    float64   // share of requests that arrive elsewhere than at the leader
	sources float64   // nodes that clients ask
	hottest float64   // share of the hottest group
	share   []float64 // of the requests, by group
	logs    int       // replicas, each with its log, on the disk that has most
}

func newFormula(cfg Config) *formula {
	f := &formula{cfg: cfg, share: make([]float64, cfg.Shape.Groups), sources: float64(min(cfg.Shape.Nodes, cfg.Load.Clients))}
	z := newZipf(cfg.Load.Trees, cfg.Load.Skew)
	for i := range cfg.Load.Trees {
		f.share[cfg.Shape.groupOf(i)] += z.share(i)
	}
	for _, s := range f.share {
		f.hottest = max(f.hottest, s)
	}
	if cfg.Load.OnLeader {
		f.sources = 1
	}
	on := make([]int, cfg.Shape.Nodes)
	for g := range f.share {
		for k := range cfg.Shape.replicas() {
			disk := (cfg.Shape.leader(g) + k) % cfg.Shape.Nodes
			if cfg.Shape.OneMachine {
				disk = 0
			}
			on[disk]++
		}
	}
	f.logs = slices.Max(on)
	f.away = 1 - f.at(cfg.Shape.leader(0))
	return f
}

// at is the share of the requests that arrive at a node.
func (f *formula) at(node int) float64 {
	s, l := f.cfg.Shape, f.cfg.Load
	if l.OnLeader {
		if node == s.leader(0) {
			return 1
		}
		return 0
	}
	return float64((l.Clients-node+s.Nodes-1)/s.Nodes) / float64(l.Clients)
}

// Predict is the closed form of Run.
func Predict(cfg Config) (Forecast, error) {
	if err := cfg.Validate(); err != nil {
		return Forecast{}, err
	}
	f := newFormula(cfg)
	now := guess{0, 1, 1, 1, 1, 0}
	var x Forecast
	for range 2000 {
		x = f.rate(now)
		now = now.toward(f.confirm(x.Rate, now))
	}
	if cfg.Load.Writes > 0 {
		x.Batch = now.entry
	}
	return x, nil
}

func seconds(ds ...time.Duration) float64 {
	var sum time.Duration
	for _, d := range ds {
		sum += d
	}
	return sum.Seconds()
}

// wait is what a visit of the cores waits for one, at a utilisation.
func (f *formula) wait(busy float64) float64 {
	cores := float64(f.cfg.Shape.Cores)
	busy = min(busy, 0.97) * (1 - 1/float64(f.cfg.Load.Clients)) // nobody waits for himself
	visit := seconds(f.cfg.Costs.Server+f.cfg.Costs.Handler) / 2
	return visit * math.Pow(busy, math.Sqrt(2*(cores+1))-1) / (cores * (1 - busy))
}

// forward is the way to another node's leader and back.
func (f *formula) forward(now guess) float64 {
	c := f.cfg.Costs
	return f.away * (seconds(c.Forward, 2*c.Hop) + 2*f.wait(now.busy))
}

// http is the part of a request before and after group commit.
func (f *formula) http(now guess) float64 {
	c := f.cfg.Costs
	t := seconds(c.Server, c.Handler) + f.cfg.Load.Writes*seconds(c.Command) + 2*f.wait(now.busy)
	if f.cfg.Shape.OneMachine {
		return t + seconds(c.Client) + f.wait(now.busy)
	}
	return t + seconds(2*c.Hop)
}

// burst is what a request waits for those that were answered together with it.
func (f *formula) burst(together float64) float64 {
	c := f.cfg.Costs
	return together * seconds(c.Server, c.Handler) / float64(2*f.cfg.Shape.Cores)
}

// next is the wait for the next of batches that start every g, after z elsewhere.
func next(g, z float64) float64 { return max(g/2, g-z) }

// reads returns the time of a read's cycle: alone, and in company.
func (f *formula) reads(now guess) (alone, company float64) {
	z := f.http(now) + f.burst(now.round)
	way := f.forward(now) + f.asks()*f.question(now)
	alone = f.http(now) + way
	if f.asks() > 1-f.away {
		way += f.question(now) / 2 // the leader's round coalesces those of all nodes
	}
	return alone, z + next(way, z) + way
}

// asks is the share of rounds for which the leader has to ask others.
func (f *formula) asks() float64 {
	switch r := f.cfg.Shape.replicas(); {
	case r == 1:
		return 0
	case r <= 3:
		// Followers say their term themselves. Nodes without a replica do not.
		return 1 - f.away*float64(r-1)/float64(max(f.cfg.Shape.Nodes-1, 1))
	}
	return 1
}

// question is the leader's round.
func (f *formula) question(now guess) float64 {
	return seconds(f.cfg.Costs.Round, 2*f.cfg.Costs.Hop) + f.wait(now.busy)
}

// confirm says how much comes together at a rate.
func (f *formula) confirm(rate float64, now guess) guess {
	l := f.cfg.Load
	_, write := f.writes(now)
	_, read := f.reads(now)
	writes, reads := rate*l.Writes*f.hottest, rate*(1-l.Writes)*f.hottest
	atMost := func(n, most float64) float64 { return math.Max(1, math.Min(n, most)) }
	return guess{
		write: writes,
		entry: atMost(writes*f.gap(now), entryItems),
		batch: atMost(writes/f.sources*(write-f.http(now))/(2*batchesInFlight), batchItems),
		round: atMost(reads/f.sources*(read-f.http(now))/2, float64(l.Clients)),
		own:   atMost(reads*f.question(now), float64(l.Clients)),
		busy:  rate * f.demand(now) / float64(f.cfg.Shape.Cores),
	}
}

// rate is the least of all bounds.
func (f *formula) rate(now guess) Forecast {
	s, l, c := f.cfg.Shape, f.cfg.Load, f.cfg.Costs
	best := Forecast{Rate: math.Inf(1)}
	bound := func(rate float64, what string) {
		if rate < best.Rate {
			best.Rate, best.Limit = rate, what
		}
	}
	writeAlone, write := f.writes(now)
	readAlone, read := f.reads(now)
	alone := l.Writes*writeAlone + (1-l.Writes)*readAlone
	company := l.Writes*write + (1-l.Writes)*read
	// That there is another one: for a read at the same edge, for a write anywhere.
	met := 1 - (l.Writes+(1-l.Writes)*f.sources)/float64(l.Clients)
	cycle := alone + met*(company-alone)
	what := "clients"
	if company > 1.2*alone && met > 0.5 {
		what = "group commit"
		if l.Writes > 0 && f.gap(now) == f.disk() {
			what = "disk"
		}
	}
	bound(float64(l.Clients)/cycle, what)
	cpu := f.demand(now)
	bound(float64(s.Cores)/cpu, "cores")
	if l.Writes > 0 {
		bound(1/(l.Writes*f.hottest*seconds(c.Apply)), "apply of one group")
	}
	return best
}

// demand is what a request takes of the busiest machine's cores.
func (f *formula) demand(now guess) float64 {
	s, l, c := f.cfg.Shape, f.cfg.Load, f.cfg.Costs
	machines := make([]float64, s.Nodes)
	for i := range machines {
		machines[i] += f.at(i) * (seconds(c.Server+c.Handler) + l.Writes*seconds(c.Command) + f.away*f.relay(now))
	}
	for g, q := range f.share {
		// A group's entries carry as much less as it has less to write.
		entry := math.Max(1, now.entry*q/f.hottest)
		for k := range s.replicas() {
			m := &machines[(s.leader(g)+k)%s.Nodes]
			own := seconds(c.Follower)
			if k == 0 {
				own = seconds(c.Entry)
				*m += q * (f.away*f.relay(now) + (1-l.Writes)*f.asks()*seconds(c.Round)/now.own)
			}
			*m += q * l.Writes * (own/entry + seconds(c.Apply))
		}
	}
	if !s.OneMachine {
		return slices.Max(machines)
	}
	sum := seconds(c.Client)
	for _, m := range machines {
		sum += m
	}
	return sum
}

// relay is what one end of the way to the leader costs a request.
func (f *formula) relay(now guess) float64 {
	w := f.cfg.Load.Writes
	return seconds(f.cfg.Costs.Forward) / 2 * (w/now.batch + (1-w)/now.round)
}
