package httpapi

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/role"
)

var roleFields = schema{
	"allowed_policies": strs, "disallowed_policies": strs, "allowed_policies_glob": strs, "disallowed_policies_glob": strs,
	"orphan": boolean, "period": seconds, "path_suffix": text, "explicit_max_ttl": seconds, "renewable": boolean, "bound_cidrs": strs,
	"allowed_entity_aliases": strs, "token_type": text, "token_period": seconds, "token_explicit_max_ttl": seconds, "token_num_uses": integer,
	"token_bound_cidrs": strs, "token_no_default_policy": boolean,
}

// tokenRole is a role with the deprecated spellings behind the current ones.
type tokenRole struct{ role.Role }

func (ro *tokenRole) period() time.Duration { return either(ro.TokenPeriod, ro.Period) }
func (ro *tokenRole) explicitMax() time.Duration {
	return either(ro.TokenExplicitMaxTTL, ro.ExplicitMaxTTL)
}

func (ro *tokenRole) cidrs() []string {
	if len(ro.TokenBoundCIDRs) > 0 {
		return ro.TokenBoundCIDRs
	}
	return ro.BoundCIDRs
}

// either returns a, or b if a is not set.
func either[T comparable](a, b T) T {
	var zero T
	if a != zero {
		return a
	}
	return b
}

func roleExists(rq *request, m *fsm.Machine) bool {
	_, ok := m.Role(mux.Vars(rq.http)["role_name"])
	return ok
}

// role reads a role from the local replica.
func (rq *request) role(name string) (ro *tokenRole, ok bool) {
	ro = new(tokenRole)
	rq.api.store.View(func(m *fsm.Machine) { ro.Role, ok = m.Role(name) })
	return ro, ok
}

func listRoles(rq *request) (*response, error) {
	var names []string
	rq.api.store.View(func(m *fsm.Machine) { names = m.RoleNames() })
	return keys(names, "token")
}

func readRole(rq *request) (*response, error) {
	ro, ok := rq.role(rq.text("role_name"))
	if !ok {
		return nil, errNotFound
	}
	return &response{data: ro.show(), mount: "token"}, nil
}

func (ro *tokenRole) show() map[string]any {
	data := map[string]any{
		"name": ro.Name, "orphan": ro.Orphan, "renewable": ro.Renewable, "path_suffix": ro.PathSuffix,
		"period": wholeSeconds(ro.Period), "token_period": wholeSeconds(ro.period()),
		"explicit_max_ttl": wholeSeconds(ro.ExplicitMaxTTL), "token_explicit_max_ttl": wholeSeconds(ro.explicitMax()),
		"allowed_policies": orEmpty(ro.AllowedPolicies), "disallowed_policies": orEmpty(ro.DisallowedPolicies),
		"allowed_policies_glob": orEmpty(ro.AllowedPoliciesGlob), "disallowed_policies_glob": orEmpty(ro.DisallowedPoliciesGlob),
		"token_type": ro.TokenType, "allowed_entity_aliases": ro.AllowedEntityAliases, "token_no_default_policy": ro.TokenNoDefaultPolicy,
	}
	if cidrs := ro.cidrs(); len(cidrs) > 0 {
		data["token_bound_cidrs"] = cidrs
	}
	if len(ro.BoundCIDRs) > 0 {
		data["bound_cidrs"] = ro.BoundCIDRs
	}
	if ro.TokenNumUses > 0 {
		data["token_num_uses"] = ro.TokenNumUses
	}
	return data
}

// writeRole changes the fields that were sent. A racing change of the same role makes the
// command stale, and the adapter reads again.
func writeRole(rq *request) (*response, error) {
	ro, ok := rq.role(rq.text("role_name"))
	if !ok {
		ro.Role = role.Role{Name: rq.text("role_name"), Renewable: true, TokenType: "default-service"}
	}
	for _, step := range []func(*tokenRole) error{rq.setPlain, rq.setPolicies, rq.setType, rq.setTokenFields, rq.setCIDRs, rq.setTimes} {
		if err := step(ro); err != nil {
			return nil, err
		}
	}
	if err := ro.check(); err != nil {
		return nil, err
	}
	_, err := rq.propose(&fsm.PutRole{Caller: rq.asker(), Role: ro.Role})
	return nil, err
}

var pathSuffix = regexp.MustCompile(`\w[\w-.]+\w`)

func (rq *request) setPlain(ro *tokenRole) error {
	engine.Set(rq.values, "orphan", &ro.Orphan)
	engine.Set(rq.values, "renewable", &ro.Renewable)
	engine.Set(rq.values, "path_suffix", &ro.PathSuffix)
	switch s := ro.PathSuffix; {
	case s != "" && !pathSuffix.MatchString(s):
		return invalid("given role path suffix contains invalid characters; must match %s", pathSuffix)
	case strings.Contains(s, ".."):
		return invalid("error registering path suffix: path cannot contain parent references")
	case len(s) > maxShort:
		return invalid("field path_suffix: at most %d bytes are allowed", maxShort)
	}
	return nil
}

// setPolicies stores names as policies are stored, in lower case.
func (rq *request) setPolicies(ro *tokenRole) error {
	if rq.has("allowed_policies") {
		ro.AllowedPolicies = sanitize(rq.strs("allowed_policies"), false)
	}
	if rq.has("allowed_policies_glob") {
		ro.AllowedPoliciesGlob = sanitize(rq.strs("allowed_policies_glob"), false)
	}
	if rq.has("disallowed_policies") {
		ro.DisallowedPolicies = sortedLower(rq.strs("disallowed_policies"))
	}
	if rq.has("disallowed_policies_glob") {
		ro.DisallowedPoliciesGlob = sortedLower(rq.strs("disallowed_policies_glob"))
	}
	if rq.has("allowed_entity_aliases") {
		ro.AllowedEntityAliases = sortedLower(rq.strs("allowed_entity_aliases"))
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

func deleteRole(rq *request) (*response, error) {
	_, err := rq.propose(&fsm.DeleteRole{Caller: rq.asker(), Name: rq.text("role_name")})
	return nil, err
}
