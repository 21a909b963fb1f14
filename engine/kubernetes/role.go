package kubernetes

import (
	"context"
	"slices"
	"strings"

	"github.com/tokengrove/grove/engine"
)

// role is what is stored of one.
type role struct {
	engine.Params
	Old        engine.Old `json:"old,omitzero"`
	Names      []string   `json:"bound_service_account_names"`
	Namespaces []string   `json:"bound_service_account_namespaces"`
	Audience   string     `json:"audience,omitempty"`
	AliasName  string     `json:"alias_name_source"`
}

// What the alias of a service account is, and with it its entity.
const (
	aliasUID  = "serviceaccount_uid"
	aliasName = "serviceaccount_name"
)

func keyOf(name string) string { return "role/" + strings.ToLower(name) }

// loadRole reads a role; nil if there is none.
func loadRole(tx *engine.Tx, name string) (*role, error) {
	r := new(role)
	ok, err := tx.Load(keyOf(name), r)
	if err != nil || !ok {
		return nil, err
	}
	return r, nil
}

func exists(rq *engine.Request) bool {
	_, ok := rq.Storage.Find(keyOf(rq.Text("name")))
	return ok
}

func listRoles(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	return &engine.Response{Keys: rq.Storage.List("role/")}, nil
}

func readRole(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := loadRole(rq.Storage, rq.Text("name"))
	if err == nil && r == nil {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	data := map[string]any{
		"bound_service_account_names": r.Names, "bound_service_account_namespaces": r.Namespaces, "bound_service_account_namespace_selector": "",
		"alias_name_source": r.AliasName,
	}
	if r.Audience != "" {
		data["audience"] = r.Audience
	}
	r.Show(data)
	r.Old.Show(data)
	return &engine.Response{Data: data}, nil
}

func deleteRole(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	rq.Storage.Delete(keyOf(rq.Text("name")))
	return nil, nil
}

// writeRole makes or changes a role.
func writeRole(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := loadRole(rq.Storage, rq.Text("name"))
	if err != nil {
		return nil, err
	}
	if r == nil {
		r = &role{AliasName: aliasUID}
	}
	if err := r.Take(rq.Values); err != nil {
		return nil, err
	}
	if err := r.Old.Take(rq.Values, &r.Params); err != nil {
		return nil, err
	}
	if r.Period > rq.Mount.MaxTTL {
		return nil, engine.Invalid("token period of '%q' is greater than the backend's maximum lease TTL of '%q'", r.Period, rq.Mount.MaxTTL)
	}
	if err := r.bind(rq.Values); err != nil {
		return nil, err
	}
	rs := &engine.Response{}
	if r.MaxTTL > rq.Mount.MaxTTL {
		rs.Warnings = append(rs.Warnings, "max_ttl is greater than the system or backend mount's maximum TTL value; issued tokens' max TTL value will be truncated")
	}
	if r.Audience == "" {
		rs.Warnings = append(rs.Warnings, "this role does not specify an audience: a token that was made for any other service logs in by it, too")
	}
	return rs, rq.Storage.Save(keyOf(rq.Text("name")), r)
}

// bind takes what a service account must be.
func (r *role) bind(v engine.Values) error {
	const names, namespaces = "bound_service_account_names", "bound_service_account_namespaces"
	engine.Set(v, names, &r.Names)
	engine.Set(v, namespaces, &r.Namespaces)
	if v.Has("audience") {
		r.Audience = strings.TrimSpace(v.Text("audience"))
	}
	if v.Has("alias_name_source") {
		if r.AliasName = v.Text("alias_name_source"); r.AliasName == "" {
			r.AliasName = aliasUID
		}
	}
	switch {
	case v.Text("bound_service_account_namespace_selector") != "":
		return engine.Invalid("bound_service_account_namespace_selector is not supported yet: list the namespaces in %s, where \"*\" stands for anything", namespaces)
	case len(r.Names) == 0:
		return engine.Invalid("%q can not be empty", names)
	case len(r.Namespaces) == 0:
		return engine.Invalid("%q can not be empty", namespaces)
	case mixed(r.Names), mixed(r.Namespaces):
		return engine.Invalid("can not mix %q with values", "*")
	case r.AliasName != aliasUID && r.AliasName != aliasName:
		return engine.Invalid("invalid alias_name_source, must be one of: %s, %s", aliasUID, aliasName)
	}
	return nil
}

// mixed reports whether "*" is one of several.
func mixed(globs []string) bool { return len(globs) > 1 && slices.Contains(globs, "*") }

// admits reports whether the role is for an account whose token is for some audiences.
func (r *role) admits(a *account, audiences []string) bool {
	matches := func(globs []string, s string) bool {
		return slices.ContainsFunc(globs, func(g string) bool { return engine.Glob(g, s) })
	}
	return matches(r.Names, a.Name) && matches(r.Namespaces, a.Namespace) && (r.Audience == "" || slices.Contains(audiences, r.Audience))
}
