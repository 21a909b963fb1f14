package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

// node is a token of the model. Links are pointers, so that a hash can be used again
// after its token has died.
type node struct {
	rec     token.Record
	parent  *node
	revoked bool
	usedUp  bool              // its own last use is what ended it
	kept    map[string]string // its cubbyhole
}

// model is the naive machine.
type model struct {
	at      token.Instant
	epoch   uint64
	tokens  map[token.Hash]*node // the last token that had the hash
	all     []*node
	names   map[token.Accessor]*node
	policy  map[string]string
	roles   map[string]bool
	changed map[string]uint64 // name of a policy, or "role "+name → epoch
	audits  auditing
	engines engines
	started bool
	kept    []*kept
}

func newModel() *model {
	return &model{
		tokens: map[token.Hash]*node{}, names: map[token.Accessor]*node{},
		policy: map[string]string{}, roles: map[string]bool{}, changed: map[string]uint64{},
		audits: newAuditing(), engines: newEngines(),
	}
}

func (m *model) alive(n *node) bool {
	for ; n != nil; n = n.parent {
		if n.revoked || n.rec.Expired(m.at) {
			return false
		}
	}
	return true
}

func (m *model) find(t fsm.Target) *node {
	n := m.names[t.Accessor]
	if !t.Token.IsZero() {
		n = m.tokens[t.Token]
	}
	if n == nil || !m.alive(n) {
		return nil
	}
	return n
}

// answer is what the model expects of a command.
type answer struct {
	code   fsm.Code
	stale  bool
	uses   int // uses left of a limited caller, -1 if it was not charged
	record *token.Record
}

// step applies c the way a reader of the documentation would.
func (m *model) step(c fsm.Command) answer {
	switch o := c.(type) {
	case *fsm.Once:
		return m.once(o)
	case *fsm.ByBatch:
		return m.stepBatch(o)
	}
	a := answer{uses: -1}
	caller, epoch, any := askedBy(c)
	var n *node
	if !caller.IsZero() {
		n = m.find(fsm.Target{Token: caller})
		if n == nil {
			return answer{code: fsm.Forbidden, uses: -1}
		}
		if !any && m.stale(c, n, epoch) {
			return answer{stale: true, uses: -1}
		}
	}
	if !m.grounds(c) {
		return answer{stale: true, uses: -1}
	}
	if t := leaseStepOf(c); t != nil && !m.grounded(t) {
		return answer{stale: true, uses: -1}
	}
	if n != nil && !freeOfCharge(c) {
		if n.rec.NumUses > 0 {
			n.rec.UsesLeft--
			a.uses = int(n.rec.UsesLeft)
		}
	}
	a.code, a.record = m.effect(c, n)
	if a.uses == 0 {
		n.usedUp = m.alive(n)
		n.revoked = true
	}
	return a
}

func (m *model) change(name string) {
	m.epoch++
	m.changed[name] = m.epoch
}

// stale reports whether anything that the command relied on has changed since epoch.
func (m *model) stale(c fsm.Command, caller *node, epoch uint64) bool {
	for _, p := range caller.rec.Policies {
		if m.changed[p] > epoch {
			return true
		}
	}
	if m.changed[auditChanged] > epoch {
		return true
	}
	if tune, ok := c.(*fsm.TuneMount); ok && m.changed["mount "+tune.Mount.Path] > epoch {
		return true
	}
	if staleCubbyhole(c, caller) || m.staleIssue(c, epoch) {
		return true
	}
	role, ok := c.(*fsm.PutRole)
	return ok && m.changed["role "+role.Role.Name] > epoch
}

func askedBy(c fsm.Command) (token.Hash, uint64, bool) {
	switch c := c.(type) {
	case *fsm.CreateToken:
		return c.Caller.Token, c.Caller.Epoch, false
	case *fsm.UseToken:
		return c.Caller.Token, c.Caller.Epoch, c.AnyEpoch
	case *fsm.RenewToken:
		return c.Caller.Token, c.Caller.Epoch, false
	case *fsm.RevokeToken:
		return c.Caller.Token, c.Caller.Epoch, false
	case *fsm.RevokeOrphan:
		return c.Caller.Token, c.Caller.Epoch, false
	case *fsm.RevokePrefix:
		return c.Caller.Token, c.Caller.Epoch, false
	case *fsm.PutPolicy:
		return c.Caller.Token, c.Caller.Epoch, false
	case *fsm.DeletePolicy:
		return c.Caller.Token, c.Caller.Epoch, false
	case *fsm.PutRole:
		return c.Caller.Token, c.Caller.Epoch, false
	case *fsm.DeleteRole:
		return c.Caller.Token, c.Caller.Epoch, false
	}
	if a, ok := cubbyholeAskedBy(c); ok {
		return a.Token, a.Epoch, false
	}
	if a, any, ok := leaseAskedBy(c); ok {
		return a.Token, a.Epoch, any
	}
	a := auditAskedBy(c)
	if a == (fsm.Caller{}) {
		a = engineAskedBy(c)
	}
	if a == (fsm.Caller{}) {
		a = sealingAskedBy(c)
	}
	return a.Token, a.Epoch, false
}

func (m *model) effect(c fsm.Command, caller *node) (fsm.Code, *token.Record) {
	switch c := c.(type) {
	case *fsm.Initialize:
		return m.initialize(c)
	case *fsm.CreateToken:
		return m.create(c, caller)
	case *fsm.RenewToken:
		return m.renew(c)
	case *fsm.RevokeToken:
		if n := m.find(c.Target); n != nil {
			n.revoked = true
		} else {
			m.silence(func(n *node) bool {
				return n.rec.Hash == c.Target.Token || (c.Target.Token.IsZero() && n.rec.Accessor == c.Target.Accessor)
			})
		}
	case *fsm.RevokeOrphan:
		return m.revokeOrphan(c), nil
	case *fsm.RevokePrefix:
		if c.Prefix == "" {
			return fsm.Invalid, nil
		}
		m.cutLeases(c.Prefix, false)
		prefix := strings.TrimRight(c.Prefix, "/") + "/"
		m.killBelow(prefix)
	case *fsm.PutPolicy:
		if c.Policy.Name == "root" || c.Policy.Name == "" {
			return fsm.Invalid, nil
		}
		m.policy[c.Policy.Name] = c.Policy.Text
		m.change(c.Policy.Name)
	case *fsm.DeletePolicy:
		if c.Name == "root" || c.Name == "default" {
			return fsm.Invalid, nil
		}
		if _, ok := m.policy[c.Name]; ok {
			delete(m.policy, c.Name)
			m.change(c.Name)
		}
	case *fsm.PutRole:
		m.roles[c.Role.Name] = true
		m.change("role " + c.Role.Name)
	case *fsm.DeleteRole:
		if m.roles[c.Name] {
			delete(m.roles, c.Name)
			m.change("role " + c.Name)
		}
	case *fsm.WriteCubbyhole, *fsm.DeleteCubbyhole:
		return caller.cubbyhole(c), nil
	case *fsm.IssueLease, *fsm.BeginLease, *fsm.CommitLease, *fsm.AbandonLease, *fsm.RenewLease, *fsm.RevokeLease, *fsm.RevokeForce, *fsm.Prepare,
		*fsm.HastenRevocation, *fsm.FinishRevocation, *fsm.FailRevocation:
		return m.lease(c, caller), nil
	case *fsm.EnableAudit, *fsm.DisableAudit, *fsm.PutAuditHeader, *fsm.DeleteAuditHeader:
		return m.audit(c), nil
	}
	return m.sealing(c, caller)
}

func (m *model) initialize(c *fsm.Initialize) (fsm.Code, *token.Record) {
	if m.started {
		return fsm.Invalid, nil
	}
	m.started = true
	n := &node{rec: c.Root}
	n.rec.Created = m.at
	m.add(n)
	for _, p := range c.Policies {
		m.policy[p.Name] = p.Text
	}
	m.epoch++
	return 0, &n.rec
}

func (m *model) add(n *node) {
	m.tokens[n.rec.Hash], m.names[n.rec.Accessor] = n, n
	m.all = append(m.all, n)
}

func (m *model) create(c *fsm.CreateToken, caller *node) (fsm.Code, *token.Record) {
	if caller == nil && (!c.Token.Orphan() || c.Token.HasPolicy("root")) {
		return fsm.Invalid, nil
	}
	if caller != nil && !mayBear(caller, c) {
		return fsm.Invalid, nil
	}
	if old := m.tokens[c.Token.Hash]; old != nil && m.alive(old) {
		return fsm.Invalid, nil
	}
	if old := m.names[c.Token.Accessor]; old != nil && m.alive(old) {
		return fsm.Invalid, nil
	}
	n := &node{rec: c.Token}
	if !c.Token.Orphan() {
		n.parent = caller
	}
	n.rec.Created, n.rec.UsesLeft, n.rec.LeaseTTL = m.at, n.rec.NumUses, n.rec.TTL
	if n.rec.TTL > 0 {
		n.rec.Deadline = m.at.Add(n.rec.TTL)
	}
	m.kept = slices.DeleteFunc(m.kept, func(k *kept) bool { return k.caller.rec.Hash == n.rec.Hash })
	m.add(n)
	return 0, &n.rec
}

func mayBear(parent *node, c *fsm.CreateToken) bool {
	if parent.rec.NumUses > 0 {
		return false
	}
	child := &c.Token
	if parent.rec.HasPolicy("root") {
		return !child.HasPolicy("root") || child.TTL > 0 || parent.rec.TTL == 0
	}
	if child.HasPolicy("root") {
		return false
	}
	for _, p := range child.Policies {
		if !c.Elevated && !parent.rec.HasPolicy(p) {
			return false
		}
	}
	return true
}

func (m *model) renew(c *fsm.RenewToken) (fsm.Code, *token.Record) {
	n := m.find(c.Target)
	if n == nil {
		return fsm.NotFound, nil
	}
	if !n.rec.Renewable || n.rec.Deadline == 0 {
		return fsm.Invalid, nil
	}
	limit := c.MaxTTL
	if n.rec.ExplicitMax > 0 && n.rec.ExplicitMax < limit {
		limit = n.rec.ExplicitMax
	}
	ttl := c.DefaultTTL
	if n.rec.LeaseTTL > 0 {
		ttl = n.rec.LeaseTTL
	}
	if c.Increment > 0 {
		ttl = c.Increment
	}
	end := n.rec.Created.Add(limit)
	if n.rec.Period > 0 {
		ttl, end = min(n.rec.Period, limit), 0
		if n.rec.ExplicitMax > 0 {
			end = n.rec.Created.Add(n.rec.ExplicitMax)
		}
	}
	if end != 0 {
		left := time.Duration(int64(end)/1e9-int64(m.at)/1e9) * time.Second
		if left <= 0 || end <= m.at {
			return fsm.Invalid, nil
		}
		ttl = min(ttl, left)
	}
	n.rec.LeaseTTL, n.rec.Renewed, n.rec.Deadline = ttl, m.at, m.at.Add(ttl)
	if end != 0 {
		n.rec.Deadline = min(n.rec.Deadline, end)
	}
	return 0, &n.rec
}

func (m *model) revokeOrphan(c *fsm.RevokeOrphan) fsm.Code {
	n := m.find(c.Target)
	if n == nil {
		return fsm.NotFound
	}
	for _, child := range m.all {
		if child.parent == n && m.alive(child) {
			child.parent, child.rec.Parent = nil, token.Hash{}
		}
	}
	n.revoked = true
	return 0
}
