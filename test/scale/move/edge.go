package move

import "fmt"

// edge is what happens to request i: at its edge, and when one of its copies arrives.
func (sc Scenario) edge(s state, i int, yield func(string, state)) {
	a := s.asks[i]
	if !a.issued {
		for g := range int8(2) { // the edge's directory may be old
			n := s
			n.asks[i].issued, n.asks[i].first = true, g
			yield(fmt.Sprintf("request %d goes to %d", i, g), n)
		}
		return
	}
	for k := int8(0); k <= a.attempt; k++ {
		sc.arrive(s, i, k, yield)
	}
	if a.answered {
		return
	}
	switch r := a.results[a.attempt]; {
	case r == done || r == denied:
		n := s
		n.asks[i].answered = true
		yield(fmt.Sprintf("request %d is answered", i), n)
	case r == moved || (r == noResult && sc.Bug == ImpatientEdge):
		if a.attempt+1 < maxAttempts {
			n := s
			n.asks[i].attempt++
			yield(fmt.Sprintf("request %d goes to %d anew", i, a.at(a.attempt+1)), n)
		}
	}
}

// arrive is a copy of attempt k of request i at its group.
func (sc Scenario) arrive(s state, i int, k int8, yield func(string, state)) {
	a := s.asks[i]
	at := a.at(k)
	g := s.groups[at]
	known := a.results[k]
	if known == done || known == denied || (known == moved && sc.Bug != ForgottenNo) {
		return // the group answers what it remembers
	}
	n := s
	switch {
	case g.role == owner || (g.role == frozen && sc.Bug == ServingFrozen):
		n.asks[i].results[k] = n.apply(at, a.kind)
		yield(fmt.Sprintf("request %d is applied at %d", i, at), n)
	case g.role == none && known == noResult:
		n.asks[i].results[k] = moved
		yield(fmt.Sprintf("request %d is refused at %d", i, at), n)
	}
}

// apply has a request's effect on the group's rows, and on the truth.
func (s *state) apply(at int8, k kind) result {
	r := &s.groups[at].rows
	if r.dead {
		return denied
	}
	switch k {
	case revoke:
		r.dead, s.truth.dead = true, true
	case useFirst, useSecond:
		row := k - useFirst
		if r.fenced[row] || r.uses[row] == 0 {
			return denied
		}
		r.uses[row]--
		s.truth.uses[row]--
	}
	return done
}
