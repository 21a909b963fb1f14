package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/token"
)

// hookMount is where leases come from.
const hookMount = "hook/"

var leasePrefixes = []string{"hook/a", "hook/b/", "hook", "hook/none", ""}

// lent is a lease of the model, from its intent until it is taken back.
type lent struct {
	id      string
	owner   *node
	mount   string
	state   lease.State
	issued  token.Instant
	expires token.Instant
	max     time.Duration
	renews  bool
	until   token.Instant // of an intent
	doomed  bool
	trial
}

// trial is how far taking back is.
type trial struct {
	attempts uint32
	parked   bool
	forced   bool
	forcing  bool // by a prefix; that takes effect after the entry's commands
}

// lending is what the model knows of leases.
type lending struct {
	rows    []*lent
	turns   func(id string) (fsm.Revocation, bool) // of the machine: order is not the model's business
	counter int
}

func (m *model) lentAt(id string) *lent {
	i := slices.IndexFunc(m.engines.lends.rows, func(l *lent) bool { return l.id == id })
	if i < 0 {
		return nil
	}
	return m.engines.lends.rows[i]
}

// lives reports whether a lease may be used.
func (m *model) lives(l *lent) bool {
	return l.state == lease.Active && m.at < l.expires && m.alive(l.owner)
}

// leaseCommand makes a command about leases.
func (g *generator) leaseCommand() fsm.Command {
	rows := g.m.engines.lends.rows
	id := "hook/a/none"
	if len(rows) > 0 {
		id = rows[g.r.IntN(len(rows))].id
	}
	r, _ := g.m.engines.lends.turns(id)
	turn, attempts := r.Revocation.Turn, r.Revocation.Attempts
	if g.r.IntN(10) == 0 {
		turn++
	}
	switch n := g.r.IntN(24); {
	case n < 5:
		return &fsm.IssueLease{Step: g.leaseStep(), Draft: g.draft()}
	case n < 9:
		return &fsm.BeginLease{Step: g.leaseStep(), Draft: g.draft()}
	case n < 12:
		return g.commit()
	case n < 13:
		return &fsm.AbandonLease{ID: id}
	case n < 15:
		return &fsm.RenewLease{Step: g.leaseStep(), ID: id, Expires: g.m.at.Add(g.seconds(-5, 90)), MaxTTL: g.seconds(30, 120)}
	case n < 16:
		return &fsm.RevokeLease{Caller: g.caller(), ID: id}
	case n < 17:
		return &fsm.RevokeForce{Caller: g.caller(), Prefix: leasePrefixes[g.r.IntN(len(leasePrefixes))]}
	case n < 18:
		return &fsm.RevokePrefix{Caller: g.caller(), Prefix: leasePrefixes[g.r.IntN(len(leasePrefixes))]}
	case n < 19:
		return &fsm.HastenRevocation{Caller: g.caller(), ID: id, Forced: g.r.IntN(3) == 0}
	case n < 20:
		return &fsm.Prepare{Step: g.leaseStep()}
	case n < 22:
		return &fsm.FailRevocation{ID: id, Turn: turn, Attempts: attempts, Error: "no", Wait: g.seconds(0, 10), Park: g.r.IntN(3) == 0}
	}
	return &fsm.FinishRevocation{ID: id, Turn: turn}
}

// leaseStep is a transaction of a token that is alive mostly.
func (g *generator) leaseStep() fsm.Transact {
	t, _ := g.transact(hookMount, g.m.engines.uuid[hookMount]).(*fsm.Transact)
	t.Login = nil
	if t.Caller = g.caller(); g.r.IntN(20) == 0 {
		t.Caller = fsm.Caller{Epoch: g.m.epoch}
	}
	return *t
}

func (g *generator) draft() fsm.LeaseDraft {
	g.m.engines.lends.counter++
	id := fmt.Sprintf("hook/%s/%d", []string{"a", "ab", "b/c"}[g.r.IntN(3)], g.m.engines.lends.counter-g.r.IntN(2))
	ttl := g.seconds(1, 60)
	return fsm.LeaseDraft{ID: id, TTL: ttl, MaxTTL: ttl + g.seconds(0, 60), Renewable: g.r.IntN(4) != 0, Resource: []string{"", "r", "s"}[g.r.IntN(3)], Data: []byte(id)}
}

// commit is that of an open intent by its owner, mostly.
func (g *generator) commit() fsm.Command {
	c := &fsm.CommitLease{Caller: g.caller(), ID: "hook/a/none"}
	for _, l := range g.m.engines.lends.rows {
		if l.state == lease.Intended && g.r.IntN(2) == 0 {
			c.ID = l.id
			if g.r.IntN(8) != 0 {
				c.Caller.Token = l.owner.rec.Hash
			}
		}
	}
	return c
}

// leaseStepOf returns the transaction that a command about leases has.
func leaseStepOf(c fsm.Command) *fsm.Transact {
	switch c := c.(type) {
	case *fsm.IssueLease:
		return &c.Step
	case *fsm.BeginLease:
		return &c.Step
	case *fsm.RenewLease:
		return &c.Step
	case *fsm.Prepare:
		return &c.Step
	}
	return nil
}

// leaseAskedBy is who asks for a command of leaseCommand; any: at whatever epoch.
func leaseAskedBy(c fsm.Command) (caller fsm.Caller, any, ok bool) {
	if s := leaseStepOf(c); s != nil {
		return s.Caller, false, true
	}
	switch c := c.(type) {
	case *fsm.CommitLease:
		return c.Caller, true, true
	case *fsm.RevokeLease:
		return c.Caller, false, true
	case *fsm.RevokeForce:
		return c.Caller, false, true
	case *fsm.HastenRevocation:
		return c.Caller, false, true
	}
	return fsm.Caller{}, false, false
}

// freeOfCharge reports whether a limited caller pays for a later command instead.
func freeOfCharge(c fsm.Command) bool {
	switch c.(type) {
	case *fsm.BeginLease, *fsm.Prepare:
		return true
	}
	return false
}

// lease applies a command of leaseCommand.
func (m *model) lease(c fsm.Command, caller *node) fsm.Code {
	switch c := c.(type) {
	case *fsm.IssueLease:
		return m.lend(&c.Step, &c.Draft, caller, lease.Active)
	case *fsm.BeginLease:
		if caller != nil && caller.rec.NumUses > 0 && caller.rec.UsesLeft <= 1 {
			return fsm.Invalid
		}
		return m.lend(&c.Step, &c.Draft, caller, lease.Intended)
	case *fsm.Prepare:
		code, _ := m.transact(&c.Step)
		return code
	case *fsm.CommitLease:
		return m.commitLease(c, caller)
	case *fsm.AbandonLease:
		if l := m.lentAt(c.ID); l != nil {
			l.kill()
		}
	case *fsm.RenewLease:
		return m.renewLease(c)
	case *fsm.RevokeLease:
		if l := m.lentAt(c.ID); l != nil && l.state != lease.Intended {
			l.kill()
			l.hasten()
		}
	case *fsm.RevokeForce:
		if strings.Trim(c.Prefix, "/") == "" {
			return fsm.Invalid
		}
		m.cutLeases(c.Prefix, true)
		m.killBelow(strings.TrimRight(c.Prefix, "/") + "/")
	}
	return m.workOff(c)
}

// workOff applies what a worker or an operator says of a revocation.
func (m *model) workOff(c fsm.Command) fsm.Code {
	switch c := c.(type) {
	case *fsm.HastenRevocation:
		l := m.lentAt(c.ID)
		if l == nil || !m.queued(l) {
			return fsm.NotFound
		}
		l.hasten()
		l.forced = l.forced || c.Forced
	case *fsm.FinishRevocation:
		if l := m.queuedAs(c.ID, c.Turn); l != nil {
			m.forget(l)
		}
	case *fsm.FailRevocation:
		l := m.queuedAs(c.ID, c.Turn)
		switch {
		case l == nil || l.attempts != c.Attempts:
		case l.forced:
			m.forget(l)
		default:
			l.attempts++
			l.parked = c.Park
		}
	}
	return 0
}

// queuedAs finds a revocation by its turn, which the machine had given before the entry.
func (m *model) queuedAs(id string, turn uint64) *lent {
	l := m.lentAt(id)
	if r, ok := m.engines.lends.turns(id); l == nil || !ok || r.Revocation.Turn != turn || !m.queued(l) {
		return nil
	}
	return l
}

// queued reports whether a lease is in the queue: one whose token is dead may have got there by itself.
func (m *model) queued(l *lent) bool {
	if _, ok := m.engines.lends.turns(l.id); ok && l.state == lease.Active && !m.lives(l) {
		l.kill()
	}
	return l.state == lease.Revoking
}

func (m *model) forget(l *lent) {
	m.engines.lends.rows = slices.DeleteFunc(m.engines.lends.rows, func(o *lent) bool { return o == l })
}

// kill makes a revocation of what is none yet.
func (l *lent) kill() {
	if l.state != lease.Revoking {
		*l = lent{id: l.id, owner: l.owner, mount: l.mount, state: lease.Revoking, trial: trial{forcing: l.forcing}}
	}
}

func (l *lent) hasten() {
	if l.parked {
		l.parked, l.attempts = false, 0
	}
}

func (m *model) lend(step *fsm.Transact, d *fsm.LeaseDraft, caller *node, state lease.State) fsm.Code {
	switch {
	case caller == nil, d.TTL <= 0 || d.MaxTTL < d.TTL, caller.rec.NumUses > 0 && caller.rec.UsesLeft == 0, slices.ContainsFunc(step.Writes, badWrite), m.lentAt(d.ID) != nil:
		return fsm.Invalid
	}
	if code, _ := m.transact(step); code != 0 {
		return code
	}
	l := &lent{id: d.ID, owner: caller, mount: step.UUID, state: state, issued: m.at, expires: m.at.Add(d.TTL), max: d.MaxTTL, renews: d.Renewable}
	if state == lease.Intended {
		l.until = m.at.Add(lease.IntentLife)
	}
	m.engines.lends.rows = append(m.engines.lends.rows, l)
	return 0
}

func badWrite(w fsm.Write) bool { return w.Kind == fsm.WritePut && strings.Contains(w.Key, "//") }

func (m *model) commitLease(c *fsm.CommitLease, caller *node) fsm.Code {
	l := m.lentAt(c.ID)
	switch {
	case caller == nil || l == nil || l.state != lease.Intended:
		return fsm.Invalid
	case l.owner != caller, l.doomed, caller.rec.NumUses > 0 && caller.rec.UsesLeft == 0:
		l.kill()
		return fsm.Invalid
	}
	l.state, l.until = lease.Active, 0
	return 0
}

func (m *model) renewLease(c *fsm.RenewLease) fsm.Code {
	l := m.lentAt(c.ID)
	if l == nil || !m.lives(l) || !l.renews || l.mount != c.Step.UUID {
		return fsm.Invalid
	}
	expires := min(c.Expires, l.issued.Add(min(l.max, c.MaxTTL)))
	if expires <= m.at {
		return fsm.Invalid
	}
	if code, _ := m.transact(&c.Step); code != 0 {
		return code
	}
	l.expires = expires
	return 0
}

// cutLeases kills the leases below a prefix, and dooms the intents.
func (m *model) cutLeases(prefix string, forced bool) {
	prefix = strings.TrimRight(prefix, "/")
	for _, l := range m.engines.lends.rows {
		exact := l.id == prefix && l.state == lease.Active
		if !exact && !strings.HasPrefix(l.id, prefix+"/") {
			continue
		}
		if l.state == lease.Intended {
			l.doomed = true
			continue
		}
		l.kill()
		if exact {
			l.forced = forced
		} else {
			l.forcing = l.forcing || forced
		}
	}
}

// endEntry does what the machine does after the commands of an entry.
func (m *model) endEntry() {
	for _, l := range m.engines.lends.rows {
		if l.forcing {
			l.hasten()
			l.forced, l.forcing = true, false
		}
		if (l.state == lease.Intended && l.until <= m.at) || (l.state == lease.Active && l.expires <= m.at) {
			l.kill()
		}
	}
}

// compareLeases wants the machine to have the model's leases, and what must be taken back to be exactly what is dead
// and not taken back.
func (m *model) compareLeases(machine *fsm.Machine) error {
	want := map[string]*lent{}
	for _, l := range m.engines.lends.rows {
		got, ok := machine.Lease(l.id, m.at)
		if alive := m.lives(l); ok != alive || (ok && got.Expires != l.expires) {
			return fmt.Errorf("lease %s alive %v until %d, want %v until %d", l.id, ok, got.Expires, alive, l.expires)
		}
		if l.state == lease.Revoking || (l.state == lease.Active && !m.lives(l)) {
			want[l.id] = l
		}
	}
	rows := machine.Revocations("", 1<<20, m.at, func(*lease.Lease) bool { return true })
	for _, r := range rows {
		l := want[r.ID]
		if l == nil {
			return fmt.Errorf("a revocation of %s, which is not dead, or gone", r.ID)
		}
		if v := r.Revocation; v.Attempts != l.attempts || v.Parked != l.parked || v.Forced != l.forced || r.Mount.UUID != l.mount {
			return fmt.Errorf("revocation of %s: %+v of mount %q, want %d attempts, parked %v, forced %v, mount %q", r.ID, v, r.Mount.UUID, l.attempts, l.parked, l.forced, l.mount)
		}
	}
	if t := machine.CountRevocations(m.at); len(rows) != len(want) || t.Pending+t.Retrying+t.Parked != len(want) {
		return fmt.Errorf("%d revocations, counted %+v, want %d", len(rows), t, len(want))
	}
	return compareLine(machine, m.at)
}

// compareLine wants of each resource no more than one revocation to be due, the first.
func compareLine(machine *fsm.Machine, at token.Instant) (wrong error) {
	first := map[string]uint64{}
	for _, r := range machine.Revocations("", 1<<20, at, func(l *lease.Lease) bool { return l.Revocation.Turn > 0 && !l.Revocation.Parked }) {
		key := r.Lease.Mount + " " + r.Resource
		if r.Resource != "" && (first[key] == 0 || r.Revocation.Turn < first[key]) {
			first[key] = r.Revocation.Turn
		}
	}
	machine.DueRevocations(at, func(r fsm.Revocation) bool {
		if key := r.Lease.Mount + " " + r.Resource; r.Resource != "" && first[key] != r.Revocation.Turn {
			wrong = fmt.Errorf("revocation %d of resource %s is due, the first is %d", r.Revocation.Turn, key, first[key])
		}
		return wrong == nil
	})
	return wrong
}
