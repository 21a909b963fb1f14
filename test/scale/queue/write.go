package queue

// edge gathers the commands of one node for one group: while batches are under way the next
// gathers.
type edge struct {
	node   *node
	group  *group
	queue  []func() // what each command does when it has its result
	flying int
	about  bool // to send
}

func (e *edge) propose(done func()) {
	e.queue = append(e.queue, done)
	e.send()
}

// send lets those go first who wait for a core: they may be about to propose, and join.
func (e *edge) send() {
	if e.about || e.flying == batchesInFlight || len(e.queue) == 0 {
		return
	}
	e.about = true
	e.flying++
	e.node.yield(e.depart)
}

func (e *edge) depart() {
	e.about = false
	n := min(len(e.queue), batchItems)
	batch := append([]func(){}, e.queue[:n]...)
	e.queue = append(e.queue[:0], e.queue[n:]...)
	landed := func() {
		e.flying--
		for _, done := range batch {
			done()
		}
		e.send()
	}
	e.send() // what is left
	e.node.toLeader(e.group, func(back func()) {
		e.group.proposer.submit(e.group, submission{n, back})
	}, landed)
}

// toLeader takes a call to the leader of g and its answer back. Between nodes that costs
// half of Forward at either end.
func (n *node) toLeader(g *group, call func(back func()), landed func()) {
	w, l := n.w, g.leader()
	if l == n {
		call(landed)
		return
	}
	half := w.cfg.Costs.Forward / 2
	n.work(half, func() {
		w.hop(n, l, func() {
			l.work(half, func() {
				call(func() { w.hop(l, n, landed) })
			})
		})
	})
}

// submission is a batch at the leader.
type submission struct {
	commands int
	done     func()
}

// proposer makes log entries of batches: while one is under way the next gathers, and goes
// ahead of time only when it is large.
type proposer struct {
	queue   []submission
	waiting int // commands in queue
	flying  int
	about   bool // to propose
}

func (p *proposer) submit(g *group, s submission) {
	p.queue = append(p.queue, s)
	p.waiting += s.commands
	p.propose(g)
}

func (p *proposer) ready() bool {
	return p.flying == 0 && p.waiting > 0 || p.flying < entriesInFlight && p.waiting >= pipelinedItems
}

func (p *proposer) propose(g *group) {
	if p.about || !p.ready() {
		return
	}
	p.about = true
	p.flying++
	g.leader().yield(func() { p.depart(g) })
}

func (p *proposer) depart(g *group) {
	p.about = false
	n, items := 0, 0
	for n < len(p.queue) && items < entryItems {
		items += p.queue[n].commands
		n++
	}
	batch := append([]submission{}, p.queue[:n]...)
	p.queue = append(p.queue[:0], p.queue[n:]...)
	p.waiting -= items
	p.propose(g) // what is left
	g.replicate(items, func() {
		p.flying--
		for _, s := range batch {
			s.done()
		}
		p.propose(g)
	})
}

// replicate brings an entry of n commands through Raft and the leader's machine.
func (g *group) replicate(n int, applied func()) {
	w, lead := g.w, g.replicas[0]
	c := w.cfg.Costs
	g.entries++
	g.commands += n
	acks, majority := 0, g.majority()
	ack := func() {
		if acks++; acks == majority {
			lead.apply(n, applied)
			for _, r := range g.replicas[1:] {
				r.apply(n, func() {})
			}
		}
	}
	lead.store(c.Entry, func() {
		ack()
		for _, r := range g.replicas[1:] {
			w.hop(lead.node, r.node, func() {
				r.store(c.Follower, func() { w.hop(r.node, lead.node, ack) })
			})
		}
	})
}
