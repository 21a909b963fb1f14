package fsm

import "github.com/tokengrove/grove/fsm/lease"

// IssueLease makes a lease of something that is there already, or that its end alone makes: nothing can leak, so that
// one step is enough.
type IssueLease struct {
	Step  Transact   `cbor:"1,keyasint"`
	Draft LeaseDraft `cbor:"2,keyasint"`
}

func (c *IssueLease) asks() Caller { return c.Step.Caller }

func (c *IssueLease) moved(m *Machine) bool { return c.Step.moved(m) }

// apply makes the lease.
func (c *IssueLease) apply(m *Machine, x *applyContext) Result {
	if x.caller != 0 && m.forest.Limited(x.caller) && m.forest.UsesLeft(x.caller) == 0 {
		return refuse(Invalid, lastUse)
	}
	return m.lend(&c.Step, &c.Draft, lease.Active, x)
}
