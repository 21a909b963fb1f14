package move

import "fmt"

// Scenario is what may happen.
type Scenario struct {
	Requests []kind
	Moves    int8 // at most
	Fence    bool
	// Bug leaves a rule of the protocol out, to show that the checks can fail.
	Bug Bug
}

// Bug is a rule left out.
type Bug string

// The rules that can be left out.
const (
	NoBug           Bug = ""
	EarlyActivation Bug = "the target serves before the commit"
	LonelyThaw      Bug = "the source thaws without an abort"
	ServingFrozen   Bug = "a frozen group applies"
	ForgottenNo     Bug = "a group does not remember that it said no"
	ImpatientEdge   Bug = "an edge asks the other group without an answer of the first"
	OldActivation   Bug = "an activation of another epoch counts"
	OldRows         Bug = "rows of an old epoch are taken"
	OldDrop         Bug = "a drop of an old epoch counts"
	UnreadyCommit   Bug = "the directory commits before the target has the rows"
	UnfencedRows    Bug = "an activation does not fence what came in"
)

// Bugs are all of them.
var Bugs = []Bug{
	EarlyActivation, LonelyThaw, ServingFrozen, ForgottenNo, ImpatientEdge, OldActivation, OldRows, OldDrop, UnreadyCommit, UnfencedRows,
}

// next yields every state that is one step from s, with the name of the step.
func (sc Scenario) next(s state, yield func(string, state)) {
	sc.directory(s, yield)
	for e := int8(2); e <= s.dir.last; e++ {
		sc.source(s, e, yield)
		sc.target(s, e, yield)
	}
	sc.fences(s, yield)
	for i := range s.asks {
		if s.asks[i].kind != nothing {
			sc.edge(s, i, yield)
		}
	}
}

// directory plans, commits and aborts.
func (sc Scenario) directory(s state, yield func(string, state)) {
	d := s.dir
	if !d.open && d.last <= sc.Moves {
		n := s
		n.dir.last++
		n.dir.open = true
		n.dir.plans[n.dir.last] = plan{from: d.owner, to: 1 - d.owner}
		yield(fmt.Sprintf("plan %d: from %d to %d", n.dir.last, d.owner, 1-d.owner), n)
	}
	if !d.open {
		return
	}
	if d.readyAt[d.last] || sc.Bug == UnreadyCommit {
		n := s
		n.dir.open = false
		n.dir.owner = d.plans[d.last].to
		n.dir.plans[d.last].outcome = committed
		yield(fmt.Sprintf("commit %d", d.last), n)
	}
	n := s
	n.dir.open = false
	n.dir.plans[d.last].outcome = aborted
	yield(fmt.Sprintf("abort %d", d.last), n)
}

// source is what messages of epoch e do at the group that gives the shard away.
func (sc Scenario) source(s state, e int8, yield func(string, state)) {
	p := s.dir.plans[e]
	g := s.groups[p.from]
	step := func(name string, change func(n *state, g *group)) {
		n := s
		change(&n, &n.groups[p.from])
		yield(fmt.Sprintf("%s %d at %d", name, e, p.from), n)
	}
	if g.role == owner && g.epoch < e {
		step("freeze", func(n *state, g *group) {
			g.role, g.epoch = frozen, e
			n.streams[e].rows = g.rows
			n.streams[e].rows.fenced = [parts]bool{}
		})
	}
	if g.role == frozen && g.epoch == e {
		for k := range parts {
			version := 0
			if g.rows.fenced[k] {
				version = 1
			}
			if !s.streams[e].sent[k][version] {
				step(fmt.Sprintf("send part %d of", k), func(n *state, _ *group) { n.streams[e].sent[k][version] = true })
			}
		}
	}
	switch {
	case p.outcome == committed && g.role == frozen && g.epoch == e:
		step("release", func(_ *state, g *group) { *g = group{epoch: e, fenced: g.fenced} })
	case p.outcome == aborted && (g.role == frozen && g.epoch == e || g.role == owner && g.epoch < e):
		step("thaw", func(_ *state, g *group) { g.role, g.epoch = owner, e })
	case p.outcome == undecided && sc.Bug == LonelyThaw && g.role == frozen && g.epoch == e:
		step("thaw alone", func(_ *state, g *group) { g.role = owner })
	}
}

// target is what messages of epoch e do at the group that gets the shard.
func (sc Scenario) target(s state, e int8, yield func(string, state)) {
	p := s.dir.plans[e]
	g := s.groups[p.to]
	step := func(name string, change func(n *state, g *group)) {
		n := s
		change(&n, &n.groups[p.to])
		yield(fmt.Sprintf("%s %d at %d", name, e, p.to), n)
	}
	for k := range parts {
		for version, sent := range s.streams[e].sent[k] {
			fresh := g.epoch < e || (g.epoch == e && g.role == receiving && !g.got[k])
			if sent && (fresh || (sc.Bug == OldRows && g.epoch >= e)) {
				step(fmt.Sprintf("receive part %d of", k), func(n *state, g *group) {
					g.receive(e, k, n.streams[e].rows, version == 1, sc.Bug != OldRows)
				})
			}
		}
	}
	if g.role == receiving && g.epoch == e && g.got == [parts]bool{true, true} {
		step("ready", func(n *state, g *group) {
			g.role = ready
			n.dir.readyAt[e] = true
		})
	}
	right := g.epoch == e || sc.Bug == OldActivation
	if g.role == ready && right && (p.outcome == committed || sc.Bug == EarlyActivation) {
		step("activate", func(_ *state, g *group) {
			g.role = owner
			if g.fenced && sc.Bug != UnfencedRows {
				g.rows.fenced = [parts]bool{true, true}
			}
		})
	}
	if p.outcome == aborted && (g.epoch < e || (g.epoch == e && g.role != none) || (sc.Bug == OldDrop && g.role != none)) {
		step("drop", func(_ *state, g *group) { *g = group{epoch: max(g.epoch, e), fenced: g.fenced} })
	}
}

// receive takes part k of the rows.
func (g *group) receive(e int8, k int, from rows, fenced, clean bool) {
	if g.epoch < e && clean {
		*g = group{epoch: e, role: receiving, fenced: g.fenced}
	}
	if g.role == none {
		g.role = receiving
	}
	g.epoch = max(g.epoch, e)
	g.got[k] = true
	g.rows.uses[k], g.rows.fenced[k], g.rows.dead = from.uses[k], fenced, from.dead
}

// fences is the prefix revocation.
func (sc Scenario) fences(s state, yield func(string, state)) {
	if !sc.Fence {
		return
	}
	n := s
	switch {
	case s.fence == 0:
		n.fence = 1
		yield("plan the fence", n)
	case s.fence == 1 && s.groups[0].fenced && s.groups[1].fenced:
		n.fence = 2
		yield("acknowledge the fence", n)
	}
	for i, g := range s.groups {
		if s.fence >= 1 && !g.fenced {
			n := s
			n.groups[i].fenced = true
			if g.role != none {
				n.groups[i].rows.fenced = [parts]bool{true, true}
			}
			yield(fmt.Sprintf("fence at %d", i), n)
		}
	}
}
