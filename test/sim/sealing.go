package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/keyring"
	"github.com/tokengrove/grove/fsm/lockout"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
)

// maxBatches bounds the batch tokens that the simulation watches.
const maxBatches = 200

// batch is a batch token of the model.
type batch struct {
	token  *fsm.BatchToken
	banned bool
}

// sealing is what the model knows of data keys and batch tokens.
type sealing struct {
	terms    uint32
	rotation keyring.Rotation
	batches  []*batch
}

// issue gives out a batch token now and then, as an edge does that sees the machine as it is.
func (r *run) issue() {
	g, s := r.gen, &r.model.engines.sealed
	if g.r.IntN(4) != 0 {
		return
	}
	b := &fsm.BatchToken{Path: paths[g.r.IntN(len(paths))], Created: r.model.at, TTL: g.seconds(1, 120), Policies: slices.DeleteFunc(g.policies(), func(p string) bool { return p == policy.Root }), Issued: r.machine.Point()}
	if n := r.model.find(fsm.Target{Token: g.target()}); n != nil && g.r.IntN(3) != 0 {
		b.Parent = n.rec.Accessor
	}
	if s.batches = append(s.batches, &batch{token: b}); len(s.batches) > maxBatches {
		s.batches = s.batches[1:]
	}
}

// batchAlive reports whether a batch token lives. In the simulation, unlike elsewhere, accessors are used again: then the parent
// is whoever has it now.
func (m *model) batchAlive(b *batch) bool {
	return !b.banned && b.token.Created.Add(b.token.TTL) > m.at && (b.token.Parent == "" || m.find(fsm.Target{Accessor: b.token.Parent}) != nil)
}

// ban kills the batch tokens of a path that ends in a slash.
func (m *model) ban(path string) {
	for _, b := range m.engines.sealed.batches {
		b.banned = b.banned || strings.HasPrefix(b.token.Path+"/", path)
	}
}

// sealingCommand makes a command about data keys, or one of or about a batch token.
func (g *generator) sealingCommand() fsm.Command {
	s := &g.m.engines.sealed
	switch g.r.IntN(8) {
	case 0:
		k := keyring.Key{Term: s.terms + 1, Seal: keyring.SealID{1}, Sealed: []byte{byte(g.r.IntN(256))}}
		if g.r.IntN(4) == 0 {
			k.Term = uint32(g.r.IntN(3))
		}
		if g.r.IntN(6) == 0 {
			k.Sealed = nil
		}
		return &fsm.AddKey{Caller: g.caller(), Key: k}
	case 1:
		interval := []time.Duration{0, time.Hour, 24 * time.Hour}[g.r.IntN(3)]
		return &fsm.PutKeyRotation{Caller: g.caller(), Interval: &interval}
	case 2:
		return &fsm.IssueBatch{Caller: g.caller(), Role: []string{"", "a"}[g.r.IntN(2)], Policies: g.policies()}
	case 3:
		path := mountPaths[g.r.IntN(len(mountPaths))]
		if t, ok := g.transact(path, g.m.engines.uuid[path]).(*fsm.Transact); ok {
			t.Login = nil
			return &fsm.BatchLogin{Transact: *t, Alias: []string{"amy", "bob", ""}[g.r.IntN(3)]}
		}
	}
	return g.byBatch()
}

// byBatch makes a command that a batch token asks for, dead or alive.
func (g *generator) byBatch() fsm.Command {
	all := g.m.engines.sealed.batches
	if len(all) == 0 {
		return &fsm.Tick{}
	}
	asked := fsm.Caller{Epoch: g.caller().Epoch}
	inner := []fsm.Command{
		&fsm.PutPolicy{Caller: asked, Policy: policy.Policy{Name: "c", Text: fmt.Sprint(g.r.IntN(100))}},
		&fsm.PutRole{Caller: asked, Role: role.Role{Name: "a"}},
		&fsm.RevokeToken{Caller: asked, Target: g.targetRef()},
		&fsm.RevokePrefix{Caller: asked, Prefix: prefixes[g.r.IntN(len(prefixes))]},
		&fsm.AddKey{Caller: asked, Key: keyring.Key{Term: g.m.engines.sealed.terms + uint32(g.r.IntN(2)), Seal: keyring.SealID{1}, Sealed: []byte{1}}},
	}[g.r.IntN(5)]
	c, err := fsm.NewByBatch(all[len(all)-1-g.r.IntN(min(len(all), 20))].token, inner)
	if err != nil {
		panic(err)
	}
	return c
}

// sealingAskedBy returns who asks for a command of sealingCommand.
func sealingAskedBy(c fsm.Command) fsm.Caller {
	switch c := c.(type) {
	case *fsm.AddKey:
		return c.Caller
	case *fsm.PutKeyRotation:
		return c.Caller
	case *fsm.IssueBatch:
		return c.Caller
	case *fsm.BatchLogin:
		return c.Transact.Caller
	}
	return fsm.Caller{}
}

// grounds reports whether what a command was made on is still so.
func (m *model) grounds(c fsm.Command) bool {
	switch c := c.(type) {
	case *fsm.Transact:
		return m.grounded(c)
	case *fsm.BatchLogin:
		return m.grounded(&c.Transact)
	case *fsm.AddKey:
		return c.Key.Term == m.engines.sealed.terms+1
	}
	return true
}

// staleIssue reports whether what shaped a batch token has changed.
func (m *model) staleIssue(c fsm.Command, epoch uint64) bool {
	i, ok := c.(*fsm.IssueBatch)
	return ok && (m.changed["role "+i.Role] > epoch || slices.ContainsFunc(i.Policies, func(p string) bool { return m.changed[p] > epoch }))
}

// sealing applies a command of sealingCommand, which may be another.
func (m *model) sealing(c fsm.Command, caller *node) (fsm.Code, *token.Record) {
	s := &m.engines.sealed
	switch c := c.(type) {
	case *fsm.AddKey:
		if len(c.Key.Sealed) == 0 {
			return fsm.Invalid, nil
		}
		s.terms++
	case *fsm.PutKeyRotation:
		if *c.Interval == time.Hour {
			return fsm.Invalid, nil
		}
		s.rotation.Interval = *c.Interval
	case *fsm.IssueBatch:
		if caller == nil || caller.rec.NumUses > 0 {
			return fsm.Invalid, nil
		}
	case *fsm.BatchLogin:
		u := lockout.User{Mount: c.Transact.UUID, Alias: c.Alias}
		if c.Alias != "" && m.isLocked(u) {
			return fsm.Forbidden, nil
		}
		code, _ := m.transact(&c.Transact)
		if code == 0 {
			delete(m.engines.failed, u)
		}
		return code, nil
	default:
		return m.engine(c)
	}
	return 0, nil
}

// stepBatch applies a command that a batch token asks for.
func (m *model) stepBatch(o *fsm.ByBatch) answer {
	if !m.batchAlive(&batch{token: &o.Token, banned: m.isBanned(&o.Token)}) {
		return answer{code: fsm.Forbidden, uses: -1}
	}
	c := mustCommand(fsm.Item{Kind: o.Inner, Body: o.Body})
	_, epoch, _ := askedBy(c)
	if m.stale(c, &node{rec: token.Record{Policies: o.Token.Policies}}, epoch) || !m.grounds(c) {
		return answer{stale: true, uses: -1}
	}
	a := answer{uses: -1}
	a.code, a.record = m.effect(c, nil)
	return a
}

// isBanned finds the token of a command among those that the model watches: no two are issued on one state.
func (m *model) isBanned(t *fsm.BatchToken) bool {
	return slices.ContainsFunc(m.engines.sealed.batches, func(b *batch) bool { return b.token.Issued == t.Issued && b.banned })
}

// compareSealing wants the machine's keys and its judgement of batch tokens to be the model's.
func (m *model) compareSealing(machine *fsm.Machine) error {
	s, ring := &m.engines.sealed, machine.Keyring()
	if ring.Last().Term != s.terms || ring.Rotation != s.rotation {
		return fmt.Errorf("keyring of term %d, rotated %+v, want %d and %+v", ring.Last().Term, ring.Rotation, s.terms, s.rotation)
	}
	for _, b := range s.batches {
		if got, want := machine.BatchAlive(b.token, m.at), m.batchAlive(b); got != want {
			return fmt.Errorf("batch token %+v alive %v, want %v", *b.token, got, want)
		}
	}
	return nil
}
