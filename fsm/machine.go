package fsm

import (
	"fmt"

	"github.com/tokengrove/grove/fsm/answer"
	"github.com/tokengrove/grove/fsm/audit"
	"github.com/tokengrove/grove/fsm/forest"
	"github.com/tokengrove/grove/fsm/planted"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
)

// reclaimStep is how many dead tokens one log entry unlinks. Each costs about a
// microsecond, so that the largest step stays below the cost of a disk sync or two.
const reclaimStep = 4096

// sweepStep is how many remembered answers one log entry lets go of when they are over: more
// than it can bring.
const sweepStep = 1024

// Identity is what Initialize fixed for the life of the cluster.
type Identity struct {
	ClusterID   string
	ClusterName string
	Salt        token.Salt
}

// Machine is the replicated state. New makes an empty one; Apply is the only way to
// change it. A Machine is not safe for concurrent use: the lock is the owner's.
type Machine struct {
	position
	mounting
	changes  changes
	identity Identity
	forest   *forest.Forest
	repeats
	rules
	membership
	sealing
	upkeep  upkeep
	audit   *audit.Table // never nil
	decoded commandBuffer
}

// position is how far a machine is.
type position struct {
	index uint64        // of the last entry
	at    token.Instant // the latest time of an entry
	epoch uint64        // of the last change of what decisions rely on
}

// rules are the named texts and templates that decide what tokens may do and be.
type rules struct {
	policies map[string]policy.Policy
	roles    map[string]role.Role
}

// repeats is what makes requests that are sent again happen once: an edge's, within its session, and a
// client's, under its idempotency key.
type repeats struct {
	sessions map[SessionID]*session
	answers  *answer.Book
}

// New returns the empty machine that every log starts from.
func New() *Machine {
	m := &Machine{
		changes:    changes{last: map[string]uint64{}},
		repeats:    repeats{sessions: map[SessionID]*session{}, answers: answer.New()},
		rules:      rules{policies: map[string]policy.Policy{}, roles: map[string]role.Role{}},
		mounting:   newMounting(),
		membership: newMembership(),
		sealing:    newSealing(),
		upkeep:     newUpkeep(),
		audit:      &audit.Table{},
	}
	m.plant(forest.New())
	return m
}

// plant gives m its forest. What was answered to a token, and what it kept, is forgotten with it.
func (m *Machine) plant(f *forest.Forest) {
	m.forest = f
	f.OnRemove(func(h token.Hash) {
		m.answers.Died(h)
		m.cubbyholes.died(h)
		m.leases.Died(h)
	})
}

// applyContext is what a command may know about the entry it came in.
type applyContext struct {
	index uint64
	at    token.Instant
	// caller is the live token that asks; 0 for the system.
	caller forest.Ref
}

// Apply applies the log entry at index and returns one Result per item, groups
// flattened in order. A refusal is a Result. An error means that this replica cannot
// be trusted any more (unknown version, kind or field; corrupt bytes; an index that
// was passed already): the node must stop.
func (m *Machine) Apply(index uint64, entry []byte) ([]Result, error) {
	if index <= m.index {
		return nil, fmt.Errorf("entry %d was applied already, the machine is at %d", index, m.index)
	}
	e, err := DecodeEntry(entry)
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", index, err)
	}
	commands, err := m.decoded.items(e, entry)
	defer m.decoded.reset()
	if err != nil {
		return nil, fmt.Errorf("entry %d: %w", index, err)
	}
	m.index, m.at = index, max(m.at, e.At)
	m.answers.Sweep(m.at, sweepStep)
	results := make([]Result, 0, len(commands))
	for _, g := range e.Groups {
		results = m.applyGroup(g, commands[:len(g.Items)], results)
		commands = commands[len(g.Items):]
	}
	m.forest.Reclaim(reclaimStep)
	m.leases.Reclaim(m.at, leaseStep)
	return results, nil
}

// Advance notes that an entry without commands (a Raft configuration) was passed.
func (m *Machine) Advance(index uint64) { m.index = max(m.index, index) }

// applyGroup applies the commands of one edge session, each at most once.
func (m *Machine) applyGroup(g Group, cs []Command, out []Result) []Result {
	if g.Session == (SessionID{}) {
		for _, c := range cs {
			out = append(out, m.applyCommand(c))
		}
		return out
	}
	s := m.sessions[g.Session]
	if s == nil {
		for range cs {
			out = append(out, Result{Code: NoSession, Message: "edge session is not open", Index: m.index, At: m.at})
		}
		return out
	}
	s.forget(g.Low, m.at)
	for i, c := range cs {
		out = append(out, s.once(g.Items[i].Seq, m, c))
	}
	return out
}

// callerOf returns who asks for c; the zero Caller is the system.
func callerOf(c Command) Caller {
	if a, ok := c.(interface{ asks() Caller }); ok {
		return a.asks()
	}
	return Caller{}
}

// applyCommand is the one path that every command takes: admit and charge the caller,
// then the effect, then the death of a caller that has used its last use.
func (m *Machine) applyCommand(c Command) Result {
	x := applyContext{index: m.index, at: m.at}
	charged, refusal := m.admit(c, &x)
	var r Result
	if refusal != nil {
		r = *refusal
	} else {
		r = c.apply(m, &x)
	}
	r.Index, r.At = m.index, m.at
	if charged != nil {
		r.Caller = charged
		m.useUp(x.caller, charged)
	}
	return r
}

// useUp ends a token that was charged for the last time.
func (m *Machine) useUp(ref forest.Ref, charged *token.Record) {
	if charged.UsesLeft > 0 || planted.Is("last-use-again") {
		return
	}
	if m.answers.Len() > 0 && m.forest.Alive(ref, m.at) {
		m.answers.Outlive(charged.Hash, m.remains(ref, charged))
	}
	m.forest.Revoke(ref)
}

// admit checks the caller of c and charges a limited one. It returns the charged
// record, or why the command is refused; a refused command has charged nothing.
func (m *Machine) admit(c Command, x *applyContext) (*token.Record, *Result) {
	caller := callerOf(c)
	ground, _ := c.(interface{ moved(*Machine) bool })
	if caller.Token.IsZero() {
		if ground != nil && ground.moved(m) {
			return nil, &Result{Stale: true}
		}
		return nil, nil
	}
	ref := m.forest.Find(caller.Token)
	if ref == 0 || !m.forest.Alive(ref, m.at) {
		if create, ok := c.(*CreateToken); ok && planted.Is("child-of-the-dead") {
			create.Token.Parent = token.Hash{}
			return nil, nil
		}
		return nil, &Result{Code: Forbidden, Message: "permission denied"}
	}
	if m.outdated(c, caller.Epoch, func(changed func(string) bool) bool { return m.forest.AnyPolicy(ref, changed) }) && !anyEpoch(c) {
		return nil, &Result{Stale: true}
	}
	if ground != nil && ground.moved(m) {
		return nil, &Result{Stale: true}
	}
	x.caller = ref
	if !m.forest.Limited(ref) || free(c) {
		return nil, nil
	}
	m.forest.Charge(ref)
	rec := m.forest.Record(ref)
	return &rec, nil
}

// anyEpoch reports whether c holds whatever has changed since it was decided: a denial, and the end of what was begun in
// time.
func anyEpoch(c Command) bool {
	switch c := c.(type) {
	case *UseToken:
		return c.AnyEpoch
	case *CommitLease:
		return true
	}
	return false
}

// free reports whether c is the first of two commands of one request, which is charged by the second.
func free(c Command) bool {
	switch c.(type) {
	case *BeginLease, *Prepare:
		return true
	}
	return false
}

// refuse makes the Result of a business refusal.
func refuse(c Code, format string, args ...any) Result {
	return Result{Code: c, Message: fmt.Sprintf(format, args...)}
}

// find returns the live token that t names, or 0.
func (m *Machine) find(t Target) forest.Ref {
	var ref forest.Ref
	if !t.Token.IsZero() {
		ref = m.forest.Find(t.Token)
	} else if t.Accessor != "" {
		ref = m.forest.FindAccessor(t.Accessor)
	}
	if ref == 0 || !m.forest.Alive(ref, m.at) {
		return 0
	}
	return ref
}
