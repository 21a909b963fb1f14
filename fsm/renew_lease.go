package fsm

import (
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// RenewLease moves the end of a lease, once that of what it stands for was moved.
type RenewLease struct {
	Step    Transact      `cbor:"1,keyasint"`
	ID      string        `cbor:"2,keyasint"`
	Expires token.Instant `cbor:"3,keyasint"`           // as was told outside
	MaxTTL  time.Duration `cbor:"4,keyasint,omitempty"` // as role and mount have it now; 0: that of the lease
}

func (c *RenewLease) asks() Caller { return c.Step.Caller }

func (c *RenewLease) moved(m *Machine) bool { return c.Step.moved(m) }

// apply renews the lease, never past its maximum.
func (c *RenewLease) apply(m *Machine, x *applyContext) Result {
	l, ok := m.leased(c.ID, x.at)
	switch {
	case !ok || l.Mount != c.Step.UUID:
		return refuse(Invalid, "lease not found")
	case !l.Renewable:
		return refuse(Invalid, "lease is not renewable")
	case c.Step.Login != nil || c.Step.Renew != nil:
		return refuse(Invalid, "a transaction has one effect")
	}
	expires := min(c.Expires, l.Issued.Add(shorter(l.MaxTTL, c.MaxTTL)))
	if expires <= x.at {
		return refuse(Invalid, "past the max TTL, cannot renew")
	}
	after, err := c.Step.written(m.stores[c.Step.UUID], x.index)
	if err != nil {
		return refuse(Invalid, "%v", err)
	}
	m.keep(c.Step.UUID, after)
	m.leases.Renew(l, x.at, expires)
	return Result{Granted: expires.Sub(x.at)}
}
