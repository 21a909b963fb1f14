package forest

import (
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// Ref names a token of the forest until it is reclaimed; 0 is none. It is good until
// the forest changes next, and differs between replicas.
type Ref uint32

// State is what became of a token itself. The numbers are on disk: never reuse one.
type State uint8

const (
	// Active tokens were not revoked themselves; whether they live depends on their
	// deadline, path and ancestors.
	Active State = 1
	// Revoking tokens are dead with their tree and wait to be reclaimed.
	Revoking State = 2
	// Orphaning tokens are dead alone: what still hangs from them are orphans.
	Orphaning State = 3
)

// node is one token. It has no pointers; its size is 144 bytes.
type node struct {
	hash       token.Hash
	accessor   [token.AccessorLength]byte // a longer one is in the properties
	seq        uint64                     // creation order, from 1
	terms      terms
	kin        kin
	source     source
	queue      ends // in the reclaim queue, if not active
	properties uint32
	usesLeft   uint32
	accessLen  uint8 // longAccessor: it is in the properties
	limited    bool
	state      State
}

const longAccessor = 0xff

// terms is what a renewal may change, and the creation time.
type terms struct {
	deadline, created, renewed token.Instant
	leaseTTL                   time.Duration
}

// kin are the links of a tree. Siblings are linked newest first.
type kin struct{ parent, child, newer, older Ref }

// source is a token's place in the list of its source path, newest first.
type source struct {
	path         uint32
	newer, older Ref
}

func (n *node) expired(now token.Instant) bool {
	return n.terms.deadline != 0 && n.terms.deadline <= now
}

func (f *Forest) node(r Ref) *node { return f.nodes.at(uint32(r)) }

// edit returns the node for writing; see arena for how long the pointer is good.
func (f *Forest) edit(r Ref) *node { return f.nodes.edit(uint32(r)) }

// fill sets what a node copies from rec; links are made by others.
func (n *node) fill(rec *token.Record, seq uint64, state State) {
	n.hash = rec.Hash
	n.accessLen = longAccessor
	if len(rec.Accessor) <= len(n.accessor) {
		n.accessLen = uint8(copy(n.accessor[:], rec.Accessor))
	}
	n.seq = seq
	n.terms = terms{deadline: rec.Deadline, created: rec.Created, renewed: rec.Renewed, leaseTTL: rec.LeaseTTL}
	n.limited = rec.NumUses > 0
	n.usesLeft = rec.UsesLeft
	n.state = state
}

// into is the inverse of fill: it sets what rec takes from the node and its path.
func (n *node) into(rec *token.Record, p *path) {
	rec.Hash = n.hash
	rec.Path = p.name
	rec.Created = n.terms.created
	rec.UsesLeft = n.usesLeft
	rec.Deadline = n.terms.deadline
	rec.Renewed = n.terms.renewed
	rec.LeaseTTL = n.terms.leaseTTL
	if n.accessLen != longAccessor {
		rec.Accessor = token.Accessor(n.accessor[:n.accessLen])
	}
}

// adopt makes r the newest child of parent.
func (f *Forest) adopt(parent, r Ref) {
	n, p := f.edit(r), f.edit(parent)
	n.kin.parent = parent
	n.kin.older = p.kin.child
	if p.kin.child != 0 {
		f.edit(p.kin.child).kin.newer = r
	}
	p.kin.child = r
}

// detach makes r, which keeps its children, a root. It has no effect on a root.
func (f *Forest) detach(r Ref) {
	k := f.node(r).kin
	if k.parent == 0 {
		return
	}
	if k.newer != 0 {
		f.edit(k.newer).kin.older = k.older
	} else {
		f.edit(k.parent).kin.child = k.older
	}
	if k.older != 0 {
		f.edit(k.older).kin.newer = k.newer
	}
	f.edit(r).kin = kin{child: k.child}
}
