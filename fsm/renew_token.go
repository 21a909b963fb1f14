package fsm

import (
	"time"

	"github.com/tokengrove/grove/fsm/forest"
	"github.com/tokengrove/grove/fsm/token"
)

func (c *RenewToken) asks() Caller { return c.Caller }

// apply moves the deadline of the target. The rules are those of the reference's
// CalculateTTL: a period wins over an increment, an increment over the TTL that was granted
// last, and nothing reaches past creation plus the effective maximum.
func (c *RenewToken) apply(m *Machine, x *applyContext) Result {
	ref := m.find(c.Target)
	if ref == 0 {
		return refuse(NotFound, "token not found")
	}
	rec := m.forest.Record(ref)
	t := Terms{
		Increment: c.Increment, TTL: rec.LeaseTTL, Period: rec.Period, ExplicitMax: rec.ExplicitMax,
		Default: c.DefaultTTL, Max: c.MaxTTL, Created: rec.Created,
	}
	if rec.Role != "" {
		t.Period, t.ExplicitMax = c.Period, shorter(rec.ExplicitMax, c.ExplicitMax)
	}
	return m.renew(ref, &rec, t, x)
}

// renew moves the deadline of a live token by terms.
func (m *Machine) renew(ref forest.Ref, rec *token.Record, t Terms, x *applyContext) Result {
	if !rec.Renewable || rec.Deadline == 0 {
		return refuse(Invalid, "lease is not renewable")
	}
	g, ok := t.Grant(x.at)
	if !ok {
		return refuse(Invalid, "past the max TTL, cannot renew")
	}
	m.forest.Renew(ref, g.Until, x.at, g.TTL)
	*rec = m.forest.Record(ref)
	return Result{Token: rec, Granted: g.TTL, Asked: g.Asked, Max: g.Max}
}

// shorter returns the smaller of two maxima, of which 0 means none.
func shorter(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

// Terms are what decides how long a token may live from now on. Durations of 0 are unset.
type Terms struct {
	Increment   time.Duration // asked for in this renewal
	TTL         time.Duration // asked for at creation, or granted last
	Period      time.Duration
	ExplicitMax time.Duration
	Default     time.Duration // of the mount
	Max         time.Duration // of the mount
	Created     token.Instant // 0: now
}

// Grant is the TTL that Terms give. Asked and Max are set when it was capped.
type Grant struct {
	TTL   time.Duration
	Asked time.Duration
	Max   time.Duration
	// PeriodCapped says that it was the period that was longer than Max.
	PeriodCapped bool
	// Until is the deadline: now + TTL, but never past creation + maximum.
	Until token.Instant
}

// Grant computes the TTL from now on; false means that the end was reached already.
// It is pure, so that the edge can tell a client what apply will do.
func (t Terms) Grant(now token.Instant) (Grant, bool) {
	start := t.Created
	if start == 0 {
		start = now
	}
	limit := shorter(t.Max, t.ExplicitMax)
	var g Grant
	var end token.Instant
	if t.Period > 0 {
		g.TTL = t.Period
		if t.Period > limit && limit > 0 {
			g = Grant{TTL: limit, Asked: t.Period, Max: limit, PeriodCapped: true}
		}
		if t.ExplicitMax > 0 {
			end = start.Add(t.ExplicitMax)
		}
	} else {
		switch {
		case t.Increment > 0:
			g.TTL = t.Increment
		case t.TTL > 0:
			g.TTL = t.TTL
		default:
			g.TTL = t.Default
		}
		end = start.Add(limit)
	}
	g.Until = now.Add(g.TTL)
	if end == 0 {
		return g, g.TTL > 0
	}
	// The reference compares whole seconds, so that a token of this very second still gets
	// its full TTL; the deadline itself stays exact.
	left := wholeSecond(end).Sub(wholeSecond(now))
	if left <= 0 || end <= now {
		return Grant{}, false
	}
	if g.TTL > left {
		g = Grant{TTL: left, Asked: g.TTL, Max: left}
	}
	g.Until = min(now.Add(g.TTL), end)
	return g, g.TTL > 0
}

func wholeSecond(i token.Instant) token.Instant { return i - i%token.Instant(time.Second) }
