package httpapi

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/role"
)

var roleFields = schema{
	"role_name": text, "allowed_policies": strs, "disallowed_policies": strs, "allowed_policies_glob": strs, "disallowed_policies_glob": strs,
	"orphan": boolean, "period": seconds, "path_suffix": text, "explicit_max_ttl": seconds, "renewable": boolean, "bound_cidrs": strs,
	"allowed_entity_aliases": strs, "token_type": text, "token_period": seconds, "token_explicit_max_ttl": seconds, "token_num_uses": integer,
	"token_bound_cidrs": strs, "token_no_default_policy": boolean, "token_strictly_bind_ip": boolean,
}

func roleExists(m *fsm.Machine, rq *request) bool {
	_, ok := m.Role(rq.vars["role"])
	return ok
}

func listRoles(rq *request) (*response, error) {
	var names []string
	rq.api.store.View(func(m *fsm.Machine) { names = m.RoleNames() })
	return keys(names, "token")
}

// keys is the answer to a list; an empty one is 404.
func keys(names []string, mount string) (*response, error) {
	if len(names) == 0 {
		return nil, errNotFound
	}
	return &response{data: map[string]any{"keys": names}, mount: mount}, nil
}

func readRole(rq *request) (*response, error) {
	var ro role.Role
	var ok bool
	rq.api.store.View(func(m *fsm.Machine) { ro, ok = m.Role(rq.vars["role"]) })
	if !ok {
		return nil, errNotFound
	}
	data := map[string]any{
		"name": ro.Name, "orphan": ro.Orphan, "renewable": ro.Renewable, "path_suffix": ro.PathSuffix,
		"period": wholeSeconds(ro.Period), "token_period": wholeSeconds(ro.TokenPeriod),
		"explicit_max_ttl": wholeSeconds(ro.ExplicitMaxTTL), "token_explicit_max_ttl": wholeSeconds(ro.TokenExplicitMaxTTL),
		"allowed_policies": orEmpty(ro.AllowedPolicies), "disallowed_policies": orEmpty(ro.DisallowedPolicies),
		"allowed_policies_glob": orEmpty(ro.AllowedPoliciesGlob), "disallowed_policies_glob": orEmpty(ro.DisallowedPoliciesGlob),
		"token_type": ro.TokenType, "allowed_entity_aliases": ro.AllowedEntityAliases, "token_no_default_policy": ro.TokenNoDefaultPolicy,
	}
	if len(ro.TokenBoundCIDRs) > 0 {
		data["token_bound_cidrs"] = ro.TokenBoundCIDRs
	}
	if len(ro.BoundCIDRs) > 0 {
		data["bound_cidrs"] = ro.BoundCIDRs
	}
	if ro.TokenNumUses > 0 {
		data["token_num_uses"] = ro.TokenNumUses
	}
	return &response{data: data, mount: "token"}, nil
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// writeRole changes the fields that were sent. A racing change of the same role bumps the epoch,
// and the adapter reads again.
func writeRole(rq *request) (*response, error) {
	ro := role.Role{Name: rq.vars["role"], Renewable: true, TokenType: "default-service"}
	rq.api.store.View(func(m *fsm.Machine) {
		if old, ok := m.Role(ro.Name); ok {
			ro = old
		}
	})
	if err := rq.changeRole(&ro); err != nil {
		return nil, err
	}
	if err := checkRole(&ro); err != nil {
		return nil, err
	}
	_, err := rq.propose(&fsm.PutRole{Caller: rq.asker(), Role: ro})
	return nil, err
}

func (rq *request) changeRole(ro *role.Role) error {
	lists := map[string]*[]string{
		"allowed_policies": &ro.AllowedPolicies, "disallowed_policies": &ro.DisallowedPolicies,
		"allowed_policies_glob": &ro.AllowedPoliciesGlob, "disallowed_policies_glob": &ro.DisallowedPoliciesGlob,
	}
	for name, dst := range lists {
		if rq.has(name) {
			*dst = sortedLower(rq.strs(name))
		}
	}
	if rq.has("allowed_entity_aliases") {
		ro.AllowedEntityAliases = sortedLower(rq.strs("allowed_entity_aliases"))
	}
	for name, dst := range map[string]*bool{"orphan": &ro.Orphan, "renewable": &ro.Renewable, "token_no_default_policy": &ro.TokenNoDefaultPolicy} {
		if rq.has(name) {
			*dst = rq.boolean(name)
		}
	}
	if rq.has("path_suffix") {
		ro.PathSuffix = rq.text("path_suffix")
	}
	if rq.has("token_type") {
		ro.TokenType = rq.text("token_type")
	}
	if rq.has("token_num_uses") {
		n := rq.integer("token_num_uses")
		if n < 0 || n >= 1<<31 {
			return invalid("'token_num_uses' cannot be negative")
		}
		ro.TokenNumUses = uint32(n)
	}
	for name, dst := range map[string]*[]string{"token_bound_cidrs": &ro.TokenBoundCIDRs, "bound_cidrs": &ro.BoundCIDRs} {
		if !rq.has(name) {
			continue
		}
		for _, c := range rq.strs(name) {
			if _, err := parseCIDR(c); err != nil {
				return invalid("error parsing field %s: %v", name, err)
			}
		}
		*dst = rq.strs(name)
	}
	return rq.changeRoleTimes(ro)
}

func (rq *request) changeRoleTimes(ro *role.Role) error {
	for name, dst := range map[string]*durationPair{
		"period": {&ro.Period, &ro.TokenPeriod}, "explicit_max_ttl": {&ro.ExplicitMaxTTL, &ro.TokenExplicitMaxTTL},
	} {
		old, current := name, "token_"+name
		for _, n := range []string{old, current} {
			if rq.seconds(n) < 0 {
				return invalid("'%s' cannot be negative", n)
			}
		}
		if rq.has(current) {
			*dst.current, *dst.old = rq.seconds(current), 0
		} else if rq.has(old) {
			*dst.current, *dst.old = rq.seconds(old), rq.seconds(old)
		}
	}
	return nil
}

func sortedLower(in []string) []string {
	out := []string{}
	for _, s := range in {
		if s = strings.ToLower(strings.TrimSpace(s)); s != "" {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// checkRole refuses what no token could be.
func checkRole(ro *role.Role) error {
	if err := checkPathSuffix(ro.PathSuffix); err != nil {
		return err
	}
	switch ro.TokenType {
	case "", "default":
		ro.TokenType = "default-service"
	case "service", "default-service", "default-batch":
	case "batch":
		const text = "'token_type' cannot be 'batch' when role is set to generate "
		switch {
		case !ro.Orphan:
			return invalid("%snon-orphan tokens", text)
		case ro.Renewable:
			return invalid("%srenewable tokens", text)
		case ro.TokenPeriod != 0 || ro.Period != 0:
			return invalid("%speriodic tokens", text)
		case ro.TokenExplicitMaxTTL != 0 || ro.ExplicitMaxTTL != 0:
			return invalid("%stokens with an explicit max TTL", text)
		case ro.TokenNumUses != 0:
			return invalid("%stokens with limited use count", text)
		}
	default:
		return invalid("invalid 'token_type' value %q", ro.TokenType)
	}
	return nil
}

func checkPathSuffix(s string) error {
	for _, r := range s {
		if !strings.ContainsRune("-_./", r) && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return invalid("given role path suffix contains invalid characters; must match %s", fmt.Sprintf("%q", `[0-9A-Za-z_.-/]`))
		}
	}
	return nil
}

func deleteRole(rq *request) (*response, error) {
	_, err := rq.propose(&fsm.DeleteRole{Caller: rq.asker(), Name: rq.vars["role"]})
	return nil, err
}

// durationPair is a deprecated field and the one that replaces it.
type durationPair struct{ old, current *time.Duration }
