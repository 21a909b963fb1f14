package cluster

import (
	"strconv"
	"time"

	"github.com/hashicorp/raft"
)

// position is how far a node's log is, and when it last heard of a leader.
type position struct {
	Applied     uint64        `json:"applied"` // the last entry that Raft has given to the machine
	LastTerm    uint64        `json:"last_term"`
	LastContact time.Duration `json:"last_contact"`
	// Blank: the node has no log, or does not know yet what the leader knew when it let the node
	// in. It must not vote.
	Blank bool `json:"blank"`
}

// position is where this node is.
func (n *Node) position() position {
	r := n.raft()
	if r == nil {
		return position{Blank: true}
	}
	p := position{Applied: r.AppliedIndex(), Blank: !n.sworn()}
	p.LastTerm, _ = strconv.ParseUint(r.Stats()["last_log_term"], 10, 64) // raft has formatted it
	if last := r.LastContact(); r.State() != raft.Leader && !last.IsZero() {
		p.LastContact = time.Since(last)
	}
	return p
}

// sworn reports whether the node's log holds everything that the leader knew when it let the node in.
//
// A node that comes back without its log, under the ID that it had, has forgotten whom it has voted
// for, and which entries it has promised to keep. The leader takes its vote away before it lets
// the node in again. But the log that the node then gets begins long before that: on its
// way the node sees itself as the voter that it was. Were it to vote then, two leaders could be
// elected in a term that it has voted in already. Once it holds the entry that took its vote
// away, it refuses every candidate that does not, and no other can win: that entry is
// committed.
func (n *Node) sworn() bool {
	r := n.raft()
	return n.admitted.Load() == 0 || r != nil && r.LastIndex() >= n.admitted.Load()
}

// forgetful is why a node does not vote.
const forgetful refusal = "this node does not vote: it has no log, or has not caught up since it was let in"
