package engine

import (
	"slices"
	"strings"
	"time"
)

// Params are what every user or role can say about the tokens that its logins get. Embed them in what a method
// stores, add ParamFields to the fields of its path, and call Params.Take and Params.Show.
type Params struct {
	Policies    []string      `json:"token_policies,omitempty"`
	TTL         time.Duration `json:"token_ttl,omitempty"`
	MaxTTL      time.Duration `json:"token_max_ttl,omitempty"`
	ExplicitMax time.Duration `json:"token_explicit_max_ttl,omitempty"`
	Period      time.Duration `json:"token_period,omitempty"`
	NumUses     uint32        `json:"token_num_uses,omitempty"`
	BoundCIDRs  []string      `json:"token_bound_cidrs,omitempty"`
	NoDefault   bool          `json:"token_no_default_policy,omitempty"`
	Type        string        `json:"token_type,omitempty"` // "": default
	// AliasMetadata is kept and shown.
	AliasMetadata map[string]string `json:"alias_metadata,omitempty"`
}

// ParamFields are the fields of Params.
var ParamFields = Fields{
	"token_policies": Strings, "token_ttl": Seconds, "token_max_ttl": Seconds, "token_explicit_max_ttl": Seconds, "token_period": Seconds,
	"token_num_uses": Integer, "token_bound_cidrs": Strings, "token_no_default_policy": Boolean, "token_type": Text, "alias_metadata": Pairs,
}

const maxUses = 1<<31 - 1

// Take changes what was sent, in the reference's order and with its texts.
func (p *Params) Take(v Values) error {
	if v.Has("token_bound_cidrs") {
		var err error
		if p.BoundCIDRs, err = ParseCIDRs(v.Strings("token_bound_cidrs")); err != nil {
			return Invalid("%v", err)
		}
	}
	Set(v, "token_explicit_max_ttl", &p.ExplicitMax)
	Set(v, "token_max_ttl", &p.MaxTTL)
	Set(v, "token_period", &p.Period)
	Set(v, "token_ttl", &p.TTL)
	Set(v, "token_no_default_policy", &p.NoDefault)
	Set(v, "token_policies", &p.Policies)
	Set(v, "alias_metadata", &p.AliasMetadata)
	return p.takeRest(v)
}

func (p *Params) takeRest(v Values) error {
	if v.Has("token_type") {
		switch t := v.Text("token_type"); t {
		case "", "default":
			p.Type = ""
		case "service", "batch", "default-service", "default-batch":
			p.Type = t
		default:
			return Invalid("invalid 'token_type' value %q: default, service, batch, default-service and default-batch are allowed", t)
		}
	}
	if v.Has("token_num_uses") {
		var err error
		if p.NumUses, err = uses(v, "token_num_uses"); err != nil {
			return err
		}
	}
	if (p.Type == "batch" || p.Type == "default-batch") && (p.NumUses != 0 || p.Period != 0) {
		return Invalid("'token_type' cannot be 'batch' or 'default-batch' when set to generate tokens with limited use count or a period")
	}
	return p.Check()
}

// uses checks how often a token may be used.
func uses(v Values, name string) (uint32, error) {
	n := v.Integer(name)
	switch {
	case n < 0:
		return 0, Invalid("'%s' cannot be negative", name)
	case n > maxUses:
		return 0, Invalid("field %s: at most %d uses can be counted", name, maxUses)
	}
	return uint32(n), nil
}

// Check refuses TTLs that contradict each other.
func (p *Params) Check() error {
	if p.TTL > 0 && p.MaxTTL > 0 && p.TTL > p.MaxTTL {
		return Invalid("'token_ttl' cannot be greater than 'token_max_ttl'")
	}
	return nil
}

// Show puts the parameters into data, as reads show them.
func (p *Params) Show(data map[string]any) {
	kind := p.Type
	if kind == "" {
		kind = "default"
	}
	meta := p.AliasMetadata
	if meta == nil {
		meta = map[string]string{}
	}
	for name, v := range map[string]any{ // order: a map of them
		"token_policies": list(p.Policies), "token_ttl": Whole(p.TTL), "token_max_ttl": Whole(p.MaxTTL), "token_explicit_max_ttl": Whole(p.ExplicitMax),
		"token_period": Whole(p.Period), "token_num_uses": p.NumUses, "token_bound_cidrs": list(p.BoundCIDRs), "token_no_default_policy": p.NoDefault,
		"token_type": kind, "alias_metadata": meta,
	} {
		data[name] = v
	}
}

// Terms are those of a renewal.
func (p *Params) Terms() Terms {
	return Terms{TTL: p.TTL, MaxTTL: p.MaxTTL, Period: p.Period, ExplicitMax: p.ExplicitMax}
}

// Whole is d in whole seconds, as the API shows durations.
func Whole(d time.Duration) int64 { return int64(d / time.Second) }

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// Old are the deprecated spellings of some parameters. They are kept apart, because a read shows
// them when they were used; the current spelling wins when both are sent.
type Old struct {
	Policies   []string      `json:"policies,omitempty"`
	TTL        time.Duration `json:"ttl,omitempty"`
	MaxTTL     time.Duration `json:"max_ttl,omitempty"`
	Period     time.Duration `json:"period,omitempty"`
	BoundCIDRs []string      `json:"bound_cidrs,omitempty"`
	NumUses    uint32        `json:"num_uses,omitempty"`
}

// OldFields are the fields of Old. A method takes those that the reference's has, with Only.
var OldFields = Fields{"policies": Strings, "ttl": Seconds, "max_ttl": Seconds, "period": Seconds, "bound_cidrs": Strings, "num_uses": Integer}

// Only returns the fields with some names.
func (f Fields) Only(names ...string) Fields {
	out := Fields{}
	for _, n := range names {
		out[n] = f[n]
	}
	return out
}

// Take changes what was sent in a deprecated spelling, in o and in p; call it after p.Take.
func (o *Old) Take(v Values, p *Params) error {
	if lists := oldValue(v, "policies", &o.Policies, &p.Policies); lists {
		o.Policies = ParsePolicies(v.Strings("policies"))
		p.Policies = o.Policies
	}
	if lists := oldValue(v, "bound_cidrs", &o.BoundCIDRs, &p.BoundCIDRs); lists {
		cidrs, err := ParseCIDRs(v.Strings("bound_cidrs"))
		if err != nil {
			return Invalid("%v", err)
		}
		o.BoundCIDRs, p.BoundCIDRs = cidrs, cidrs
	}
	for name, to := range map[string][2]*time.Duration{"ttl": {&o.TTL, &p.TTL}, "max_ttl": {&o.MaxTTL, &p.MaxTTL}, "period": {&o.Period, &p.Period}} { // order: each by itself
		if oldValue(v, name, to[0], to[1]) {
			*to[0], *to[1] = v.Seconds(name), v.Seconds(name)
		}
	}
	if oldValue(v, "num_uses", &o.NumUses, &p.NumUses) {
		n, err := uses(v, "num_uses")
		if err != nil {
			return err
		}
		o.NumUses, p.NumUses = n, n
	}
	return p.Check()
}

// oldValue reports whether only the old spelling was sent. If the new one was, it forgets what the
// old one said, unless both were: then both are the new one.
func oldValue[T any](v Values, name string, old, current *T) bool {
	switch isNew, isOld := v.Has("token_"+name), v.Has(name); {
	case !isNew:
		return isOld
	case isOld:
		*old = *current
	default:
		var zero T
		*old = zero
	}
	return false
}

// Show puts what was used into data.
func (o *Old) Show(data map[string]any) {
	if len(o.Policies) > 0 {
		data["policies"] = o.Policies
	}
	if len(o.BoundCIDRs) > 0 {
		data["bound_cidrs"] = o.BoundCIDRs
	}
	for name, d := range map[string]time.Duration{"ttl": o.TTL, "max_ttl": o.MaxTTL, "period": o.Period} { // order: a map of them
		if d > 0 {
			data[name] = Whole(d)
		}
	}
	if o.NumUses > 0 {
		data["num_uses"] = o.NumUses
	}
}

// ParsePolicies trims, lower-cases, sorts and deduplicates.
func ParsePolicies(names []string) []string {
	out := []string{}
	for _, n := range names {
		if n = strings.ToLower(strings.TrimSpace(n)); n != "" {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// SamePolicies reports whether two lists are the same policies, apart from "default".
func SamePolicies(a, b []string) bool {
	plain := func(names []string) []string {
		return slices.DeleteFunc(ParsePolicies(names), func(n string) bool { return n == "default" })
	}
	return slices.Equal(plain(a), plain(b))
}
