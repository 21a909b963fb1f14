package fsm

import "time"

// AutopilotStatus is what the leader makes of the members. It is declared here, because cluster
// fills it and httpapi shows it, and neither knows the other.
type AutopilotStatus struct {
	Healthy          bool // all servers are
	FailureTolerance int  // healthy voters that may be lost
	Leader           string
	Voters           []string
	NonVoters        []string
	Servers          []AutopilotServer // sorted by ID
}

// AutopilotServer is one server as the leader sees it.
type AutopilotServer struct {
	ID          string
	Address     string
	NodeStatus  string // alive, failed
	Status      string // leader, voter, non-voter
	NodeType    string // voter, non-voter: what it is to be
	Version     string
	LastContact time.Duration
	LastTerm    uint64
	LastIndex   uint64
	Healthy     bool
	StableSince time.Time
}
