package fsm

import "time"

// ClusterStatus is what a node knows of its cluster without asking anyone. It is
// declared here, because cluster fills it and httpapi shows it, and neither knows
// the other.
type ClusterStatus struct {
	NodeID      string
	Initialized bool // this node belongs to a cluster, whether or not it has a quorum
	IsLeader    bool
	Term        uint64
	Leader      Member    // zero if none is known
	LeaderSince time.Time // when this node last saw the leader change
	Applied     uint64    // last index that the local machine applied
	Committed   uint64    // last index that raft knows to be committed
	ConfigIndex uint64    // index of the raft configuration
	Servers     []Server  // the raft configuration, in its order
}

// Server is a member of the raft configuration.
type Server struct {
	ID       string
	Address  string
	Voter    bool
	Leader   bool
	LastSeen time.Time // last contact; zero if unknown or self
	// Skew is how far its clock is from the median of the voters', as this node measures it; zero if
	// that is within what can be measured.
	Skew time.Duration
}
