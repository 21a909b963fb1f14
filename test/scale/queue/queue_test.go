package queue

import (
	"math"
	"reflect"
	"testing"
	"time"
)

// example are round numbers like those of Measured, which change with the machine.
var example = Costs{
	Server: 30 * time.Microsecond, Client: 25 * time.Microsecond, Handler: 20 * time.Microsecond,
	Entry: 100 * time.Microsecond, Follower: 150 * time.Microsecond, Command: 4 * time.Microsecond, Apply: 3 * time.Microsecond,
	Forward: 30 * time.Microsecond, Round: 50 * time.Microsecond,
	Sync: 200 * time.Microsecond, Hop: 100 * time.Microsecond, Row: 2 * time.Microsecond,
}

// mixed is a configuration in which everything happens: several groups, reads and writes,
// trees that move, more nodes than replicas.
func mixed(seed uint64) Config {
	return Config{
		Costs: example, Spread: 0.3, Seed: seed,
		Shape: Shape{Nodes: 5, Replicas: 3, Cores: 2, Groups: 4},
		Load:  Load{Clients: 60, Writes: 0.5, Trees: 200, Skew: 1, Tokens: 50_000, Requests: 8000},
		Moves: []Move{{At: 20 * time.Millisecond, Tree: 0, To: 2}, {At: 30 * time.Millisecond, Tree: 0, To: 3}, {At: 50 * time.Millisecond, Tree: 1, To: 0, Live: true}, {At: 150 * time.Millisecond, Tree: 0, To: 1}},
	}
}

func run(t *testing.T, cfg Config) Result {
	t.Helper()
	r, err := Run(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestLaws: Run checks conservation and Little's law itself, exactly; here are runs that
// could break them, and that the checks look.
func TestLaws(t *testing.T) {
	for seed := range uint64(12) {
		cfg := mixed(seed)
		r := run(t, cfg)
		if len(r.answers) != cfg.Load.Requests {
			t.Errorf("seed %d: %d answers to %d requests", seed, len(r.answers), cfg.Load.Requests)
		}
		if len(r.Pauses) < 2 {
			t.Errorf("seed %d: %d moves, want 2 or more", seed, len(r.Pauses))
		}
	}
}

// TestLittle: the number inside is rate times residence, when both are taken in the middle
// of the run: without the ends the law is no identity any more, and holds within a hundredth.
func TestLittle(t *testing.T) {
	cfg := mixed(1)
	cfg.Moves, cfg.Load.Requests = nil, 40_000
	r := run(t, cfg)
	if got, want := r.Rate*r.Mean.Seconds(), float64(cfg.Load.Clients); math.Abs(got/want-1) > 0.01 {
		t.Errorf("rate × residence = %.2f, %g clients are always inside", got, want)
	}
	if math.Abs(r.Inside/float64(cfg.Load.Clients)-1) > 0.05 {
		t.Errorf("%.2f inside on average, want about %d", r.Inside, cfg.Load.Clients)
	}
}

// TestLiveMovePausesLess: what is copied while the tree is served is not waited for.
func TestLiveMovePausesLess(t *testing.T) {
	var took [2]time.Duration
	for i, live := range []bool{false, true} {
		cfg := mixed(1)
		cfg.Moves = []Move{{At: 20 * time.Millisecond, Tree: 0, To: (cfg.Shape.groupOf(0) + 1) % 4, Live: live}}
		took[i] = run(t, cfg).Pauses[0].Took
	}
	if took[1] >= took[0] || took[1] <= 0 {
		t.Errorf("pauses of %s frozen, %s live", took[0], took[1])
	}
}

func TestBookCanFail(t *testing.T) {
	finished := func() *world {
		cfg := mixed(1)
		cfg.Load.Requests, cfg.Moves = 100, nil
		w := newWorld(cfg)
		w.start()
		for w.step() {
		}
		return w
	}
	if w := finished(); w.book.check(w) != nil {
		t.Fatal(w.book.check(w))
	}
	for name, spoil := range map[string]func(w *world){
		"answered twice": func(w *world) { w.book.answer(5, w.now) },
		"never answered": func(w *world) { w.book.answered-- },
		"never sent":     func(w *world) { w.cfg.Load.Requests++ },
		"time lost":      func(w *world) { w.book.spent-- },
		"still inside":   func(w *world) { w.book.count(w.now, 1) },
		"move under way": func(w *world) { w.moving++ },
		"work left":      func(w *world) { w.nodes[3].work(time.Second, func() {}) },
	} {
		t.Run(name, func(t *testing.T) {
			w := finished()
			spoil(w)
			if w.book.check(w) == nil {
				t.Error("not noticed")
			}
		})
	}
}

func TestSameSeedSameResult(t *testing.T) {
	a, b := run(t, mixed(7)), run(t, mixed(7))
	if !reflect.DeepEqual(a, b) {
		t.Errorf("the same seed gave\n%+v\n%+v", a.Rate, b.Rate)
	}
	if c := run(t, mixed(8)); c.Elapsed == a.Elapsed {
		t.Error("another seed gave the same")
	}
}

// alone is one client, who meets no queue: its time is the sum of what is on its way.
func TestOneClientIsTheSum(t *testing.T) {
	c := example
	http := c.Server + c.Handler + 2*c.Hop
	entry := c.Command + c.Entry + c.Sync + c.Apply
	follow := c.Follower + c.Sync + 2*c.Hop
	for name, k := range map[string]struct {
		shape    Shape
		writes   float64
		onLeader bool
		want     time.Duration
	}{
		"write, one node":            {Shape{Nodes: 1}, 1, true, http + entry},
		"write, three nodes":         {Shape{Nodes: 3}, 1, true, http + entry + follow},
		"write, five, three of them": {Shape{Nodes: 5, Replicas: 3}, 1, true, http + entry + follow},
		"write, one machine":         {Shape{Nodes: 1, OneMachine: true}, 1, true, http + entry - 2*c.Hop + c.Client},
		"read, one node":             {Shape{Nodes: 1}, 0, true, http},
		"read, three nodes":          {Shape{Nodes: 3}, 0, true, http + c.Round + 2*c.Hop},
	} {
		t.Run(name, func(t *testing.T) {
			k.shape.Cores, k.shape.Groups = 2, 1
			cfg := Config{Costs: c, Shape: k.shape, Load: Load{Clients: 1, Writes: k.writes, Trees: 1, Requests: 100, OnLeader: k.onLeader}}
			r := run(t, cfg)
			if r.Mean != k.want || r.P99 != k.want {
				t.Errorf("mean %s, p99 %s, want %s", r.Mean, r.P99, k.want)
			}
			f, err := Predict(cfg)
			if err != nil || math.Abs(f.Rate*k.want.Seconds()-1) > 1e-9 || f.Limit != "clients" {
				t.Errorf("closed form %+v, %v, want %g/s", f, err, 1/k.want.Seconds())
			}
		})
	}
}

// near is how far one simulated group may be from its closed form with up to so many clients,
// far with more: the closed form knows no convoys (who is answered together comes back
// together), and guesses how much comes together.
const (
	near, far   = 0.25, 0.50
	nearClients = 128
)

// TestOneGroupIsTheClosedForm: over clients, cores, nodes and kinds of load.
func TestOneGroupIsTheClosedForm(t *testing.T) {
	worst := 0.0
	for _, nodes := range []int{1, 3, 5} {
		if underRace && nodes != 3 {
			continue
		}
		for _, cores := range []int{2, 8} {
			for _, clients := range []int{1, 4, 16, nearClients, 1024} {
				for _, writes := range []float64{0, 0.5, 1} {
					cfg := Config{
						Costs: example, Seed: 1, Spread: 0.3, Shape: Shape{Nodes: nodes, Cores: cores, Groups: 1},
						Load: Load{Clients: clients, Writes: writes, Trees: 1, Requests: 2000 + 40*clients},
					}
					r := run(t, cfg)
					f, err := Predict(cfg)
					if err != nil {
						t.Fatal(err)
					}
					off, bound := r.Rate/f.Rate-1, near
					if clients > nearClients {
						bound = far
					}
					if math.Abs(off) > bound {
						t.Errorf("%d nodes, %d cores, %d clients, %g writes: simulated %.0f/s, closed form %.0f/s (%s): %+.0f %%",
							nodes, cores, clients, writes, r.Rate, f.Rate, f.Limit, 100*off)
					}
					if clients <= nearClients {
						worst = max(worst, math.Abs(off))
					}
				}
			}
		}
	}
	t.Logf("up to %d clients at most %.0f %% apart", nearClients, 100*worst)
}

// TestLargeEntriesGoAhead: while an entry is under way the next gathers, and goes ahead of time
// when it is large, up to so many.
func TestLargeEntriesGoAhead(t *testing.T) {
	cfg := mixed(1)
	w := newWorld(cfg)
	g := w.groups[0]
	landed := 0
	steps := []struct{ commands, flying int }{
		{1, 1}, {pipelinedItems - 1, 1}, {1, 2}, {pipelinedItems, 3}, {pipelinedItems, 4}, {entryItems, 4}, {1, 4},
	}
	for i, s := range steps {
		g.proposer.submit(g, submission{s.commands, func() { landed++ }})
		for len(w.events) > 0 && w.events[0].at == w.now {
			w.step()
		}
		if g.proposer.flying != s.flying {
			t.Errorf("after submission %d of %d commands %d entries are under way, want %d", i, s.commands, g.proposer.flying, s.flying)
		}
	}
	for w.step() {
	}
	if landed != len(steps) || g.entries != 6 || g.proposer.flying != 0 || g.proposer.waiting != 0 {
		t.Errorf("%d of %d submissions landed in %d entries, want 6; %d under way, %d commands wait", landed, len(steps), g.entries, g.proposer.flying, g.proposer.waiting)
	}
}

// TestFit: the fit finds the law that made the points, and never one with a gain.
func TestFit(t *testing.T) {
	ns := []float64{1, 2, 4, 8, 16, 32}
	for _, want := range []Law{{100, 0.1, 0.001}, {100, 0.05, 0}, {5, 0, 0}} {
		var xs []float64
		for _, n := range ns {
			xs = append(xs, want.At(n))
		}
		got := Fit(ns, xs)
		if math.Abs(got.Lambda/want.Lambda-1) > 1e-6 || math.Abs(got.Sigma-want.Sigma) > 1e-6 || math.Abs(got.Kappa-want.Kappa) > 1e-6 {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	if got := Fit([]float64{1, 2, 4}, []float64{10, 30, 90}); got.Sigma < 0 || got.Kappa < 0 {
		t.Errorf("points that scale better than by their number give %+v", got)
	}
	if got := Fit(nil, nil); got != (Law{}) {
		t.Errorf("no point gives %+v", got)
	}
	if p := (Law{1, 0, 0.01}).Peak(); p != 10 {
		t.Errorf("peak at %g, want 10", p)
	}
}

func TestValidate(t *testing.T) {
	if err := mixed(1).Validate(); err != nil {
		t.Fatal(err)
	}
	for i, spoil := range []func(*Config){
		func(c *Config) { c.Shape.Nodes = 0 }, func(c *Config) { c.Shape.Replicas = 6 }, func(c *Config) { c.Load.Clients = 0 },
		func(c *Config) { c.Load.Requests = maxRequests + 1 }, func(c *Config) { c.Load.Writes = 1.1 }, func(c *Config) { c.Load.Writes = math.NaN() },
		func(c *Config) { c.Load.Skew = -1 }, func(c *Config) { c.Spread = 2 }, func(c *Config) { c.Moves[0].To = 4 }, func(c *Config) { c.Moves[0].Tree = 200 },
		func(c *Config) { c.Costs.Row = 0 }, func(c *Config) { c.Costs.Sync = -1 }, func(c *Config) { c.Costs.Server, c.Costs.Handler = 0, 0 },
	} {
		c := mixed(1)
		spoil(&c)
		if _, err := Run(c); err == nil {
			t.Errorf("case %d is allowed", i)
		}
		if _, err := Predict(c); err == nil {
			t.Errorf("case %d is allowed in the closed form", i)
		}
	}
}

func TestZipf(t *testing.T) {
	z := newZipf(4, 1)
	for k, want := range []float64{12.0 / 25, 6.0 / 25, 4.0 / 25, 3.0 / 25} {
		if got := z.share(k); math.Abs(got-want) > 1e-12 {
			t.Errorf("share %d is %g, want %g", k, got, want)
		}
	}
}

// TestGroupsAreEven: the trees' shards do not favour a group.
func TestGroupsAreEven(t *testing.T) {
	const trees = 100_000
	for _, groups := range []int{2, 7, 16} {
		s := Shape{Groups: groups}
		n := make([]int, groups)
		for i := range trees {
			n[s.groupOf(i)]++
		}
		for g, got := range n {
			if want := trees / groups; math.Abs(float64(got)/float64(want)-1) > 0.05 {
				t.Errorf("group %d of %d has %d trees, want about %d", g, groups, got, want)
			}
		}
	}
}

func TestSlices(t *testing.T) {
	r := Result{answers: []finish{{1, 5}, {9, 7}, {10, 3}, {35, 4}}}
	got := r.Slices(10)
	want := []Slice{{0, 2 / 1e-8, 7}, {10, 1 / 1e-8, 3}, {30, 1 / 1e-8, 4}}
	if len(got) != len(want) {
		t.Fatalf("got %+v", got)
	}
	for i := range want {
		if got[i].Start != want[i].Start || got[i].P99 != want[i].P99 || math.Abs(got[i].Rate/want[i].Rate-1) > 1e-9 {
			t.Errorf("slice %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}
