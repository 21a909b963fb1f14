package fsm

import "github.com/tokengrove/grove/fsm/lease"

// BeginLease says what is about to be made outside, before anybody makes it: whatever happens next, what may have
// been made is taken back unless CommitLease makes a lease of it. It charges nothing: the request is charged by its commit.
type BeginLease struct {
	Step  Transact   `cbor:"1,keyasint"`
	Draft LeaseDraft `cbor:"2,keyasint"`
}

func (c *BeginLease) asks() Caller { return c.Step.Caller }

func (c *BeginLease) moved(m *Machine) bool { return c.Step.moved(m) }

// apply adds the intent.
func (c *BeginLease) apply(m *Machine, x *applyContext) Result {
	if x.caller != 0 && m.forest.Limited(x.caller) && m.forest.UsesLeft(x.caller) <= 1 {
		return refuse(Invalid, lastUse)
	}
	return m.lend(&c.Step, &c.Draft, lease.Intended, x)
}
