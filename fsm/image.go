package fsm

import (
	"io"

	"github.com/tokengrove/grove/fsm/token"
)

// Image is a snapshot that is about to be given to an operator. It is declared here, because cluster makes
// it and httpapi sends it, and neither knows the other.
type Image struct {
	ID    string
	Index uint64
	At    token.Instant
	// Write writes the file; it must be called once. What it wrote is whole only if it returns nil.
	Write func(w io.Writer) error
}

// CheckReport is what a check of all replicas found.
type CheckReport struct {
	Index uint64      `json:"index"` // at which states were compared
	Hash  string      `json:"hash"`  // that most voters have; "": no majority agrees
	Nodes []NodeCheck `json:"nodes"`
}

// NodeCheck is what a check found on one node.
type NodeCheck struct {
	ID    string `json:"node_id"`
	Index uint64 `json:"index"`
	Hash  string `json:"hash"`
	State string `json:"state"` // CheckOK or one of the others
	Error string `json:"error"` // why it is not ok
}

// The verdicts about a node.
const (
	CheckOK          = "ok"
	CheckMismatch    = "mismatch"    // its hash is not that of the majority
	CheckBroken      = "broken"      // an invariant does not hold
	CheckUnreachable = "unreachable" // it did not answer
	CheckUnknown     = "unknown"     // no majority agrees
)

// OK reports whether all nodes are as they must be.
func (r *CheckReport) OK() bool {
	for _, n := range r.Nodes {
		if n.State != CheckOK {
			return false
		}
	}
	return len(r.Nodes) > 0
}
