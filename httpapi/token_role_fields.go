package httpapi

import (
	"time"

	"github.com/tokengrove/grove/engine"
)

// The fields of a role that exist in an old and a new spelling, and those that login
// methods share. The old spelling is remembered, because a read shows both; when both are
// sent, the new one wins and a warning says so.

func (rq *request) setType(ro *tokenRole) error {
	if !rq.has("token_type") {
		return nil
	}
	if rq.raw["token_type"] == nil {
		return invalid("Invalid 'token_type' value: null")
	}
	switch t := rq.text("token_type"); t {
	case "service", "batch", "default-service", "default-batch":
		ro.TokenType = t
		return nil
	default:
		return invalid("invalid 'token_type' value %q", t)
	}
}

func (rq *request) setTokenFields(ro *tokenRole) error {
	if rq.has("token_no_default_policy") {
		ro.TokenNoDefaultPolicy = rq.boolean("token_no_default_policy")
	}
	if !rq.has("token_num_uses") {
		return nil
	}
	n := rq.integer("token_num_uses")
	switch {
	case n < 0:
		return invalid("error parsing role fields: 'token_num_uses' cannot be negative")
	case n > maxUses:
		return invalid("field token_num_uses: at most %d uses can be counted", maxUses)
	}
	ro.TokenNumUses = uint32(n)
	return nil
}

func (rq *request) setCIDRs(ro *tokenRole) error {
	name, prefix := "token_bound_cidrs", "error parsing role fields: token_bound_cidrs"
	if !rq.has(name) {
		name, prefix = "bound_cidrs", "error parsing bound_cidrs"
	}
	if !rq.has(name) {
		return nil
	}
	cidrs, err := engine.ParseCIDRs(rq.strs(name))
	if err != nil {
		return invalid("%s: %v", prefix, err)
	}
	ro.TokenBoundCIDRs, ro.BoundCIDRs = cidrs, nil
	if name == "bound_cidrs" {
		ro.BoundCIDRs = cidrs
	}
	rq.warnBoth("bound_cidrs")
	return nil
}

func (rq *request) setTimes(ro *tokenRole) error {
	rq.setTime("period", &ro.TokenPeriod, &ro.Period)
	rq.setTime("explicit_max_ttl", &ro.TokenExplicitMaxTTL, &ro.ExplicitMaxTTL)
	given := ro.ExplicitMaxTTL
	if rq.has("token_explicit_max_ttl") {
		given = ro.TokenExplicitMaxTTL
	}
	if _, limit := rq.ttls(tokenMount); given > limit {
		rq.warn("Given explicit max TTL of %d is greater than system/mount allowed value of %d seconds; until this is fixed attempting to create tokens against this role will result in an error",
			wholeSeconds(given), wholeSeconds(limit))
	}
	return nil
}

func (rq *request) setTime(name string, current, old *time.Duration) {
	switch {
	case rq.has("token_" + name):
		*current, *old = rq.seconds("token_"+name), 0
		rq.warnBoth(name)
	case rq.has(name):
		*current, *old = rq.seconds(name), rq.seconds(name)
	}
}

func (rq *request) warnBoth(name string) {
	if rq.has(name) && rq.has("token_"+name) {
		rq.warn("Both 'token_%s' and deprecated '%s' value supplied, ignoring the deprecated value", name, name)
	}
}

// check refuses what no token could be.
func (ro *tokenRole) check() error {
	if ro.TokenType != "batch" {
		return nil
	}
	const text = "'token_type' cannot be 'batch' when role is set to generate "
	switch {
	case !ro.Orphan:
		return invalid("%snon-orphan tokens", text)
	case ro.period() != 0:
		return invalid("%speriodic tokens", text)
	case ro.Renewable:
		return invalid("%srenewable tokens", text)
	case ro.explicitMax() != 0:
		return invalid("%stokens with an explicit max TTL", text)
	}
	return nil
}
