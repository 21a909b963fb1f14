package queue

import (
	"errors"
	"fmt"
	"time"
)

// The bounds of group commit, as in package cluster.
const (
	batchesInFlight = 16
	batchItems      = 512
	entriesInFlight = 4
	pipelinedItems  = 256
	entryItems      = 1024
)

// Shape is the cluster.
type Shape struct {
	Nodes    int
	Replicas int // of each group, at most Nodes; 0: all nodes
	Cores    int // of each machine
	Groups   int // Raft groups; group g is led by node g mod Nodes
	// OneMachine puts all nodes, their disks and the clients on one machine, as the
	// benchmarks of this project are run.
	OneMachine bool
}

// Load is what the clients want. Each sends its next request when it has an answer.
type Load struct {
	Clients  int
	Writes   float64 // share of requests that are entries of the log; the rest are linearizable reads
	Trees    int     // that requests are for
	Skew     float64 // of the trees' popularity and size: the k-th has 1/k^Skew; 0: all alike
	Tokens   int     // in all trees, for moves
	Requests int     // to answer; the first tenth is not counted in rates and latencies
	OnLeader bool    // all clients ask the node that leads group 0; else they are spread over the nodes
}

// Move hands a tree to another group.
type Move struct {
	At   time.Duration
	Tree int // by popularity, from 0
	To   int
	// Live copies the rows while the group goes on serving, and freezes it only for those
	// that were written meanwhile.
	Live bool
}

// Config is one run.
type Config struct {
	Costs Costs
	Shape Shape
	Load  Load
	Moves []Move
	// Spread is the share of each service time that is exponentially distributed: 0 makes
	// them constant.
	Spread float64
	Seed   uint64
}

// maxRequests bounds a run.
const maxRequests = 10_000_000

// Validate reports what is wrong with the configuration.
func (c Config) Validate() error {
	s, l := c.Shape, c.Load
	switch {
	case s.Nodes < 1 || s.Cores < 1 || s.Groups < 1:
		return fmt.Errorf("%d nodes, %d cores, %d groups: at least one of each is needed", s.Nodes, s.Cores, s.Groups)
	case s.Replicas < 0 || s.Replicas > s.Nodes:
		return fmt.Errorf("%d replicas on %d nodes", s.Replicas, s.Nodes)
	case l.Clients < 1 || l.Trees < 1 || l.Requests < 1 || l.Requests > maxRequests:
		return fmt.Errorf("%d clients, %d trees, %d requests: at least one of each, at most %d requests", l.Clients, l.Trees, l.Requests, maxRequests)
	case !(l.Writes >= 0 && l.Writes <= 1):
		return fmt.Errorf("a share of %g writes", l.Writes)
	case !(l.Skew >= 0 && l.Skew <= 4):
		return fmt.Errorf("a skew of %g, 0 to 4 are allowed", l.Skew)
	case !(c.Spread >= 0 && c.Spread <= 1):
		return fmt.Errorf("a spread of %g, 0 to 1 are allowed", c.Spread)
	}
	for _, m := range c.Moves {
		if m.At < 0 || m.Tree < 0 || m.Tree >= l.Trees || m.To < 0 || m.To >= s.Groups {
			return fmt.Errorf("move of tree %d to group %d at %s: there is no such", m.Tree, m.To, m.At)
		}
	}
	if len(c.Moves) > 0 && c.Costs.Row == 0 {
		return errors.New("a move needs the cost of a row")
	}
	return c.Costs.Validate()
}

// replicas is the number of replicas of a group.
func (s Shape) replicas() int {
	if s.Replicas == 0 {
		return s.Nodes
	}
	return s.Replicas
}

// leader is the node that leads group g.
func (s Shape) leader(g int) int { return g % s.Nodes }

// groupOf spreads trees over the groups: by a hash of the tree's shard, not by its popularity.
func (s Shape) groupOf(tree int) int {
	h := uint64(tree+1) * 0x9e3779b97f4a7c15
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return int((h >> 32) % uint64(s.Groups))
}
