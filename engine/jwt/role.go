package jwt

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
)

// role is what is stored of one.
type role struct {
	engine.Params
	Old      engine.Old `json:"old,omitzero"`
	Type     string     `json:"role_type"`
	Bounds   bounds     `json:"bounds"`
	Leeways  leeways    `json:"leeways,omitzero"`
	Identity identity   `json:"identity"`
	Browser  browser    `json:"browser"`
}

// The types of a role.
const (
	typeJWT  = "jwt"
	typeOIDC = "oidc"
)

// bounds are what a token must say.
type bounds struct {
	Audiences []string `json:"bound_audiences"`
	Subject   string   `json:"bound_subject,omitempty"`
	Type      string   `json:"bound_claims_type"` // boundString or boundGlob
	Claims    claims   `json:"bound_claims"`
}

// How bound claims are compared.
const (
	boundString = "string"
	boundGlob   = "glob"
)

// identity is what is taken from a token about who it is.
type identity struct {
	User     string            `json:"user_claim"`
	Pointer  bool              `json:"user_claim_json_pointer,omitempty"`
	Groups   string            `json:"groups_claim,omitempty"`
	Mappings map[string]string `json:"claim_mappings"`
}

// browser is what concerns logins with one.
type browser struct {
	Scopes    []string      `json:"oidc_scopes"`
	Redirects []string      `json:"allowed_redirect_uris"`
	Verbose   bool          `json:"verbose_oidc_logging,omitempty"`
	MaxAge    time.Duration `json:"max_age,omitempty"`
}

var (
	oldFields  = engine.OldFields.Only("policies", "num_uses", "ttl", "max_ttl", "period", "bound_cidrs")
	roleFields = engine.Fields{
		"role_type": engine.Text, "expiration_leeway": engine.SignedSeconds, "not_before_leeway": engine.SignedSeconds, "clock_skew_leeway": engine.SignedSeconds,
		"bound_subject": engine.Text, "bound_audiences": engine.Strings, "bound_claims_type": engine.Text, "bound_claims": engine.Object,
		"claim_mappings": engine.Pairs, "user_claim": engine.Text, "user_claim_json_pointer": engine.Boolean, "groups_claim": engine.Text,
		"oidc_scopes": engine.Strings, "allowed_redirect_uris": engine.Strings, "verbose_oidc_logging": engine.Boolean, "max_age": engine.Seconds,
	}.With(engine.ParamFields, oldFields)
)

func roleName(rq *engine.Request) string { return strings.ToLower(rq.Text("name")) }

// loadRole returns a role, nil if there is none.
func loadRole(rq *engine.Request, name string) (*role, error) {
	r := new(role)
	ok, err := rq.Storage.Load("role/"+name, r)
	if err != nil || !ok {
		return nil, err
	}
	return r, nil
}

func roleExists(rq *engine.Request) bool {
	_, ok := rq.Storage.Find("role/" + roleName(rq))
	return ok
}

func listRoles(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	return &engine.Response{Keys: rq.Storage.List("role/")}, nil
}

func deleteRole(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	rq.Storage.Delete("role/" + roleName(rq))
	return nil, nil
}

func readRole(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := loadRole(rq, roleName(rq))
	if err == nil && r == nil {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	data := map[string]any{
		"role_type": r.Type, "expiration_leeway": engine.Whole(r.Leeways.Expiration), "not_before_leeway": engine.Whole(r.Leeways.NotBefore),
		"clock_skew_leeway": engine.Whole(r.Leeways.Skew), "bound_audiences": r.Bounds.Audiences, "bound_subject": r.Bounds.Subject,
		"bound_claims_type": r.Bounds.Type, "bound_claims": r.Bounds.Claims, "claim_mappings": r.Identity.Mappings, "user_claim": r.Identity.User,
		"user_claim_json_pointer": r.Identity.Pointer, "groups_claim": r.Identity.Groups, "allowed_redirect_uris": r.Browser.Redirects,
		"oidc_scopes": r.Browser.Scopes, "verbose_oidc_logging": r.Browser.Verbose, "max_age": engine.Whole(r.Browser.MaxAge),
	}
	r.Show(data)
	r.Old.Show(data)
	return &engine.Response{Data: data}, nil
}

// writeRole makes or changes a role. Its type, and how bound claims are compared, are what this write says, or the default.
func writeRole(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := loadRole(rq, roleName(rq))
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = new(role)
	}
	for _, take := range []func(engine.Values) error{
		r.takeType, r.Take, func(v engine.Values) error { return r.Old.Take(v, &r.Params) }, r.takeLeeways, r.Bounds.take, r.Identity.take, r.Browser.take, r.check,
	} {
		if err := take(rq.Values); err != nil {
			return nil, err
		}
	}
	if most := rq.Mount.MaxTTL; r.Period > most {
		return nil, engine.Invalid("'period' of %q is greater than the backend's maximum lease TTL of %q", r.Period, most)
	}
	rs := &engine.Response{}
	if r.MaxTTL > rq.Mount.MaxTTL {
		rs.Warnings = append(rs.Warnings, "token max ttl is greater than the system or backend mount's maximum TTL value; issued tokens' max TTL value will be truncated")
	}
	if r.Browser.Verbose {
		rs.Warnings = append(rs.Warnings, "verbose_oidc_logging is kept, and has no effect: this server never logs tokens or their claims")
	}
	return rs, rq.Storage.Save("role/"+roleName(rq), r)
}

func (r *role) takeType(v engine.Values) error {
	switch r.Type = v.Text("role_type"); r.Type {
	case "":
		r.Type = typeOIDC
	case typeJWT, typeOIDC:
	default:
		return engine.Invalid("invalid 'role_type': %s: 'jwt' and 'oidc' are allowed", r.Type)
	}
	return nil
}

func (r *role) takeLeeways(v engine.Values) error {
	engine.Set(v, "expiration_leeway", &r.Leeways.Expiration)
	engine.Set(v, "not_before_leeway", &r.Leeways.NotBefore)
	engine.Set(v, "clock_skew_leeway", &r.Leeways.Skew)
	return nil
}

func (b *bounds) take(v engine.Values) error {
	engine.Set(v, "bound_audiences", &b.Audiences)
	engine.Set(v, "bound_subject", &b.Subject)
	switch b.Type = v.Text("bound_claims_type"); b.Type {
	case "":
		b.Type = boundString
	case boundString, boundGlob:
	default:
		return engine.Invalid("invalid 'bound_claims_type': %s: 'string' and 'glob' are allowed", b.Type)
	}
	if v.Has("bound_claims") {
		b.Claims = v.Object("bound_claims")
	}
	return b.check()
}

// check refuses values that no claim can be compared with.
func (b *bounds) check() error {
	for _, name := range sortedNames(b.Claims) {
		values, ok := listOf(b.Claims[name])
		if !ok {
			return engine.Invalid("claim is not a string or list: %v", b.Claims[name])
		}
		for _, v := range values {
			if _, isText := v.(string); !isText && b.Type == boundGlob {
				return engine.Invalid("claim is not a string: %v", v)
			}
		}
	}
	return nil
}

func (i *identity) take(v engine.Values) error {
	if v.Has("claim_mappings") {
		i.Mappings = v.Pairs("claim_mappings")
		if err := checkMappings(i.Mappings); err != nil {
			return err
		}
	}
	engine.Set(v, "user_claim", &i.User)
	engine.Set(v, "user_claim_json_pointer", &i.Pointer)
	engine.Set(v, "groups_claim", &i.Groups)
	if i.User == "" {
		return engine.Invalid("a user claim must be defined on the role")
	}
	return nil
}

// roleMetadata is the key under which a token's metadata names the role.
const roleMetadata = "role"

func checkMappings(mappings map[string]string) error {
	targets := slices.Sorted(maps.Values(mappings))
	for i, t := range targets {
		switch {
		case t == roleMetadata:
			return engine.Invalid("metadata key %q is reserved and may not be a mapping destination", t)
		case i > 0 && targets[i-1] == t:
			return engine.Invalid("multiple keys are mapped to metadata key %q", t)
		}
	}
	return nil
}

func (b *browser) take(v engine.Values) error {
	engine.Set(v, "oidc_scopes", &b.Scopes)
	engine.Set(v, "allowed_redirect_uris", &b.Redirects)
	engine.Set(v, "verbose_oidc_logging", &b.Verbose)
	engine.Set(v, "max_age", &b.MaxAge)
	return nil
}

// check refuses a role that would let everybody in: the client is bound in OIDC, in JWTs it is the role that binds.
func (r *role) check(engine.Values) error {
	switch {
	case r.Type == typeOIDC && len(r.Browser.Redirects) == 0:
		return engine.Invalid("'allowed_redirect_uris' must be set if 'role_type' is 'oidc' or unspecified.")
	case r.Type == typeJWT && len(r.Bounds.Audiences) == 0 && len(r.BoundCIDRs) == 0 && r.Bounds.Subject == "" && len(r.Bounds.Claims) == 0:
		return engine.Invalid("must have at least one bound constraint when creating/updating a role")
	}
	return nil
}

func sortedNames(m claims) []string { return slices.Sorted(maps.Keys(m)) }
