package history

import "time"

// Event is one fault, from the moment before it began to the moment when it was over and the nodes that
// it hit were well again: they answer and know a leader.
type Event struct {
	Kind string `json:"kind"` // "kill", "pause", "partition", …
	// Nodes are the nodes that it was done to.
	Nodes []int `json:"nodes,omitempty"` // indices into Header.Nodes
	// Cut are the nodes that may answer errors meanwhile: dead, paused, or without a majority. When a
	// leader is killed that is the leader alone; when two of three are, it is all.
	Cut    []int         `json:"cut,omitempty"`
	From   time.Duration `json:"from"`
	To     time.Duration `json:"to"`
	Detail string        `json:"detail,omitempty"`
}

// Row is one live token, as the audit found it after everything was healed.
type Row struct {
	Node     int    `json:"node"` // which was asked
	Token    Token  `json:"token"`
	Accessor string `json:"accessor"`
	Left     int32  `json:"left,omitempty"`
	Orphan   bool   `json:"orphan,omitempty"`
}

// Audit is what the nodes held at the end.
type Audit struct {
	// At is when the audit began: everything had returned before.
	At time.Duration `json:"at"`
	// Live has the accessors of all live tokens by node, but for the root token's.
	Live [][]string `json:"live"`
	// Strangers are live tokens that the run did not ask for.
	Strangers []string `json:"strangers,omitempty"`
	Rows      []Row    `json:"rows"`
}

// Header is what the run was.
type Header struct {
	Target   string        `json:"target"`
	Seed     uint64        `json:"seed"`
	Nodes    []string      `json:"nodes"`
	Duration time.Duration `json:"duration"`
	// Skew bounds how far the clocks of nodes were apart in this run.
	Skew time.Duration `json:"skew"`
}

// History is a whole run. Operations are in the order of their returns.
type History struct {
	Header     Header
	Operations []Operation
	Events     []Event
	Audit      *Audit // nil: the run did not get that far
}
