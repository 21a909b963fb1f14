package queue

// request is one request of a client.
type request struct {
	id     int
	client int
	tree   int
	write  bool
	node   *node
}

// start lets every client send its first request.
func (w *world) start() {
	for c := range w.cfg.Load.Clients {
		w.issue(c)
	}
	for _, m := range w.cfg.Moves {
		w.moving++
		w.after(m.At, func() { w.move(m) })
	}
}

// issue sends the client's next request, if there are any left.
func (w *world) issue(client int) {
	l := w.cfg.Load
	if w.book.issued == l.Requests {
		return
	}
	r := &request{
		id: w.book.issue(w.now), client: client, tree: w.zipf.pick(w.rnd), write: w.rnd.Float64() < l.Writes,
		node: w.nodes[client%len(w.nodes)],
	}
	if l.OnLeader {
		r.node = w.groups[0].leader()
	}
	cost := w.cfg.Costs.Server/2 + w.cfg.Costs.Handler
	if r.write {
		cost += w.cfg.Costs.Command
	}
	w.travel(func() { r.node.work(cost, func() { w.route(r) }) })
}

// travel is the way between client and node.
func (w *world) travel(then func()) {
	if w.cfg.Shape.OneMachine {
		then()
		return
	}
	w.after(w.cfg.Costs.Hop, then)
}

// route brings the request to the group of its tree, which a moving tree has not.
func (w *world) route(r *request) {
	t := &w.trees[r.tree]
	if t.frozen {
		t.wait = append(t.wait, func() { w.route(r) })
		return
	}
	if r.write {
		t.writes++
		r.node.edge(t.group).propose(func() { w.render(r) })
	} else {
		r.node.round(t.group).get(func() { w.render(r) })
	}
}

// render answers the client, who goes on.
func (w *world) render(r *request) {
	r.node.work(w.cfg.Costs.Server-w.cfg.Costs.Server/2, func() {
		w.travel(func() {
			if !w.cfg.Shape.OneMachine {
				w.answer(r)
				return
			}
			r.node.work(w.cfg.Costs.Client, func() { w.answer(r) })
		})
	})
}

func (w *world) answer(r *request) {
	w.book.answer(r.id, w.now)
	w.issue(r.client)
}
