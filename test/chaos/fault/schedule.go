package fault

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Step is one fault.
type Step struct {
	Number int
	Kind   string
	// Nodes are whom it is done to. With Leader, who leads then takes the place of the first.
	Nodes  []int
	Leader bool
	Hold   time.Duration
	// Level is between 0 and 99: how bad it is, in the terms of the kind.
	Level int
}

// Slot is a fault, or two that overlap.
type Slot struct {
	Steps []Step
	Lag   time.Duration // between the starts of two
	Rest  time.Duration // of the cluster, afterwards
}

// Schedule is an endless sequence of slots. It draws kinds from a bag: first one of each, so that short
// runs meet many, then the more weighty ones again.
type Schedule struct {
	rng   *rand.Rand
	nodes int
	kinds []kind
	bag   []kind
	count int
}

// New returns the schedule of a seed for a cluster of nodes, made of the kinds named: all, if none
// is. Unknown names are ignored.
func New(seed uint64, nodes int, names ...string) *Schedule {
	s := &Schedule{rng: rand.New(rand.NewPCG(seed, uint64(nodes))), nodes: nodes}
	for _, k := range catalogue {
		if len(names) > 0 && !slices.Contains(names, k.name) || k.name == Ring && nodes < 4 {
			continue
		}
		s.kinds = append(s.kinds, k)
	}
	return s
}

// Next returns the next slot.
func (s *Schedule) Next() Slot {
	k := s.draw()
	first := s.step(k, s.minority(), nil)
	slot := Slot{Steps: []Step{first}, Rest: s.between(second/5, second)}
	room := s.minority()
	if k.reach != nobody {
		room -= len(first.Nodes)
	}
	together := s.rng.IntN(3) > 0
	s.fill()
	next := s.bag[0]
	if !together || k.alone || next.alone || k.name == next.name || next.reach != nobody && room < 1 {
		return slot
	}
	s.draw()
	slot.Steps = append(slot.Steps, s.step(next, room, first.Nodes))
	slot.Lag = s.between(0, first.Hold)
	return slot
}

func (s *Schedule) minority() int { return (s.nodes - 1) / 2 }

// draw takes the next kind out of the bag.
func (s *Schedule) draw() kind {
	s.fill()
	k := s.bag[0]
	s.bag = s.bag[1:]
	return k
}

func (s *Schedule) fill() {
	if len(s.bag) > 0 {
		return
	}
	var more []kind
	for _, k := range s.kinds {
		for range k.weight - 1 {
			more = append(more, k)
		}
	}
	for _, part := range [][]kind{slices.Clone(s.kinds), more} {
		s.rng.Shuffle(len(part), func(i, j int) { part[i], part[j] = part[j], part[i] })
		s.bag = append(s.bag, part...)
	}
}

// step makes a fault of kind k that hits at most room nodes, if it leaves a majority at all, and none
// of those that are taken.
func (s *Schedule) step(k kind, room int, taken []int) Step {
	s.count++
	st := Step{Number: s.count, Kind: k.name, Leader: s.rng.IntN(2) == 0, Hold: s.between(k.holds[0], k.holds[1]), Level: s.rng.IntN(100)}
	size := 1
	switch k.reach {
	case nobody:
		size, st.Leader = 0, false
	case minority:
		size = 1 + s.rng.IntN(max(1, room))
	case majority:
		size = s.nodes/2 + 1
	case everyone:
		size = s.nodes
	}
	for _, n := range s.rng.Perm(s.nodes) {
		if len(st.Nodes) < size && !slices.Contains(taken, n) {
			st.Nodes = append(st.Nodes, n)
		}
	}
	return st
}

func (s *Schedule) between(a, b time.Duration) time.Duration {
	return a + time.Duration(s.rng.Int64N(int64(b-a)+1)).Round(time.Millisecond)
}
