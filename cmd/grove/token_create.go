package main

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// createFlags are the flags of `grove token create`. texts and numbers are those that go
// into the body as they are, by the name of the field.
type createFlags struct {
	texts              map[string]*string
	role               string
	policies, metadata []string
	orphan, noDefault  bool
	renewable          bool
	uses               int
	changed            func(flag string) bool
}

func newTokenCreate(env *environment) *cobra.Command {
	f := &createFlags{texts: map[string]*string{}}
	c := command(env, "create", "Make a token", cobra.NoArgs, f.run)
	fl := c.Flags()
	for _, t := range []struct{ flag, field, usage string }{
		{"id", "id", "value of the token (needs sudo)"},
		{"ttl", "ttl", "first TTL, for example 1h30m"},
		{"explicit-max-ttl", "explicit_max_ttl", "no renewal reaches past this"},
		{"period", "period", "every renewal gives this long (needs sudo)"},
		{"display-name", "display_name", "name for logs"},
		{"entity-alias", "entity_alias", "alias of an entity, for token roles"},
		{"type", "type", "service, or batch: stored nowhere, neither renewed nor revoked"},
	} {
		f.texts[t.field] = fl.String(t.flag, "", t.usage)
	}
	fl.StringVar(&f.role, "role", "", "make it against this token role")
	fl.StringArrayVar(&f.policies, "policy", nil, "policy; repeatable")
	fl.StringArrayVar(&f.metadata, "metadata", nil, "key=value; repeatable")
	fl.BoolVar(&f.orphan, "orphan", false, "without a parent (needs sudo)")
	fl.BoolVar(&f.noDefault, "no-default-policy", false, "without the default policy")
	fl.BoolVar(&f.renewable, "renewable", true, "may be renewed")
	fl.IntVar(&f.uses, "use-limit", 0, "number of uses; 0: unlimited")
	f.changed = fl.Changed
	return c
}

func (f *createFlags) run(s *session, _ []string) error {
	body, err := f.body()
	if err != nil {
		return err
	}
	path := "auth/token/create"
	if f.role != "" {
		path += "/" + f.role
	}
	a, err := s.do(request{what: "creating token", method: http.MethodPost, path: path, body: body})
	if err != nil {
		return err
	}
	return s.p.secret(a)
}

func (f *createFlags) body() (map[string]any, error) {
	body := map[string]any{}
	for field, v := range f.texts {
		if *v != "" {
			body[field] = *v
		}
	}
	if len(f.policies) > 0 {
		body["policies"] = f.policies
	}
	if len(f.metadata) > 0 {
		meta := map[string]string{}
		for _, kv := range f.metadata {
			k, v, ok := strings.Cut(kv, "=")
			if !ok || k == "" {
				return nil, fmt.Errorf("-metadata=%s: want key=value", kv)
			}
			meta[k] = v
		}
		body["meta"] = meta
	}
	if f.orphan {
		body["no_parent"] = true
	}
	if f.noDefault {
		body["no_default_policy"] = true
	}
	if f.changed("renewable") {
		body["renewable"] = f.renewable
	}
	if f.uses != 0 {
		body["num_uses"] = f.uses
	}
	return body, nil
}
