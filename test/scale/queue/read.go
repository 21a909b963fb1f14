package queue

// rounds coalesces questions: everyone who asks while a round is under way shares the next.
type rounds struct {
	next    []func()
	running bool
	asked   int // rounds
	ask     func(done func())
}

func (r *rounds) get(done func()) {
	r.next = append(r.next, done)
	r.run()
}

func (r *rounds) run() {
	if r.running || len(r.next) == 0 {
		return
	}
	r.running = true
	r.asked++
	batch := r.next
	r.next = nil
	r.ask(func() {
		r.running = false
		for _, done := range batch {
			done()
		}
		r.run()
	})
}

// askLeader is a node's round: one question to the leader, which coalesces those of all nodes.
func (n *node) askLeader(g *group, done func()) {
	n.toLeader(g, g.confirms.get, done)
}

// confirm is the leader's round: a heartbeat to everyone, answered by a majority.
func (g *group) confirm(done func()) {
	w, lead := g.w, g.leader()
	lead.work(w.cfg.Costs.Round, func() {
		acks, majority := 0, len(g.replicas)/2+1
		ack := func() {
			if acks++; acks == majority {
				done()
			}
		}
		ack()
		for _, r := range g.replicas[1:] {
			w.hop(lead, r.node, func() { w.hop(r.node, lead, ack) })
		}
	})
}
