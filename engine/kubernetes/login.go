package kubernetes

import (
	"context"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm/token"
)

// nobody is the role of a name that no role has: it is for no service account.
var nobody = new(role)

// login asks the cluster whose token it is, and then whether the role is for that service account. The order is what keeps roles and what they are
// bound to from being found out: whatever is wrong, the cluster was asked.
func (m *method) login(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	name, text := rq.Text("role"), rq.Text("jwt")
	switch {
	case name == "":
		return nil, engine.Invalid("missing role")
	case text == "":
		return nil, engine.Invalid("missing jwt")
	}
	c, err := loadConfig(rq)
	if err == nil && c == nil {
		err = engine.Invalid("could not load backend configuration: write config first")
	}
	if err != nil {
		return nil, err
	}
	keys, err := c.publicKeys()
	if err != nil {
		return nil, err
	}
	said, err := c.parseToken(text, keys, rq.Now)
	if err != nil {
		return nil, engine.ErrForbidden
	}
	r, err := loadRole(rq.Storage, name)
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = nobody
	}
	who, err := m.whose(ctx, rq, c, r, text, said)
	switch {
	case err != nil:
		return nil, err
	case who == nil, !r.admits(who, said.Audience), !engine.Admits(r.BoundCIDRs, rq.Client.Address):
		return nil, engine.ErrForbidden
	}
	return &engine.Response{Login: r.loginOf(who, name)}, nil
}

// whose is the service account that the cluster and the token itself name; nil: they do not agree on one.
func (m *method) whose(ctx context.Context, rq *engine.Request, c *config, r *role, text string, said *claims) (*account, error) {
	s, reviewer, err := m.cluster(rq, c)
	if err != nil {
		return nil, err
	}
	audiences := []string(said.Audience)
	if r.Audience != "" {
		audiences = []string{r.Audience}
	}
	who, err := review(ctx, s, reviewer, text, audiences)
	if err != nil || who == nil {
		return nil, err
	}
	claimed := said.account()
	who.Secret = claimed.Secret
	if *who != claimed {
		return nil, nil
	}
	return who, nil
}

func (r *role) loginOf(a *account, name string) *engine.Login {
	alias := a.UID
	if r.AliasName == aliasName {
		alias = a.Namespace + "/" + a.Name
	}
	return &engine.Login{
		Params: r.Params, Alias: alias, DisplayName: a.Namespace + "-" + a.Name, Data: name,
		Metadata: map[string]string{
			"role": name, "service_account_uid": a.UID, "service_account_name": a.Name, "service_account_namespace": a.Namespace, "service_account_secret_name": a.Secret,
		},
	}
}

// Renew implements engine.Method: the role must be there, and its TTLs hold.
func (m *method) Renew(_ context.Context, rq *engine.Request, rec *token.Record) (engine.Terms, error) {
	r, err := loadRole(rq.Storage, rec.Login.Data)
	if err == nil && r == nil {
		err = engine.Invalid("role %q does not exist during renewal", rec.Login.Data)
	}
	if err != nil {
		return engine.Terms{}, err
	}
	return r.Terms(), nil
}
