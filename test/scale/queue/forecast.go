package queue

import (
	"math"
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
	entry float64 // commands per log entry of the hottest group
	batch float64 // … per batch of an edge that is not on the leader
	round float64 // reads per round of an edge
	own   float64 // … per round of the leader
	busy  float64 // utilisation of the busiest machine's cores
}

func mean(a, b guess) guess {
	return guess{(a.entry + b.entry) / 2, (a.batch + b.batch) / 2, (a.round + b.round) / 2, (a.own + b.own) / 2, (a.busy + b.busy) / 2}
}

// formula evaluates the closed form.
//
// What the stations can do at most, by the utilisation law: a request takes of the busiest
// machine's cores
//
//	H + w·C + … + (w·q·E + …)/entry          (demands)
//
// so that rate ≤ cores / demand, rate ≤ 1 / (w·q·A) for the writer of the hottest group's
// machine, rate ≤ 1 / (syncs·S/entry) for the busiest disk.
//
// What the clients can ask for at most, by Little's law: rate = clients / (time of a cycle).
// In group commit nobody goes at once: who comes while batches are under way waits for the
// next, so that a cycle is
//
//	Z + max(g/2, g-Z) + way                   Z: HTTP; g: time between two batches
//
// and the way of a write is two entries long, because two are under way at a time. That g-Z
// is what makes small batches at small loads: a client that is answered comes back too late
// for the batch that starts then. Waiting for a core is Sakasegawa's approximation for M/M/c.
type formula struct {
	cfg     Config
	away    float64   // share of requests that arrive elsewhere than at the leader
	sources float64   // nodes that clients ask
	hottest float64   // share of the hottest group
	share   []float64 // of the requests, by group
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
	now := guess{1, 1, 1, 1, 0}
	var x Forecast
	for range 400 {
		x = f.rate(now)
		now = mean(now, f.confirm(x.Rate, now))
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

// log is how long Raft's main loop is busy with an entry.
func (f *formula) log(now guess) float64 {
	return seconds(f.cfg.Costs.Entry, f.cfg.Costs.Sync) + f.wait(now.busy)
}

// entry is how long an entry takes, from the leader's main loop to its results.
func (f *formula) entry(now guess) float64 {
	c := f.cfg.Costs
	t := f.log(now) + now.entry*seconds(c.Apply) + f.wait(now.busy)
	if f.cfg.Shape.replicas() > 1 {
		t += seconds(c.Follower, c.Sync, 2*c.Hop) + f.wait(now.busy)
	}
	return t
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

// writes returns the time of a write's cycle: alone, and in company.
func (f *formula) writes(now guess) (alone, company float64) {
	alone = f.http(now) + f.forward(now) + f.entry(now)
	gap := max(f.log(now), f.entry(now)/entriesInFlight)
	z := f.http(now) + f.burst(now.batch)
	way := max(f.entry(now), entriesInFlight*gap)
	if f.sources == 1 {
		return alone, z + next(gap, z) + way
	}
	// The edges' batches wait for the next entry, and more commands for the next batch.
	way += f.forward(now) + gap/2
	return alone, z + next(way/batchesInFlight, z) + way
}

// reads returns the time of a read's cycle: alone, and in company.
func (f *formula) reads(now guess) (alone, company float64) {
	c := f.cfg.Costs
	round := seconds(c.Round) + f.wait(now.busy)
	if f.cfg.Shape.replicas() > 1 {
		round += seconds(2 * c.Hop)
	}
	alone = f.http(now) + f.forward(now) + round
	z := f.http(now) + f.burst(now.round)
	way := f.forward(now) + round
	if f.sources > 1 {
		way += round / 2
	}
	return alone, z + next(way, z) + way
}

// confirm says how much comes together at a rate.
func (f *formula) confirm(rate float64, now guess) guess {
	l := f.cfg.Load
	gap := max(f.log(now), f.entry(now)/entriesInFlight)
	_, write := f.writes(now)
	alone, read := f.reads(now)
	writes, reads := rate*l.Writes*f.hottest, rate*(1-l.Writes)*f.hottest
	atMost := func(n, most float64) float64 { return math.Max(1, math.Min(n, most)) }
	cpu, _ := f.demands(now)
	return guess{
		entry: atMost(writes*gap, entryItems),
		batch: atMost(writes/f.sources*(write-f.http(now))/(2*batchesInFlight), batchItems),
		round: atMost(reads/f.sources*(read-f.http(now))/2, float64(l.Clients)),
		own:   atMost(reads*(alone-f.http(now)-f.forward(now)), float64(l.Clients)),
		busy:  rate * cpu / float64(f.cfg.Shape.Cores),
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
	met := 1 - f.sources/float64(l.Clients) // that there is another one at the same edge
	cycle := alone + met*(company-alone)
	what := "clients"
	if company > 1.2*alone && met > 0.5 {
		what = "group commit"
	}
	bound(float64(l.Clients)/cycle, what)
	cpu, disk := f.demands(now)
	bound(float64(s.Cores)/cpu, "cores")
	if l.Writes > 0 {
		bound(1/(l.Writes*f.hottest*seconds(c.Apply)), "apply of one group")
		if disk > 0 {
			bound(1/disk, "disk")
		}
	}
	return best
}

// demands returns what a request takes of the busiest machine's cores, and of its disk.
func (f *formula) demands(now guess) (cpu, disk float64) {
	s, l, c := f.cfg.Shape, f.cfg.Load, f.cfg.Costs
	machines := make([]struct{ cpu, disk float64 }, s.Nodes)
	for i := range machines {
		machines[i].cpu += f.at(i) * (seconds(c.Server+c.Handler) + l.Writes*seconds(c.Command) + f.away*f.relay(now))
	}
	for g, q := range f.share {
		// A group's entries carry as much less as it has less to write.
		entry := math.Max(1, now.entry*q/f.hottest)
		for k := range s.replicas() {
			m := &machines[(s.leader(g)+k)%s.Nodes]
			own := seconds(c.Follower)
			if k == 0 {
				own = seconds(c.Entry)
				m.cpu += q * (f.away*f.relay(now) + (1-l.Writes)*seconds(c.Round)/now.own)
			}
			m.cpu += q * l.Writes * (own/entry + seconds(c.Apply))
			m.disk += q * l.Writes * seconds(c.Sync) / entry
		}
	}
	for _, m := range machines {
		if s.OneMachine {
			cpu, disk = cpu+m.cpu, disk+m.disk
		} else {
			cpu, disk = max(cpu, m.cpu), max(disk, m.disk)
		}
	}
	if s.OneMachine {
		cpu += seconds(c.Client)
	}
	return cpu, disk
}

// relay is what one end of the way to the leader costs a request.
func (f *formula) relay(now guess) float64 {
	w := f.cfg.Load.Writes
	return seconds(f.cfg.Costs.Forward) / 2 * (w/now.batch + (1-w)/now.round)
}
