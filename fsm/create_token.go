package fsm

import (
	"errors"
	"slices"

	"github.com/tokengrove/grove/fsm/forest"
	"github.com/tokengrove/grove/fsm/planted"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// maxAccessor bounds an accessor's length in bytes.
const maxAccessor = 64

func (c *CreateToken) asks() Caller { return c.Caller }

// apply adds the token, unless the caller may not. The edge has checked the same rules
// against its own replica; here they hold whatever the edge believed.
func (c *CreateToken) apply(m *Machine, x *applyContext) Result {
	if !c.Token.Login.IsZero() {
		return refuse(Invalid, "only a login makes the token of a login")
	}
	return c.insert(m, x)
}

// insert adds the token of a command whose fields were checked.
func (c *CreateToken) insert(m *Machine, x *applyContext) Result {
	rec := c.Token
	if r, ok := checkRecord(&rec); !ok {
		return r
	}
	if r, ok := m.checkDescent(c, x); !ok {
		return r
	}
	var parent forest.Ref
	if !rec.Orphan() {
		parent = x.caller
	}
	rec.Created, rec.UsesLeft, rec.LeaseTTL, rec.Renewed, rec.Deadline = x.at, rec.NumUses, rec.TTL, 0, deadlineOf(&rec, x.at)
	m.vacate(rec.Hash, rec.Accessor)
	switch _, err := m.forest.Insert(&rec, parent); {
	case errors.Is(err, forest.ErrDuplicateHash):
		return refuse(Invalid, "cannot create a token with a duplicate ID")
	case err != nil:
		return refuse(Invalid, "cannot create the token: %v", err)
	}
	if m.answers.Len() > 0 {
		m.answers.Drop(rec.Hash) // what an earlier token with this hash has left
	}
	return Result{Token: &rec}
}

// deadlineOf is when a token that is created at at dies; 0: never.
func deadlineOf(rec *token.Record, at token.Instant) token.Instant {
	switch {
	case rec.TTL <= 0:
		return 0
	case planted.Is("late-deadline"):
		return at.Add(10 * rec.TTL)
	}
	return at.Add(rec.TTL)
}

// checkRecord refuses a record that no edge may propose; ok if it may.
func checkRecord(rec *token.Record) (r Result, ok bool) {
	switch {
	case rec.Hash.IsZero():
		r = refuse(Invalid, "a token needs a hash")
	case rec.Accessor == "" || len(rec.Accessor) > maxAccessor:
		r = refuse(Invalid, "an accessor has 1 to %d bytes, this one has %d", maxAccessor, len(rec.Accessor))
	case rec.Type != token.Service:
		r = refuse(Invalid, "unknown token type %d", rec.Type)
	case rec.Path == "":
		r = refuse(Invalid, "a token needs a source path")
	case rec.TTL < 0 || rec.Period < 0 || rec.ExplicitMax < 0:
		r = refuse(Invalid, "durations cannot be negative")
	case rec.TTL == 0 && !rec.HasPolicy(policy.Root):
		r = refuse(Invalid, "only root tokens may live for ever")
	case !slices.IsSorted(rec.Policies) || hasAdjacentDuplicate(rec.Policies):
		r = refuse(Invalid, "policies must be sorted and without duplicates")
	default:
		return r, true
	}
	return r, false
}

func hasAdjacentDuplicate(s []string) bool {
	for i := 1; i < len(s); i++ {
		if s[i] == s[i-1] {
			return true
		}
	}
	return false
}

// checkDescent refuses children that would gain on their parent; ok if this one does not.
func (m *Machine) checkDescent(c *CreateToken, x *applyContext) (r Result, ok bool) {
	root := c.Token.HasPolicy(policy.Root)
	switch {
	case x.caller == 0 && !c.Token.Orphan():
		r = refuse(Invalid, "a token without a caller has no parent")
	case x.caller == 0 && root:
		r = refuse(Invalid, "root tokens may not be created without parent token being root")
	case x.caller == 0:
		return r, true
	case !c.Token.Orphan() && c.Token.Parent != c.Caller.Token:
		r = refuse(Invalid, "the parent of a token is its creator")
	case m.forest.Limited(x.caller):
		r = refuse(Invalid, "restricted use token cannot generate child tokens")
	case m.forest.HasPolicy(x.caller, policy.Root):
		if !root || c.Token.TTL > 0 || m.forest.Record(x.caller).TTL == 0 {
			return r, true
		}
		r = refuse(Invalid, "expiring root tokens cannot create non-expiring root tokens")
	case root:
		r = refuse(Invalid, "root tokens may not be created without parent token being root")
	case c.Elevated:
		return r, true
	default:
		for _, p := range c.Token.Policies {
			if !m.forest.HasPolicy(x.caller, p) {
				return refuse(Invalid, "child policies must be subset of parent"), false
			}
		}
		return r, true
	}
	return r, false
}

// vacate makes sure that a dead token does not hold a hash or accessor that is asked
// for again: nobody may see whether a dead token has been reclaimed yet.
func (m *Machine) vacate(h token.Hash, a token.Accessor) {
	for _, ref := range []forest.Ref{m.forest.Find(h), m.forest.FindAccessor(a)} {
		if ref == 0 || m.forest.Alive(ref, m.at) {
			continue
		}
		m.forest.Expire(m.at, m.forest.Len())
		m.forest.Reclaim(m.forest.Len())
		return
	}
}
