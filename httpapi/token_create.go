package httpapi

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi/acl"
)

var createFields = schema{
	"id": text, "display_name": text, "policies": strs, "meta": pairs, "no_parent": boolean, "no_default_policy": boolean,
	"renewable": boolean, "ttl": text, "lease": text, "explicit_max_ttl": text, "period": text, "type": text, "num_uses": integer,
	"entity_alias": text, "role_name": text, "format": text,
}

// limits bound what one token may carry.
const (
	maxID       = 4096
	maxText     = 1 << 16
	maxPolicies = 10_000
)

func createToken(rq *request) (*response, error) { return rq.create(nil, false) }

func createOrphan(rq *request) (*response, error) { return rq.create(nil, true) }

func createWithRole(rq *request) (*response, error) {
	var ro role.Role
	var ok bool
	rq.api.store.View(func(m *fsm.Machine) { ro, ok = m.Role(rq.vars["role"]) })
	if !ok {
		return nil, invalid("unknown role %s", rq.vars["role"])
	}
	return rq.create(&ro, false)
}

// draft is a token on its way, with what the rules need of its surroundings.
type draft struct {
	rq       *request
	role     *role.Role
	rec      token.Record
	id       token.ID
	elevated bool
	// The rules may use more than the record keeps: a role's period and maximum.
	period, explicitMax time.Duration
}

// create issues a child of the caller. The steps and their texts follow the reference's
// order, so that a request with two faults is told of the same one.
func (rq *request) create(ro *role.Role, orphan bool) (*response, error) {
	d := &draft{rq: rq, role: ro, rec: token.Record{Type: token.Service, Parent: rq.caller.Hash, DisplayName: "token"}}
	for _, step := range []func() error{d.kind, d.names, d.identify, d.policies, func() error { return d.orphan(orphan) }, d.durations, d.ttl} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	r, err := rq.propose(&fsm.CreateToken{Caller: rq.asker(), Token: d.rec, Elevated: d.elevated})
	if err != nil {
		return nil, err
	}
	d.warnMissingPolicies()
	return &response{auth: authOf(d.id, r.Token, r.Token.TTL), mount: "token"}, nil
}

func (d *draft) kind() error {
	rq := d.rq
	if rq.caller.Limited() {
		return invalid("restricted use token cannot generate child tokens")
	}
	kind := rq.text("type")
	if d.role != nil && (d.role.TokenType == "service" || d.role.TokenType == "batch") {
		kind = d.role.TokenType
	}
	switch kind {
	case "", "service", "default-service":
	case "batch":
		return invalid("batch tokens are not supported yet")
	default:
		return invalid("invalid 'token_type' value")
	}
	if rq.integer("num_uses") < 0 {
		return invalid("number of uses cannot be negative")
	}
	if rq.integer("num_uses") >= 1<<31 {
		return invalid("field num_uses: at most %d uses can be counted", 1<<31-1)
	}
	if rq.text("entity_alias") != "" {
		if d.role == nil {
			return invalid("'entity_alias' is only allowed in combination with token role")
		}
		return invalid("invalid 'entity_alias' value")
	}
	return nil
}

var notInDisplayNames = regexp.MustCompile(`[^a-zA-Z0-9-]`)

func (d *draft) names() error {
	rq, rec := d.rq, &d.rec
	for _, f := range []string{"display_name", "id"} {
		if len(rq.text(f)) > maxID {
			return invalid("field %s: at most %d bytes are allowed", f, maxID)
		}
	}
	size := 0
	for k, v := range rq.pairs("meta") {
		size += len(k) + len(v)
	}
	if size > maxText {
		return invalid("field meta: at most %d bytes are allowed", maxText)
	}
	rec.Meta = maps.Clone(rq.pairs("meta"))
	if len(rec.Meta) == 0 {
		rec.Meta = nil
	}
	if n := rq.text("display_name"); n != "" {
		rec.DisplayName = strings.TrimSuffix("token-"+notInDisplayNames.ReplaceAllString(n, "-"), "-")
	}
	rec.NumUses = uint32(rq.integer("num_uses"))
	rec.Renewable = !rq.has("renewable") || rq.boolean("renewable")
	rec.Path = strings.TrimSuffix(rq.path, "/")
	if ro := d.role; ro != nil {
		rec.Role = ro.Name
		rec.Path = "auth/token/create/" + ro.Name
		if ro.PathSuffix != "" {
			rec.Path += "/" + ro.PathSuffix
		}
		rec.Renewable = rec.Renewable && ro.Renewable
		if ro.TokenNumUses > 0 && (rec.NumUses == 0 || ro.TokenNumUses < rec.NumUses) {
			rec.NumUses = ro.TokenNumUses
		}
		rec.BoundCIDRs = slices.Clone(ro.TokenBoundCIDRs)
		if len(rec.BoundCIDRs) == 0 {
			rec.BoundCIDRs = slices.Clone(ro.BoundCIDRs)
		}
	}
	return nil
}

// identify mints ID and accessor, or takes the ID that a privileged caller chose.
func (d *draft) identify() error {
	var err error
	if chosen := d.rq.text("id"); chosen != "" {
		switch {
		case !d.rq.decision.Sudo:
			return invalid("root or sudo privileges required to specify token id")
		case strings.HasPrefix(chosen, "s."):
			return invalid("custom token ID cannot have the 's.' prefix")
		case strings.Contains(chosen, "."):
			return invalid("custom token ID cannot have a '.' in the value")
		}
		d.rq.warn("Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure SHA2-256 HMAC for token obfuscation. SHA1 hashed tokens on the wire leads to less secure lookups.")
		d.id = token.ID(chosen)
	} else if d.id, err = token.NewID(d.rq.api.cfg.Rand); err != nil {
		return err
	}
	d.rec.Hash = d.rq.hash(d.id)
	d.rec.Accessor, err = token.NewAccessor(d.rq.api.cfg.Rand)
	return err
}

// policies decides which policies the token gets.
func (d *draft) policies() error {
	rq, ro := d.rq, d.role
	if len(rq.strs("policies")) > maxPolicies {
		return invalid("field policies: at most %d are allowed", maxPolicies)
	}
	noDefault := rq.boolean("no_default_policy") || (ro != nil && ro.TokenNoDefaultPolicy)
	asked := rq.strs("policies")
	addDefault := false
	switch {
	case ro != nil && restricts(ro):
		final, err := rolePolicies(ro, asked, rq.caller.Policies, !noDefault)
		if err != nil {
			return err
		}
		asked, d.elevated = final, true
	case len(asked) == 0:
		asked = rq.caller.Policies
	case !rq.decision.Sudo:
		own := sanitize(rq.caller.Policies, false)
		for _, p := range sanitize(asked, false) {
			if !slices.Contains(own, p) {
				return invalid("child policies must be subset of parent")
			}
		}
		addDefault = !noDefault && rq.caller.HasPolicy(policy.Default)
	default:
		addDefault, d.elevated = !noDefault, true
	}
	ps := sanitize(asked, addDefault)
	if noDefault {
		ps = slices.DeleteFunc(ps, func(p string) bool { return p == policy.Default })
	}
	for _, p := range ps {
		if p == "response-wrapping" || p == "control-group" {
			return invalid("cannot assign policy %q", p)
		}
	}
	if slices.Contains(ps, policy.Root) && !rq.caller.HasPolicy(policy.Root) {
		return invalid("root tokens may not be created without parent token being root")
	}
	d.rec.Policies = ps
	return nil
}

func restricts(ro *role.Role) bool {
	return len(ro.AllowedPolicies)+len(ro.DisallowedPolicies)+len(ro.AllowedPoliciesGlob)+len(ro.DisallowedPoliciesGlob) > 0
}

// rolePolicies applies a role's lists, which replace the subset rule.
func rolePolicies(ro *role.Role, asked, parent []string, wantDefault bool) ([]string, error) {
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
		allowed := []string{}
		if len(ro.AllowedPolicies) > 0 || addDefault {
			allowed = sanitize(ro.AllowedPolicies, addDefault)
		}
		globs := sanitize(ro.AllowedPoliciesGlob, false)
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

func matchesAny(p string, exact, globs []string) bool {
	return slices.Contains(exact, p) || slices.ContainsFunc(globs, func(g string) bool { return acl.Glob(g, p) })
}

// sanitize trims, lower-cases, sorts and deduplicates; root stands alone.
func sanitize(ps []string, addDefault bool) []string {
	out := []string{}
	for _, p := range ps {
		if p = strings.ToLower(strings.TrimSpace(p)); p != "" {
			out = append(out, p)
		}
	}
	if slices.Contains(out, policy.Root) {
		return []string{policy.Root}
	}
	if addDefault {
		out = append(out, policy.Default)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (d *draft) orphan(forced bool) error {
	switch {
	case forced, d.role != nil && d.role.Orphan:
		d.rec.Parent = token.Hash{}
	case d.rq.boolean("no_parent"):
		if !d.rq.decision.Sudo {
			return invalid("root or sudo privileges required to create orphan token")
		}
		d.rec.Parent = token.Hash{}
	}
	return nil
}

// durations reads explicit_max_ttl, period and ttl, and takes the role's into account.
func (d *draft) durations() error {
	rq, rec := d.rq, &d.rec
	var err error
	if rec.ExplicitMax, err = positive(rq, "explicit_max_ttl"); err != nil {
		return err
	}
	if rec.Period, err = positive(rq, "period"); err != nil {
		return err
	}
	if rec.Period > 0 && !rq.decision.Sudo {
		return invalid("root or sudo privileges required to create periodic token")
	}
	name := "ttl"
	if rq.text("ttl") == "" {
		name = "lease"
	}
	if rec.TTL, err = positive(rq, name); err != nil {
		return err
	}
	d.period, d.explicitMax = rec.Period, rec.ExplicitMax
	if ro := d.role; ro != nil {
		d.explicitMax = d.lesser("Explicit max TTL", d.explicitMax, either(ro.TokenExplicitMaxTTL, ro.ExplicitMaxTTL))
		d.period = d.lesser("Period", d.period, either(ro.TokenPeriod, ro.Period))
	}
	return nil
}

func positive(rq *request, name string) (time.Duration, error) {
	v, err := parseDuration(rq.text(name))
	if err != nil {
		return 0, invalid("%v", err)
	}
	if v < 0 {
		return 0, invalid("%s must be positive", name)
	}
	return v, nil
}

func either(a, b time.Duration) time.Duration {
	if a != 0 {
		return a
	}
	return b
}

func (d *draft) lesser(what string, own, roles time.Duration) time.Duration {
	if roles == 0 {
		return own
	}
	if own == 0 {
		return roles
	}
	own = min(own, roles)
	d.rq.warn("%s specified both during creation call and in role; using the lesser value of %d seconds", what, wholeSeconds(own))
	return own
}

// ttl computes how long the token lives at first.
func (d *draft) ttl() error {
	rec := &d.rec
	root := rec.HasPolicy(policy.Root)
	if d.period > 0 || rec.TTL > 0 || !root {
		defaultTTL, maxTTL := d.rq.ttls("auth/token/")
		g, ok := fsm.Terms{TTL: rec.TTL, Period: d.period, ExplicitMax: d.explicitMax, Default: defaultTTL, Max: maxTTL}.Grant(d.rq.now)
		if !ok {
			return invalid("past the max TTL, cannot renew")
		}
		d.rq.warnCapped(g.Asked, g.Max, g.PeriodCapped)
		rec.TTL = g.TTL
	}
	if rec.TTL == 0 && d.explicitMax > 0 {
		rec.TTL = d.explicitMax
	}
	if rec.TTL == 0 {
		if d.rq.caller.TTL != 0 {
			return invalid("expiring root tokens cannot create non-expiring root tokens")
		}
		rec.Renewable = false
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
	defaultTTL, maxTTL = rq.api.cfg.DefaultTTL, rq.api.cfg.MaxTTL
	rq.api.store.View(func(m *fsm.Machine) {
		if mt, ok := m.Mount(path); ok {
			defaultTTL, maxTTL = either(mt.DefaultTTL, defaultTTL), either(mt.MaxTTL, maxTTL)
		}
	})
	return min(defaultTTL, maxTTL), maxTTL
}

func (d *draft) warnMissingPolicies() {
	var missing []string
	d.rq.api.store.View(func(m *fsm.Machine) {
		for _, p := range d.rec.Policies {
			if _, ok := m.Policy(p); !ok && p != policy.Root {
				missing = append(missing, fmt.Sprintf("Policy %q does not exist", p))
			}
		}
	})
	d.rq.warnings = append(missing, d.rq.warnings...)
}
