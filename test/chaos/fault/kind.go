package fault

import (
	"slices"
	"time"
)

// The kinds of fault.
const (
	// Kill ends nodes the way a power cut does, and starts them again.
	Kill = "kill"
	// Pause freezes nodes and thaws them.
	Pause = "pause"
	// Partition cuts the nodes off from the others, both ways.
	Partition = "partition"
	// Deaf cuts off what others send to the node, and Mute what the node sends to others.
	Deaf = "deaf"
	// Mute is described with Deaf.
	Mute = "mute"
	// Bridge cuts all but the first of the nodes in two halves, which only that one links.
	Bridge = "bridge"
	// Ring leaves each node two neighbours.
	Ring = "ring"
	// Slow delays what the node sends and receives.
	Slow = "slow"
	// Lossy loses some of what the node sends and receives.
	Lossy = "lossy"
	// DiskFull leaves the node no room for its state; sometimes it is started again meanwhile.
	DiskFull = "disk-full"
	// Clock makes the node's wall clock jump, and later back.
	Clock = "clock"
	// RestartStorm kills and starts the node again and again.
	RestartStorm = "restart-storm"
	// RollingRestart stops and starts all nodes, one after the other, gracefully.
	RollingRestart = "rolling-restart"
	// Replace takes the node out of the cluster, wipes it and lets it join as a new one.
	Replace = "replace"
	// Blackout kills a majority.
	Blackout = "blackout"
	// Transfer makes the leader hand over, several times.
	Transfer = "transfer"
)

// reach says how many nodes a fault is done to.
type reach uint8

const (
	nobody   reach = 1 // in particular
	one      reach = 2
	minority reach = 3 // one, or as many as leave a majority
	majority reach = 4
	everyone reach = 5
)

// kind is one line of the catalogue.
type kind struct {
	name   string
	weight int // how often within a bag of the schedule
	reach  reach
	alone  bool // overlaps with no other
	shape  uint8
	holds  [2]time.Duration // at least and at most
}

// What a fault does to its nodes, as far as it matters for who must go on serving.
const (
	nothing uint8 = 1 // nobody may notice
	down    uint8 = 2 // gone, or as good as
	weak    uint8 = 3 // it serves, perhaps
	links   uint8 = 4 // see Cuts
)

const second = time.Second

// catalogue has all kinds; the order is part of what a seed means.
var catalogue = []kind{
	{Kill, 4, minority, false, down, [2]time.Duration{second, 4 * second}},
	{Pause, 3, one, false, down, [2]time.Duration{second, 5 * second}},
	{Partition, 4, minority, false, links, [2]time.Duration{2 * second, 6 * second}},
	{Deaf, 2, one, false, links, [2]time.Duration{2 * second, 5 * second}},
	{Mute, 2, one, false, links, [2]time.Duration{2 * second, 5 * second}},
	{Bridge, 1, everyone, true, links, [2]time.Duration{2 * second, 4 * second}},
	{Ring, 1, everyone, true, links, [2]time.Duration{2 * second, 4 * second}},
	{Slow, 2, one, false, weak, [2]time.Duration{2 * second, 6 * second}},
	{Lossy, 2, one, false, weak, [2]time.Duration{2 * second, 6 * second}},
	{DiskFull, 2, one, false, weak, [2]time.Duration{3 * second, 6 * second}},
	{Clock, 2, one, false, weak, [2]time.Duration{2 * second, 6 * second}},
	{RestartStorm, 1, one, false, down, [2]time.Duration{second, 2 * second}},
	{RollingRestart, 1, everyone, true, down, [2]time.Duration{second / 2, second}},
	{Replace, 1, one, true, down, [2]time.Duration{second / 2, second}},
	{Blackout, 1, majority, true, down, [2]time.Duration{second, 2 * second}},
	{Transfer, 2, nobody, false, nothing, [2]time.Duration{second, 2 * second}},
}

// Kinds returns the names of all kinds.
func Kinds() []string {
	var names []string
	for _, k := range catalogue {
		names = append(names, k.name)
	}
	return names
}

func kindOf(name string) kind {
	i := slices.IndexFunc(catalogue, func(k kind) bool { return k.name == name })
	if i < 0 {
		panic("fault: no kind " + name) // a Schedule makes none
	}
	return catalogue[i]
}

// Cut is a direction between two nodes in which nothing arrives.
type Cut struct{ From, To int }

// Cuts returns the directions that a step cuts in a cluster of n.
func (s *Step) Cuts(n int) []Cut {
	var cuts []Cut
	for a := range n {
		for b := range n {
			if a != b && s.cuts(a, b, n) {
				cuts = append(cuts, Cut{a, b})
			}
		}
	}
	return cuts
}

func (s *Step) cuts(from, to, n int) bool {
	switch s.Kind {
	case Partition:
		return slices.Contains(s.Nodes, from) != slices.Contains(s.Nodes, to)
	case Deaf:
		return s.Nodes[0] == to
	case Mute:
		return s.Nodes[0] == from
	}
	a, b := slices.Index(s.Nodes, from), slices.Index(s.Nodes, to)
	switch s.Kind {
	case Bridge:
		return a > 0 && b > 0 && (a <= n/2) != (b <= n/2)
	case Ring:
		gap := (a - b + n) % n
		return gap != 1 && gap != n-1
	}
	return false
}
