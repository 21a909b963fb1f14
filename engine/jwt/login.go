package jwt

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/lockout"
	"github.com/tokengrove/grove/fsm/token"
)

// login checks a token that the client has brought. Its signature comes first: who has no token of a trusted issuer learns nothing
// about roles.
func (m *method) login(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	c, err := loadConfig(rq)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, engine.Invalid("could not load configuration")
	}
	name, text := roleOf(rq, c), strings.TrimSpace(rq.Text("jwt"))
	switch {
	case name == "":
		return nil, errNoRole
	case text == "":
		return nil, engine.Invalid("missing token")
	}
	keys, err := m.keySet(c)
	if err != nil {
		return nil, engine.Invalid("error configuring token validator: %v", err)
	}
	t, err := verify(ctx, keys, text, c.algorithms(allAlgorithms))
	if err != nil {
		return nil, refusal("error validating token: ", err)
	}
	r, err := namedRole(rq, name)
	switch {
	case err != nil:
		return nil, err
	case r.Type == typeOIDC:
		return nil, engine.Invalid("role with oidc role_type is not allowed")
	case !engine.Admits(r.BoundCIDRs, rq.Client.Address):
		return nil, engine.ErrForbidden
	}
	if err := r.expectJWT(t.claims, c.BoundIssuer, rq.Now.Time()); err != nil {
		return nil, engine.Invalid("error validating token: %v", err)
	}
	if aud, _ := t.audience(); len(r.Bounds.Audiences) == 0 && len(aud) > 0 {
		return nil, engine.Invalid("audience claim found in JWT but no audiences bound to the role")
	}
	return r.admit(name, t.claims)
}

var errNoRole = engine.Invalid("missing role")

// roleOf is the name of the role that a login is for, "" if it names none and there is no default.
func roleOf(rq *engine.Request, c *config) string {
	if name := rq.Text("role"); name != "" {
		return strings.ToLower(name)
	}
	return c.DefaultRole
}

// namedRole loads the role that a login is for.
func namedRole(rq *engine.Request, name string) (*role, error) {
	r, err := loadRole(rq, name)
	if err == nil && r == nil {
		err = engine.Invalid("role %q could not be found", name)
	}
	return r, err
}

// refusal is a 400, unless err already says what it is: that something is not there, or that time is up.
func refusal(prefix string, err error) error {
	var known *fsm.Error
	if errors.As(err, &known) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	return engine.Invalid("%s%s", prefix, short(err.Error()))
}

// maxText bounds texts of others in an answer.
const maxText = 400

func short(s string) string {
	if len(s) > maxText {
		return strings.ToValidUTF8(s[:maxText], "") + "…"
	}
	return s
}

// admit makes the login of whom the claims, whose origin was checked, are about.
func (r *role) admit(name string, c claims) (*engine.Response, error) {
	user, err := r.Identity.user(c)
	if err != nil {
		return nil, engine.Invalid("%v", err)
	}
	meta, err := c.mapped(r.Identity.Mappings)
	if err != nil {
		return nil, engine.Invalid("%v", err)
	}
	meta[roleMetadata] = name
	if err := r.Identity.checkGroups(c); err != nil {
		return nil, engine.Invalid("%v", err)
	}
	if err := c.bind(r.Bounds.Claims, r.Bounds.Type == boundGlob); err != nil {
		return nil, engine.Invalid("error validating claims: %v", err)
	}
	return &engine.Response{Login: &engine.Login{Params: r.Params, Alias: user, DisplayName: user, Metadata: meta, Data: name}}, nil
}

// user is the name of who logs in.
func (i *identity) user(c claims) (string, error) {
	v := c[i.User]
	if i.Pointer {
		v = c.find(i.User)
	}
	if v == nil {
		return "", fmt.Errorf("claim %q not found in token", i.User)
	}
	name, ok := v.(string)
	switch {
	case !ok:
		return "", fmt.Errorf("claim %q could not be converted to string", i.User)
	case name == "" || len(name) > lockout.MaxAlias:
		return "", fmt.Errorf("claim %q has %d bytes: the name of a user has 1 to %d", i.User, len(name), lockout.MaxAlias)
	}
	return name, nil
}

// checkGroups refuses a token without the groups that the role wants from it.
func (i *identity) checkGroups(c claims) error {
	if i.Groups == "" {
		return nil
	}
	v := c.find(i.Groups)
	if v == nil {
		return fmt.Errorf("failed to fetch groups: %q claim not found in token", i.Groups)
	}
	if _, ok := textsOf(v); !ok {
		return fmt.Errorf("%q claim could not be converted to string list", i.Groups)
	}
	return nil
}

// Renew implements engine.Method: the role must be there, and its TTLs hold.
func (m *method) Renew(_ context.Context, rq *engine.Request, rec *token.Record) (engine.Terms, error) {
	r, err := loadRole(rq, rec.Login.Data)
	if err == nil && r == nil {
		err = engine.Invalid("role %s does not exist during renewal", rec.Login.Data)
	}
	if err != nil {
		return engine.Terms{}, err
	}
	return r.Terms(), nil
}
