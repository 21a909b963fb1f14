package httpapi

import (
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
)

// readTimes reads explicit_max_ttl, period and ttl, and takes the role's into account.
func (d *draft) readTimes() error {
	rq, rec := d.rq, &d.rec
	var err error
	if rec.ExplicitMax, err = positive("explicit_max_ttl", rq.text("explicit_max_ttl"), parseDuration); err != nil {
		return err
	}
	if rec.Period, err = positive("period", rq.text("period"), parseDuration); err != nil {
		return err
	}
	if rec.Period > 0 && !rq.decision.Sudo {
		return invalid("root or sudo privileges required to create periodic token")
	}
	if ttl := rq.text("ttl"); ttl != "" {
		rec.TTL, err = positive("ttl", ttl, parseDuration)
	} else if lease := rq.text("lease"); lease != "" {
		rec.TTL, err = positive("lease", lease, time.ParseDuration)
	}
	if err != nil {
		return err
	}
	d.period, d.explicitMax = rec.Period, rec.ExplicitMax
	if d.role != nil {
		d.explicitMax = d.lesser("Explicit max TTL", d.explicitMax, d.role.explicitMax())
		d.period = d.lesser("Period", d.period, d.role.period())
	}
	return nil
}

func positive(name, v string, parse func(string) (time.Duration, error)) (time.Duration, error) {
	if v == "" {
		return 0, nil
	}
	d, err := parse(v)
	if err != nil {
		return 0, invalid("%v", err)
	}
	if d < 0 {
		return 0, invalid("%s must be positive", name)
	}
	return d, nil
}

func (d *draft) lesser(what string, own, roles time.Duration) time.Duration {
	switch {
	case roles == 0:
		return own
	case own == 0:
		return roles
	}
	own = min(own, roles)
	d.rq.warn("%s specified both during creation call and in role; using the lesser value of %d seconds", what, wholeSeconds(own))
	return own
}

// chooseTTL computes how long the token lives at first. Only root tokens may live for ever.
func (d *draft) chooseTTL() error {
	rec := &d.rec
	if d.period > 0 || rec.TTL > 0 || !rec.HasPolicy(policy.Root) {
		defaultTTL, maxTTL := d.rq.ttls(tokenMount)
		g, ok := fsm.Terms{TTL: rec.TTL, Period: d.period, ExplicitMax: d.explicitMax, Default: defaultTTL, Max: maxTTL}.Grant(d.rq.now)
		if !ok {
			return invalid("past the max TTL, cannot renew")
		}
		d.rq.warnCapped(g.Asked, g.Max, g.PeriodCapped)
		rec.TTL = g.TTL
	}
	if rec.TTL == 0 {
		rec.TTL = d.explicitMax
	}
	if rec.TTL == 0 {
		if d.rq.caller.TTL != 0 {
			return invalid("expiring root tokens cannot create non-expiring root tokens")
		}
		rec.Renewable, rec.BoundCIDRs = false, nil
	}
	return nil
}

func (rq *request) warnCapped(asked, limit time.Duration, period bool) {
	switch {
	case asked == 0:
	case period:
		rq.warn("period of %q exceeded the effective max_ttl of %q; period value is capped accordingly", human(asked), human(limit))
	default:
		rq.warn("TTL of %q exceeded the effective max_ttl of %q; TTL value is capped accordingly", human(asked), human(limit))
	}
}

// human writes a duration without zero units: 10m, not 10m0s.
func human(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

// ttls returns the default and maximum TTL of a mount.
func (rq *request) ttls(path string) (defaultTTL, maxTTL time.Duration) {
	var mt mount.Mount
	rq.api.store.View(func(m *fsm.Machine) { mt, _ = m.Mount(path) })
	return boundTTLs(&mt, rq.api.cfg.DefaultTTL, rq.api.cfg.MaxTTL)
}
