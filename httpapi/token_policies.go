package httpapi

import (
	"slices"
	"strings"

	"github.com/tokengrove/grove/fsm/policy"
)

// maxPolicyNames bounds the policies that one token may ask for.
const maxPolicyNames = 10_000

// unassignable are policies that only the server gives to tokens of its own making.
var unassignable = []string{"response-wrapping", "control-group"}

// choosePolicies decides which policies the token gets.
//
// "default" is added where it is due, compared with the others, and taken out at the end if
// the caller wants none: that is the reference's order, and its texts show it.
func (d *draft) choosePolicies() error {
	rq, caller := d.rq, &d.rq.caller
	asked := rq.strs("policies")
	if len(asked) > maxPolicyNames {
		return invalid("field policies: at most %d are allowed", maxPolicyNames)
	}
	wantDefault := !rq.boolean("no_default_policy")
	addDefault := false
	switch {
	case d.role != nil && d.role.restricts():
		var err error
		if asked, err = d.role.policies(asked, caller.Policies, wantDefault && !d.role.TokenNoDefaultPolicy); err != nil {
			return err
		}
		d.elevated = true
	case len(asked) == 0:
		asked = caller.Policies
	case rq.decision.Sudo:
		addDefault, d.elevated = wantDefault, true
	default:
		for _, p := range sanitize(asked, false) {
			if !caller.HasPolicy(p) {
				return invalid("child policies must be subset of parent")
			}
		}
		addDefault = wantDefault && caller.HasPolicy(policy.Default)
	}
	ps := sanitize(asked, addDefault)
	if !wantDefault {
		ps = slices.DeleteFunc(ps, func(p string) bool { return p == policy.Default })
	}
	d.rec.Policies = ps
	return checkPolicies(ps, caller.HasPolicy(policy.Root))
}

func checkPolicies(ps []string, rootParent bool) error {
	for _, p := range ps {
		if slices.Contains(unassignable, p) {
			return invalid("cannot assign policy %q", p)
		}
	}
	if slices.Contains(ps, policy.Root) && !rootParent {
		return invalid("root tokens may not be created without parent token being root")
	}
	return nil
}

// restricts reports whether the role decides about policies, instead of the caller's own.
func (ro *tokenRole) restricts() bool {
	return len(ro.AllowedPolicies)+len(ro.DisallowedPolicies)+len(ro.AllowedPoliciesGlob)+len(ro.DisallowedPoliciesGlob) > 0
}

// policies applies the role's lists, which replace the rule that a child has a subset of
// its parent's policies.
func (ro *tokenRole) policies(asked, parent []string, wantDefault bool) ([]string, error) {
	addDefault := wantDefault && !matchesAny(policy.Default, ro.DisallowedPolicies, ro.DisallowedPoliciesGlob)
	var final []string
	if len(asked) > 0 {
		final = sanitize(asked, addDefault)
	}
	switch {
	case len(ro.AllowedPolicies)+len(ro.AllowedPoliciesGlob) == 0:
		if len(final) == 0 {
			final = sanitize(parent, addDefault)
		}
	case len(final) == 0:
		final = sanitize(ro.AllowedPolicies, addDefault)
	default:
		allowed, globs := sanitize(ro.AllowedPolicies, addDefault), sanitize(ro.AllowedPoliciesGlob, false)
		for _, p := range final {
			if !matchesAny(p, allowed, globs) {
				return nil, invalid("token policies (%q) must be subset of the role's allowed policies (%q) or glob policies (%q)", final, allowed, globs)
			}
		}
	}
	for _, p := range final {
		if matchesAny(p, ro.DisallowedPolicies, ro.DisallowedPoliciesGlob) {
			return nil, invalid("token policy %q is disallowed by this role", p)
		}
	}
	return final, nil
}

// sanitize trims, lower-cases, sorts and deduplicates; root stands alone.
func sanitize(ps []string, addDefault bool) []string {
	out := make([]string, 0, len(ps)+1)
	for _, p := range ps {
		switch p = strings.ToLower(strings.TrimSpace(p)); p {
		case "":
		case policy.Root:
			return []string{policy.Root}
		default:
			out = append(out, p)
		}
	}
	if addDefault {
		out = append(out, policy.Default)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
