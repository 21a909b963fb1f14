package fsm

import "github.com/tokengrove/grove/fsm/lease"

// CommitLease makes a lease of the caller's intent, once what it stands for has been made. It charges the request that
// BeginLease has begun, and so is decided at the epoch of that.
type CommitLease struct {
	Caller Caller `cbor:"1,keyasint"`
	ID     string `cbor:"2,keyasint"`
}

func (c *CommitLease) asks() Caller { return c.Caller }

// apply makes the lease, or has what was made taken back.
func (c *CommitLease) apply(m *Machine, x *applyContext) Result {
	if x.caller == 0 {
		return refuse(Invalid, "a lease is that of a token")
	}
	if m.forest.Limited(x.caller) && m.forest.UsesLeft(x.caller) == 0 {
		return c.refused(m, lastUse)
	}
	l, err := m.leases.Commit(c.ID, c.Caller.Token)
	if err != nil {
		return c.refused(m, err.Error())
	}
	return Result{Granted: l.TTL}
}

// refused has what was made taken back, if it is an intent still.
func (c *CommitLease) refused(m *Machine, why string) Result {
	if l, ok := m.leases.Row(c.ID); ok && l.State == lease.Intended {
		m.leases.Kill(l, m.at, false)
	}
	return Result{Code: Invalid, Message: why}
}
