package fault

import (
	"slices"
	"sync"
)

// state is which faults are under way.
type state struct {
	nodes int
	mu    sync.Mutex // guards steps
	steps map[int]Step
}

// begin chooses whom a step is done to, and returns which nodes may fail from now on. leader
// leads, or is -1.
func (s *state) begin(st *Step, leader int) (cut []int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resolve(st, leader)
	s.steps[st.Number] = *st
	serving := s.serving()
	for n := range s.nodes {
		if !slices.Contains(serving, n) {
			cut = append(cut, n)
		}
	}
	return cut
}

func (s *state) end(number int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.steps, number)
}

// resolve puts the leader in its place and keeps off nodes that another step has.
func (s *state) resolve(st *Step, leader int) {
	st.Nodes = slices.Clone(st.Nodes)
	if st.Leader && leader >= 0 && len(st.Nodes) > 0 && !s.taken(leader) {
		if i := slices.Index(st.Nodes, leader); i > 0 {
			st.Nodes[i] = st.Nodes[0]
		}
		st.Nodes[0] = leader
	}
	for i, n := range st.Nodes {
		for free := 0; s.taken(n) && free < s.nodes; free++ {
			if !s.taken(free) && !slices.Contains(st.Nodes, free) {
				n = free
			}
		}
		st.Nodes[i] = n
	}
}

func (s *state) taken(n int) bool {
	for _, other := range s.steps {
		if slices.Contains(other.Nodes, n) {
			return true
		}
	}
	return false
}

// serving returns the nodes that must serve: a majority of untouched nodes each of which reaches each
// other both ways, and from which no link leads to an untouched node outside. Where the links
// have another shape, leadership may wander or be out of reach, and nobody must.
func (s *state) serving() []int {
	untouched := make([]bool, s.nodes)
	cut := map[Cut]bool{}
	for n := range untouched {
		untouched[n] = true
	}
	for _, st := range s.steps {
		if shape := kindOf(st.Kind).shape; shape == down || shape == weak {
			for _, n := range st.Nodes {
				untouched[n] = false
			}
		}
		for _, c := range st.Cuts(s.nodes) {
			cut[c] = true
		}
	}
	linked := func(a, b int) bool { return a == b || !cut[Cut{a, b}] && !cut[Cut{b, a}] }
	for start := range s.nodes {
		if !untouched[start] {
			continue
		}
		var group []int
		for n := range s.nodes {
			if untouched[n] && linked(start, n) {
				group = append(group, n)
			}
		}
		if len(group) > s.nodes/2 && closed(group, untouched, linked) {
			return group
		}
	}
	return nil
}

// closed reports whether the nodes of group all have the same links: to each other.
func closed(group []int, untouched []bool, linked func(a, b int) bool) bool {
	for _, a := range group {
		for b := range untouched {
			if untouched[b] && linked(a, b) != slices.Contains(group, b) {
				return false
			}
		}
	}
	return true
}
