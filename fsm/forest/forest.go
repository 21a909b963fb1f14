package forest

import (
	"errors"
	"hash/maphash"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// What Insert may refuse.
var (
	ErrDuplicateHash     = errors.New("another token has the same hash")
	ErrDuplicateAccessor = errors.New("another token has the same accessor")
	ErrDeadParent        = errors.New("the parent is dead")
	ErrNameless          = errors.New("a token needs a hash and an accessor")
	ErrFull              = errors.New("the forest is full")
)

// maxTokens is what 31 bits can number: the highest bit of a link tells paths from tokens.
const maxTokens = 1<<31 - 2*pageSize

// Forest holds all tokens. New makes an empty one.
type Forest struct {
	nodes      arena[node]
	properties propertyTable
	paths      pathTable
	byHash     index
	byAccessor index
	seed       maphash.Seed // of both indexes; see propertyTable.init
	due        deadlines
	queue      queue
	nextSeq    uint64
	gone       func(token.Hash) // told of every token that is removed; nil: nobody
}

// New returns a forest without tokens.
func New() *Forest {
	f := &Forest{nodes: newArena[node](), seed: maphash.MakeSeed(), nextSeq: 1}
	f.properties.init()
	f.paths.init()
	f.byHash = newIndex(func(i uint32) uint64 { return maphash.Bytes(f.seed, f.nodes.at(i).hash[:]) })
	f.byAccessor = newIndex(func(i uint32) uint64 { return f.accessorHash(Ref(i)) })
	f.due.hashOf = func(r Ref) *token.Hash { return &f.node(r).hash }
	return f
}

// Insert adds a token as the newest child of parent, or as an orphan if that is 0;
// rec.Parent is ignored. A dead token occupies its hash and accessor until it is
// reclaimed. The parent must be alive at rec.Created. On an error nothing has changed.
func (f *Forest) Insert(rec *token.Record, parent Ref) (Ref, error) {
	if parent != 0 && !f.Alive(parent, rec.Created) {
		return 0, ErrDeadParent
	}
	if err := f.vacant(rec); err != nil {
		return 0, err
	}
	r := f.place(rec, f.nextSeq, Active, f.paths.acquire(rec.Path))
	f.nextSeq++
	if parent != 0 {
		f.adopt(parent, r)
	}
	return r, nil
}

// vacant returns why there is no room for rec.
func (f *Forest) vacant(rec *token.Record) error {
	switch {
	case rec.Hash.IsZero() || rec.Accessor == "":
		return ErrNameless
	case f.Find(rec.Hash) != 0:
		return ErrDuplicateHash
	case f.FindAccessor(rec.Accessor) != 0:
		return ErrDuplicateAccessor
	case f.nodes.size() >= maxTokens && len(f.nodes.spare) == 0:
		return ErrFull
	}
	return nil
}

// place makes a node without kin that all indexes know.
func (f *Forest) place(rec *token.Record, seq uint64, state State, path uint32) Ref {
	r := Ref(f.nodes.alloc())
	n := f.edit(r)
	n.fill(rec, seq, state)
	n.properties = f.properties.acquire(rec)
	f.byHash.add(maphash.Bytes(f.seed, n.hash[:]), uint32(r))
	f.byAccessor.add(f.accessorHash(r), uint32(r))
	f.enter(path, r)
	if state == Active {
		f.due.set(r, rec.Deadline)
	}
	return r
}

// remove is the end of a token that has no children.
func (f *Forest) remove(r Ref) {
	n := f.edit(r)
	if f.gone != nil {
		f.gone(n.hash)
	}
	if n.state == Active {
		f.due.remove(r)
	} else {
		f.dequeue(linkTo(r))
	}
	f.detach(r)
	f.leave(r)
	f.byHash.remove(maphash.Bytes(f.seed, n.hash[:]), uint32(r))
	f.byAccessor.remove(f.accessorHash(r), uint32(r))
	f.properties.release(n.properties)
	f.nodes.free(uint32(r))
}

// OnRemove has f called with the hash of every token that is removed, once it cannot be found alive any
// more. f must not use the forest.
func (f *Forest) OnRemove(gone func(token.Hash)) { f.gone = gone }

// reserve readies the indexes for n tokens.
func (f *Forest) reserve(n uint64) {
	f.byHash.reserve(int(n))
	f.byAccessor.reserve(int(n))
}

// Find returns the token with hash h, dead or alive, or 0.
func (f *Forest) Find(h token.Hash) Ref {
	return Ref(f.byHash.find(maphash.Bytes(f.seed, h[:]), func(i uint32) bool { return f.nodes.at(i).hash == h }))
}

// FindAccessor returns the token with accessor a, dead or alive, or 0.
func (f *Forest) FindAccessor(a token.Accessor) Ref {
	return Ref(f.byAccessor.find(maphash.String(f.seed, string(a)), func(i uint32) bool {
		n := f.nodes.at(i)
		if n.accessLen == longAccessor {
			return f.properties.at(n.properties).longAccessor() == string(a)
		}
		return string(n.accessor[:n.accessLen]) == string(a)
	}))
}

func (f *Forest) accessorHash(r Ref) uint64 {
	n := f.node(r)
	if n.accessLen == longAccessor {
		return maphash.String(f.seed, f.properties.at(n.properties).longAccessor())
	}
	return maphash.Bytes(f.seed, n.accessor[:n.accessLen])
}

// Record returns a copy of the token that shares no memory that can change.
func (f *Forest) Record(r Ref) token.Record {
	n := f.node(r)
	rec := token.Record{Parent: f.Parent(r).hash(f)}
	f.properties.at(n.properties).into(&rec)
	n.into(&rec, f.paths.at(n.source.path))
	return rec
}

// Parent returns the parent of r, 0 for an orphan.
func (f *Forest) Parent(r Ref) Ref {
	p := f.node(r).kin.parent
	if p != 0 && f.node(p).state == Orphaning {
		return 0
	}
	return p
}

func (r Ref) hash(f *Forest) token.Hash {
	if r == 0 {
		return token.Hash{}
	}
	return f.node(r).hash
}

// Hash returns the token's hash.
func (f *Forest) Hash(r Ref) token.Hash { return f.node(r).hash }

// Deadline returns the token's own deadline, 0 if it has none.
func (f *Forest) Deadline(r Ref) token.Instant { return f.node(r).terms.deadline }

// Limited reports whether the token was created with a number of uses.
func (f *Forest) Limited(r Ref) bool { return f.node(r).limited }

// UsesLeft returns how many uses a limited token has left.
func (f *Forest) UsesLeft(r Ref) uint32 { return f.node(r).usesLeft }

// HasPolicy reports whether name is one of the token's policies.
func (f *Forest) HasPolicy(r Ref, name string) bool {
	return f.properties.at(f.node(r).properties).hasPolicy(name)
}

// AnyPolicy reports whether is holds for one of the token's policies.
func (f *Forest) AnyPolicy(r Ref, is func(name string) bool) bool {
	return f.properties.at(f.node(r).properties).anyPolicy(is)
}

// Charge takes one use from a limited token and returns how many are left. It does not
// kill a token that has none left: that is the caller's to do.
func (f *Forest) Charge(r Ref) (left uint32) {
	n := f.edit(r)
	if n.usesLeft > 0 {
		n.usesLeft--
	}
	return n.usesLeft
}

// Renew gives a token a new deadline, 0 for none. A revoked one stays as it is.
func (f *Forest) Renew(r Ref, deadline, renewed token.Instant, leaseTTL time.Duration) {
	if f.node(r).state != Active {
		return
	}
	t := &f.edit(r).terms
	t.deadline, t.renewed, t.leaseTTL = deadline, renewed, leaseTTL
	f.due.set(r, deadline)
}

// NextDeadline returns the earliest deadline of all tokens that were not revoked
// themselves, 0 if there is none.
func (f *Forest) NextDeadline() token.Instant { return f.due.next() }

// Len returns the number of tokens, living or not yet reclaimed.
func (f *Forest) Len() int { return f.nodes.count }

// Walk yields every token, dead or alive, in the order of memory, which differs between
// replicas: sort before it can reach a result. The forest must not change meanwhile.
func (f *Forest) Walk(yield func(Ref) bool) {
	f.nodes.all(func(i uint32) bool { return yield(Ref(i)) })
}
