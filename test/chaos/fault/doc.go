// Package fault decides what breaks, when, and which nodes must go on serving meanwhile.
//
// A Schedule is made of a seed and nothing else, so that equal seeds give equal schedules. Run
// carries it out on a Cluster: it begins each fault, holds it, heals it, waits until the nodes are
// well again, and notes all that in the log of the run. Every one of these is bounded in time. At
// most two faults overlap, and together they leave a majority, unless one says that it takes it.
package fault
