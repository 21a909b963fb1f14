package github

import (
	"context"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/remote"
)

// config is what is stored of the organization, and of all tokens of its members.
type config struct {
	engine.Params
	Old            engine.Old `json:"old,omitzero"`
	Organization   string     `json:"organization"`
	OrganizationID int64      `json:"organization_id"` // names can be taken by others, numbers cannot
	BaseURL        string     `json:"base_url,omitempty"`
}

const (
	configKey = "config"
	usualBase = "https://api.github.com"
)

// load reads the configuration; nil if there is none.
func load(tx *engine.Tx) (*config, error) {
	c := new(config)
	ok, err := tx.Load(configKey, c)
	if err != nil || !ok {
		return nil, err
	}
	return c, nil
}

func configured(rq *engine.Request) bool {
	_, ok := rq.Storage.Find(configKey)
	return ok
}

func readConfig(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	c, err := load(rq.Storage)
	if err == nil && c == nil {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	data := map[string]any{"organization": c.Organization, "organization_id": c.OrganizationID, "base_url": c.BaseURL}
	c.Show(data)
	c.Old.Show(data)
	return &engine.Response{Data: data}, nil
}

// writeConfig makes or changes the configuration. The number of an organization that is not sent is asked of GitHub.
func (m *method) writeConfig(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	c, err := load(rq.Storage)
	if err != nil {
		return nil, err
	}
	if c == nil {
		c = new(config)
	}
	before := *c
	engine.Set(rq.Values, "organization", &c.Organization)
	if c.Organization == "" {
		return nil, engine.Invalid("organization is a required parameter")
	}
	if rq.Has("base_url") {
		if c.BaseURL, err = base(rq.Text("base_url")); err != nil {
			return nil, err
		}
	}
	switch moved := c.Organization != before.Organization || c.BaseURL != before.BaseURL; {
	case rq.Has("organization_id"):
		c.OrganizationID = rq.Integer("organization_id")
	case moved: // the number that is known is of another one
		c.OrganizationID = 0
	}
	if err := c.Take(rq.Values); err != nil {
		return nil, err
	}
	if err := c.Old.Take(rq.Values, &c.Params); err != nil {
		return nil, err
	}
	if c.OrganizationID == 0 {
		if c.OrganizationID, err = m.organizationID(ctx, c); err != nil {
			return nil, err
		}
	}
	return nil, rq.Storage.Save(configKey, c)
}

// base checks the address of another host than GitHub's own. It is kept as the reference shows it, with a slash at its end.
func base(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	b, err := remote.ParseBase(text)
	if err != nil {
		return "", engine.Invalid("error parsing given base_url: %v", err)
	}
	return b + "/", nil
}
