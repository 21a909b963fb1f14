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

// askLeader is a node's round: one question to the leader. A follower that asks is a voter
// who says its term; if that and the leader are a majority, the leader asks nobody else.
func (n *node) askLeader(g *group, done func()) {
	n.toLeader(g, func(back func()) {
		if g.follows(n) && g.majority() == 2 {
			back()
			return
		}
		g.confirms.get(back)
	}, done)
}

// confirm is the leader's round: a question to everyone, until need have answered.
func (g *group) confirm(need int, done func()) {
	if need == 0 {
		done()
		return
	}
	w, lead := g.w, g.leader()
	lead.work(w.cfg.Costs.Round, func() {
		answers := 0
		for _, r := range g.replicas[1:] {
			w.hop(lead, r.node, func() {
				w.hop(r.node, lead, func() {
					if answers++; answers == need {
						done()
					}
				})
			})
		}
	})
}
