package fsm

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Autopilot is how the leader looks after the members: replicated, so that every leader does
// the same. The names and defaults are the reference's.
type Autopilot struct {
	// CleanupDeadServers takes servers out of the configuration that are gone for long.
	CleanupDeadServers bool `cbor:"1,keyasint,omitempty"`
	// LastContactThreshold is for how long a healthy server may say nothing.
	LastContactThreshold time.Duration `cbor:"2,keyasint"`
	// DeadServerLastContactThreshold is after how long without a word a server is dead.
	DeadServerLastContactThreshold time.Duration `cbor:"3,keyasint"`
	// MaxTrailingLogs is how many entries a healthy server may be behind.
	MaxTrailingLogs uint64 `cbor:"4,keyasint"`
	// MinQuorum is how many voters a clean-up leaves at least.
	MinQuorum uint64 `cbor:"5,keyasint,omitempty"`
	// ServerStabilizationTime is for how long a server must be healthy before it gets a vote.
	ServerStabilizationTime time.Duration `cbor:"6,keyasint"`
}

// leastMinQuorum is the least MinQuorum with which dead servers may be cleaned up.
const leastMinQuorum = 3

// DefaultAutopilot is what holds until somebody sets something else.
func DefaultAutopilot() Autopilot {
	return Autopilot{
		LastContactThreshold: 10 * time.Second, DeadServerLastContactThreshold: 24 * time.Hour,
		MaxTrailingLogs: 1000, ServerStabilizationTime: 10 * time.Second,
	}
}

func (a *Autopilot) check() error {
	switch {
	case a.LastContactThreshold <= 0 || a.DeadServerLastContactThreshold <= 0:
		return fmt.Errorf("last_contact_threshold and dead_server_last_contact_threshold must be more than nothing")
	case a.ServerStabilizationTime < 0:
		return fmt.Errorf("server_stabilization_time cannot be negative")
	case a.CleanupDeadServers && a.MinQuorum < leastMinQuorum:
		return fmt.Errorf("min_quorum must be set when cleanup_dead_servers is set and it should at least be %d; cleanup_dead_servers: %t, min_quorum: %d", leastMinQuorum, a.CleanupDeadServers, a.MinQuorum)
	}
	return nil
}

// membership is where the members are, how the leader looks after them, and which data
// directory each ID is of.
type membership struct {
	members   map[string]Member
	autopilot Autopilot
	set       bool              // autopilot is not the default
	births    map[string]string // by node ID
	joining   admission
}

func newMembership() membership {
	return membership{members: map[string]Member{}, autopilot: DefaultAutopilot(), births: map[string]string{}, joining: newAdmission()}
}

// memberRows is a membership in the rows of a snapshot.
type memberRows struct {
	members   []Member
	autopilot []Autopilot
	births    []Birth
	joins     []JoinToken
	trust     []Trust
}

func (ms *membership) rows() memberRows {
	return memberRows{members: sortedValues(ms.members), autopilot: ms.autopilotRows(), births: ms.birthRows(), joins: ms.joining.rows(), trust: ms.joining.trustRows()}
}

// autopilotRows is the configuration as a list of at most one row.
func (ms *membership) autopilotRows() []Autopilot {
	if !ms.set {
		return nil
	}
	return []Autopilot{ms.autopilot}
}

// birthRows returns the births in the order of their nodes.
func (ms *membership) birthRows() []Birth {
	rows := make([]Birth, 0, len(ms.births))
	for _, node := range slices.Sorted(maps.Keys(ms.births)) {
		rows = append(rows, Birth{Node: node, Birth: ms.births[node]})
	}
	return rows
}

// restore takes the one row that there may be.
func (ms *membership) restore(a Autopilot) error {
	if ms.set {
		return fmt.Errorf("a second configuration of the autopilot")
	}
	ms.autopilot, ms.set = a, true
	return nil
}

func (ms *membership) check() error {
	for node, birth := range ms.births { // order: any failure will do
		if node == "" || birth == "" {
			return fmt.Errorf("node %q has birth %q", node, birth)
		}
	}
	if err := ms.autopilot.check(); err != nil {
		return fmt.Errorf("autopilot: %w", err)
	}
	return nil
}

// Autopilot returns how the leader looks after the members.
func (m *Machine) Autopilot() Autopilot { return m.membership.autopilot }

// Birth returns the birth of the data directory that a node ID belongs to, "" if none is known.
func (m *Machine) Birth(node string) string { return m.membership.births[node] }

// Births returns the births of all nodes, sorted by node.
func (m *Machine) Births() []Birth { return m.membership.birthRows() }
