package queue

import (
	"math/rand/v2"
	"time"
)

// world is one run under way.
type world struct {
	clock
	cfg      Config
	rnd      *rand.Rand
	zipf     zipf
	machines []*machine
	nodes    []*node
	groups   []*group
	trees    []tree
	book     book
	moving   int // moves under way
}

// machine has cores and a disk, for one node or for all of them.
type machine struct{ cpu, disk *station }

// node is a member of the cluster; edges and rounds are by group, made when they are needed.
type node struct {
	w       *world
	id      int
	machine *machine
	edges   map[int]*edge
	rounds  map[int]*rounds
}

// group is a Raft group.
type group struct {
	w        *world
	id       int
	replicas []*replica // the leader first
	proposer proposer
	confirms rounds
	entries  int
	commands int
}

// replica is a group's part on one node, with its two lanes.
type replica struct {
	node       *node
	raft, fold *station // Raft's main loop; the machine's writer
}

// tree is what requests are for.
type tree struct {
	group  int
	rows   int
	frozen bool
	wait   []func() // requests that came while it was frozen
}

func newWorld(cfg Config) *world {
	w := &world{cfg: cfg, rnd: rand.New(rand.NewPCG(cfg.Seed, 0x7175657565)), zipf: newZipf(cfg.Load.Trees, cfg.Load.Skew)}
	s := cfg.Shape
	for i := range s.Nodes {
		if i == 0 || !s.OneMachine {
			w.machines = append(w.machines, &machine{newStation(&w.clock, s.Cores), newStation(&w.clock, 1)})
		}
		w.nodes = append(w.nodes, &node{w: w, id: i, machine: w.machines[len(w.machines)-1], edges: map[int]*edge{}, rounds: map[int]*rounds{}})
	}
	for i := range s.Groups {
		g := &group{w: w, id: i}
		for k := range s.replicas() {
			g.replicas = append(g.replicas, &replica{w.nodes[(s.leader(i)+k)%s.Nodes], newStation(&w.clock, 1), newStation(&w.clock, 1)})
		}
		g.confirms.ask = g.confirm
		w.groups = append(w.groups, g)
	}
	for i := range cfg.Load.Trees {
		w.trees = append(w.trees, tree{group: s.groupOf(i), rows: int(w.zipf.share(i) * float64(cfg.Load.Tokens))})
	}
	return w
}

// vary draws a service time around d.
func (w *world) vary(d time.Duration) time.Duration {
	if w.cfg.Spread == 0 || d == 0 {
		return d
	}
	return time.Duration(float64(d) * (1 - w.cfg.Spread + w.cfg.Spread*w.rnd.ExpFloat64()))
}

// work takes a core of the node for about d.
func (n *node) work(d time.Duration, then func()) {
	if d == 0 {
		then()
		return
	}
	n.machine.cpu.serve(n.w.vary(d), then)
}

// sync takes the node's disk.
func (n *node) sync(then func()) { n.machine.disk.serve(n.w.vary(n.w.cfg.Costs.Sync), then) }

// hop is a message from one node to another; to itself it takes no time.
func (w *world) hop(from, to *node, then func()) {
	if from == to {
		then()
		return
	}
	w.after(w.cfg.Costs.Hop, then)
}

// edge returns the node's group commit for a group.
func (n *node) edge(g int) *edge {
	e := n.edges[g]
	if e == nil {
		e = &edge{node: n, group: n.w.groups[g]}
		n.edges[g] = e
	}
	return e
}

// round returns the node's read rounds for a group.
func (n *node) round(g int) *rounds {
	r := n.rounds[g]
	if r == nil {
		r = &rounds{}
		r.ask = func(done func()) { n.askLeader(n.w.groups[g], done) }
		n.rounds[g] = r
	}
	return r
}

func (g *group) leader() *node { return g.replicas[0].node }
