// Package forest holds every token of the cluster and what links them: parent and
// children, source path, hash, accessor and deadline.
//
// Tokens are fixed-size nodes in pages, linked by 32-bit references, with strings and
// variable parts interned: the garbage collector finds next to nothing to scan, and an
// image for a snapshot costs one pointer a page (copy on write).
//
// Invariants (Check verifies them all):
//   - hash and accessor indexes, the path lists and the deadline heap name exactly the
//     nodes that are there;
//   - a node is in its parent's list of children, newest first, and its parent is older;
//   - a dead node is marked itself, is past its deadline, stands on a revoked path, or
//     has an ancestor of which one of these is true.
//
// Death is visible at once and costs O(1): Revoke marks one node, RevokePrefix one entry
// a path. Unlinking what died is Reclaim's work, in bounded steps. While something waits to
// be reclaimed, or a token is past its deadline and not swept, Alive walks to the
// root; at all other times no node has a dead ancestor, and Alive looks at one node. So depth
// costs nothing in the normal state, and the answer is exact always.
//
// A Forest is a value without lock: one writer, or many readers. A Frozen may be read
// on another goroutine while the Forest goes on.
package forest

import (
	"errors"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// Ref names a token inside one Forest; 0 is none. A Ref is void once its token was reclaimed.
type Ref uint32

// Errors of Insert.
var (
	ErrDuplicateHash     = errors.New("a token with this hash is there already")
	ErrDuplicateAccessor = errors.New("a token with this accessor is there already")
	ErrDeadParent        = errors.New("the parent is revoked")
	ErrFull              = errors.New("the forest is full: 2^32 tokens")
)

// state says what a node's slot holds.
type state uint8

const (
	free     state = 0
	active   state = 1
	revoking state = 2 // marked dead, waits to be reclaimed
)

// accessorBytes is the length of minted accessors, which are kept inline.
const accessorBytes = token.AccessorLength

// node is one token. It holds no pointers.
type node struct {
	hash     token.Hash
	accessor [accessorBytes]byte
	seq      uint64 // creation order, never reused
	created  token.Instant
	deadline token.Instant
	renewed  token.Instant
	leaseTTL time.Duration
	links
	props uint32
	path  uint32
	heap  uint32 // position in the deadline heap + 1
	uses  uint32 // left
	state state
}

// links are the lists that a node is in.
type links struct {
	parent, child, next, prev Ref // children: newest first
	pathNext, pathPrev        Ref // tokens of the same source path: newest first
}

// Forest is the tokens of a cluster. New makes an empty one.
type Forest struct {
	nodes     paged[node]
	free      []Ref
	count     int
	nextSeq   uint64
	hashes    index
	accessors index
	props     properties
	paths     pathTable
	deadlines deadlineHeap
	dead      queue
}

// New returns an empty forest.
func New() *Forest {
	f := &Forest{nextSeq: 1}
	f.nodes.grow() // slot 0 is "none"
	f.props.init()
	f.paths.init()
	return f
}

// Len returns the number of tokens, with those that are dead and not yet reclaimed.
func (f *Forest) Len() int { return f.count }

// Insert adds a token below parent (0: an orphan). rec.Parent is not looked at.
func (f *Forest) Insert(rec *token.Record, parent Ref) (Ref, error) {
	if parent != 0 && f.nodes.at(parent).state != active {
		return 0, ErrDeadParent
	}
	r, err := f.place(rec, parent, f.paths.live(rec.Path), f.nextSeq)
	if err == nil {
		f.nextSeq++
	}
	return r, err
}

// place fills a slot and links it everywhere.
func (f *Forest) place(rec *token.Record, parent Ref, path uint32, seq uint64) (Ref, error) {
	var err error
	switch {
	case f.Find(rec.Hash) != 0:
		err = ErrDuplicateHash
	case f.FindAccessor(rec.Accessor) != 0:
		err = ErrDuplicateAccessor
	}
	r := Ref(0)
	if err == nil {
		r, err = f.slot()
	}
	if err != nil {
		f.paths.release(path)
		return 0, err
	}
	n := f.nodes.edit(r)
	*n = node{
		hash: rec.Hash, seq: seq, created: rec.Created, deadline: rec.Deadline, renewed: rec.Renewed,
		leaseTTL: rec.LeaseTTL, uses: rec.UsesLeft, state: active, path: path, props: f.props.intern(rec),
	}
	copy(n.accessor[:], rec.Accessor)
	f.count++
	f.hashes.insert(hashKey(rec.Hash), r)
	f.accessors.insert(accessorKey(rec.Accessor), r)
	f.adopt(r, parent)
	f.pathPush(r)
	if rec.Deadline != 0 {
		f.heapPush(r)
	}
	return r, nil
}

func (f *Forest) slot() (Ref, error) {
	if n := len(f.free); n > 0 {
		r := f.free[n-1]
		f.free = f.free[:n-1]
		return r, nil
	}
	if f.nodes.len == 1<<32-1 {
		return 0, ErrFull
	}
	return Ref(f.nodes.grow()), nil
}

// adopt makes r the newest child of parent; 0 makes it an orphan.
func (f *Forest) adopt(r, parent Ref) {
	if parent == 0 {
		return
	}
	p := f.nodes.edit(parent)
	n := f.nodes.edit(r)
	n.parent, n.prev, n.next = parent, 0, p.child
	if p.child != 0 {
		f.nodes.edit(p.child).prev = r
	}
	p.child = r
}

// disown takes r out of its parent's children.
func (f *Forest) disown(r Ref) {
	n := f.nodes.edit(r)
	if n.parent == 0 {
		return
	}
	if n.prev != 0 {
		f.nodes.edit(n.prev).next = n.next
	} else {
		f.nodes.edit(n.parent).child = n.next
	}
	if n.next != 0 {
		f.nodes.edit(n.next).prev = n.prev
	}
	n.parent, n.prev, n.next = 0, 0, 0
}

// Find returns the token with hash h, dead or alive; 0 if there is none.
func (f *Forest) Find(h token.Hash) Ref {
	for c := f.hashes.probe(hashKey(h)); ; {
		r := c.next()
		if r == 0 || f.nodes.at(r).hash == h {
			return r
		}
	}
}

// FindAccessor returns the token with accessor a, dead or alive; 0 if there is none.
func (f *Forest) FindAccessor(a token.Accessor) Ref {
	for c := f.accessors.probe(accessorKey(a)); ; {
		r := c.next()
		if r == 0 || f.accessorIs(r, a) {
			return r
		}
	}
}

func (f *Forest) accessorIs(r Ref, a token.Accessor) bool {
	n := f.nodes.at(r)
	if len(a) == accessorBytes {
		return string(n.accessor[:]) == string(a) && f.props.at(n.props).accessor == ""
	}
	return f.props.at(n.props).accessor == a
}

// Accessor returns the accessor of r.
func (f *Forest) Accessor(r Ref) token.Accessor {
	return accessorOf(f.nodes.at(r), f.props.at(f.nodes.at(r).props))
}

func accessorOf(n *node, p *property) token.Accessor {
	if p.accessor != "" {
		return p.accessor
	}
	return token.Accessor(n.accessor[:])
}

// Hash returns the hash of r.
func (f *Forest) Hash(r Ref) token.Hash { return f.nodes.at(r).hash }

// Alive reports whether r and all its ancestors live at now.
func (f *Forest) Alive(r Ref, now token.Instant) bool {
	if f.marked(r, now) {
		return false
	}
	if next := f.NextDeadline(); !f.Pending() && (next == 0 || next > now) {
		return true
	}
	for p := f.nodes.at(r).parent; p != 0; p = f.nodes.at(p).parent {
		if f.marked(p, now) {
			return false
		}
	}
	return true
}

// marked reports whether r is dead by itself, whatever its ancestors are.
func (f *Forest) marked(r Ref, now token.Instant) bool {
	n := f.nodes.at(r)
	return n.state != active || (n.deadline != 0 && n.deadline <= now) ||
		(f.paths.revoked > 0 && f.paths.at(n.path).ticket != 0)
}

// Limited reports whether r was made with a number of uses.
func (f *Forest) Limited(r Ref) bool { return f.props.at(f.nodes.at(r).props).rec.NumUses > 0 }

// UsesLeft returns how many uses r has left; 0 also for unlimited tokens.
func (f *Forest) UsesLeft(r Ref) uint32 { return f.nodes.at(r).uses }

// Charge takes one use from r, which must have one, and returns what is left.
func (f *Forest) Charge(r Ref) uint32 {
	n := f.nodes.edit(r)
	if n.uses > 0 {
		n.uses--
	}
	return n.uses
}

// HasPolicy reports whether name is one of r's policies.
func (f *Forest) HasPolicy(r Ref, name string) bool {
	return f.props.at(f.nodes.at(r).props).rec.HasPolicy(name)
}

// Renew moves the deadline of r, which must have one.
func (f *Forest) Renew(r Ref, deadline, renewed token.Instant, leaseTTL time.Duration) {
	n := f.nodes.edit(r)
	n.deadline, n.renewed, n.leaseTTL = deadline, renewed, leaseTTL
	f.heapFix(r)
}

// Record returns r in full. The copy shares no mutable memory with the forest.
func (f *Forest) Record(r Ref) token.Record {
	n := f.nodes.at(r)
	var parent token.Hash
	if n.parent != 0 {
		parent = f.nodes.at(n.parent).hash
	}
	return recordOf(n, f.props.at(n.props), f.paths.at(n.path), parent)
}

// Walk yields every token that is not marked dead, in no particular order; ancestors
// may be dead (see Alive).
func (f *Forest) Walk(yield func(Ref) bool) {
	for i := uint32(1); i < f.nodes.len; i++ {
		if f.nodes.at(Ref(i)).state == active && !yield(Ref(i)) {
			return
		}
	}
}

// CountAlive returns the number of tokens that live at now. It walks all of them only while
// something waits to be swept or reclaimed.
func (f *Forest) CountAlive(now token.Instant) uint64 {
	if next := f.NextDeadline(); !f.Pending() && (next == 0 || next > now) {
		return uint64(f.count)
	}
	var n uint64
	f.Walk(func(r Ref) bool {
		if f.Alive(r, now) {
			n++
		}
		return true
	})
	return n
}
