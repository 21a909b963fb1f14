package queue

import (
	"math/rand/v2"
	"slices"
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
	log        []func() // what to do when each entry that waits for Raft's main loop is stored
	storing    bool
}

// tree is what requests are for.
type tree struct {
	group  int
	rows   int
	leaves bool // a move is under way
	frozen bool
	wait   []func() // requests that came while it was frozen
	writes int
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
			g.replicas = append(g.replicas, &replica{node: w.nodes[(s.leader(i)+k)%s.Nodes], raft: newStation(&w.clock, 1), fold: newStation(&w.clock, 1)})
		}
		g.confirms.ask = func(done func()) { g.confirm(g.majority()-1, done) }
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

// yield waits for a core and gives it back: a goroutine that lets others go first.
func (n *node) yield(then func()) { n.machine.cpu.serve(0, then) }

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

func (g *group) majority() int { return len(g.replicas)/2 + 1 }

// follows reports whether the node has a replica of the group that does not lead.
func (g *group) follows(n *node) bool {
	return slices.ContainsFunc(g.replicas[1:], func(r *replica) bool { return r.node == n })
}
