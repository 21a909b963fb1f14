package github

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm/token"
)

const (
	maxToken   = 1024 // bytes of a personal access token
	tokenPlace = "login/token"
)

// member is who a token is of, as GitHub says it.
type member struct {
	user, organization string
	policies           []string
	warnings           []string
	config             *config
}

// login asks GitHub whose token it is. A token that is no good and that of somebody who is no member get the same answer.
func (m *method) login(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	text := strings.TrimSpace(rq.Text("token"))
	if text == "" {
		return nil, engine.Invalid("missing token")
	}
	who, err := m.whose(ctx, rq, text)
	if err == nil && !engine.Admits(who.config.BoundCIDRs, rq.Client.Address) {
		err = engine.ErrForbidden
	}
	if err != nil {
		return nil, err
	}
	sealed, err := rq.Seal(tokenPlace, []byte(text))
	if err != nil {
		return nil, err
	}
	params := who.config.Params
	params.Policies = who.policies
	return &engine.Response{Warnings: who.warnings, Login: &engine.Login{
		Params: params, Alias: who.user, DisplayName: who.user, Data: base64.RawStdEncoding.EncodeToString(sealed),
		Metadata: map[string]string{"username": who.user, "org": who.organization},
	}}, nil
}

// whose finds out who a token is of, and what policies that means.
func (m *method) whose(ctx context.Context, rq *engine.Request, text string) (*member, error) {
	c, err := load(rq.Storage)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, engine.Invalid("configuration has not been set")
	case len(text) > maxToken, strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }):
		return nil, engine.ErrForbidden
	}
	a, err := m.api(c, text)
	if err != nil {
		return nil, err
	}
	var user struct {
		Login string `json:"login"`
	}
	found, _, err := a.get(ctx, "/user", nil, &user)
	switch {
	case err != nil:
		return nil, err
	case !found || user.Login == "":
		return nil, engine.ErrForbidden
	}
	who := &member{user: user.Login, config: c}
	if err := a.join(ctx, who); err != nil {
		return nil, err
	}
	return who, a.grant(ctx, rq.Storage, who)
}

// join finds the organization among those of the user.
func (a *api) join(ctx context.Context, who *member) error {
	c := who.config
	all, found, err := pages[organization](ctx, a, "/user/orgs")
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(o organization) bool { return o.ID == c.OrganizationID })
	if !found || i < 0 {
		return engine.ErrForbidden
	}
	who.organization = all[i].Login
	if !strings.EqualFold(who.organization, c.Organization) {
		who.warnings = append(who.warnings, fmt.Sprintf("the organization name has changed to %q. It is recommended to verify and update the organization name in the config: organization_id=%d",
			who.organization, c.OrganizationID))
	}
	return nil
}

// grant collects the policies of the configuration, of the user's teams in the organization, and of the user.
func (a *api) grant(ctx context.Context, tx *engine.Tx, who *member) error {
	all, found, err := pages[team](ctx, a, "/user/teams")
	if err != nil {
		return err
	}
	if !found {
		return engine.ErrForbidden
	}
	var names []string
	for _, t := range all {
		if t.Organization.ID == who.config.OrganizationID {
			names = append(names, t.Name, t.Slug)
		}
	}
	ofTeams, err := teams.policies(tx, names...)
	if err != nil {
		return err
	}
	ofUser, err := users.policies(tx, who.user)
	who.policies = engine.ParsePolicies(slices.Concat(who.config.Policies, ofTeams, ofUser))
	return err
}

// Renew implements engine.Method: GitHub is asked again, and the policies must still be the same.
func (m *method) Renew(ctx context.Context, rq *engine.Request, rec *token.Record) (engine.Terms, error) {
	sealed, err := base64.RawStdEncoding.DecodeString(rec.Login.Data)
	if err != nil {
		return engine.Terms{}, fmt.Errorf("the sealed GitHub token: %w", err)
	}
	text, err := rq.Open(tokenPlace, sealed)
	if err != nil {
		return engine.Terms{}, err
	}
	who, err := m.whose(ctx, rq, string(text))
	switch {
	case errors.Is(err, engine.ErrForbidden):
		return engine.Terms{}, engine.Invalid("GitHub does not take this login's token any more, or its user has left the organization: not renewing")
	case err != nil:
		return engine.Terms{}, err
	case !engine.SamePolicies(who.policies, rec.Policies):
		return engine.Terms{}, engine.Invalid("policies do not match, not renewing")
	}
	return who.config.Terms(), nil
}
