package github

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/remote"
)

// Bounds of lists.
const (
	perPage  = 100
	maxPages = 20
)

// api is GitHub, asked in the name of whose token it is.
type api struct {
	server *remote.Server
	token  string // "": nobody's
}

type organization struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
}

type team struct {
	Name         string       `json:"name"`
	Slug         string       `json:"slug"`
	Organization organization `json:"organization"`
}

// api returns the GitHub that the configuration names.
func (m *method) api(c *config, token string) (*api, error) {
	at := usualBase
	if c.BaseURL != "" {
		at = strings.TrimSuffix(c.BaseURL, "/")
	}
	s, err := m.servers.At(at, m.ca)
	return &api{s, token}, err
}

// get asks for path and decodes the answer. After a 401 or a 404 nothing is found; next says that there is another page.
func (a *api) get(ctx context.Context, path string, query url.Values, into any) (found, next bool, err error) {
	rs, err := a.server.Do(ctx, remote.Call{Method: http.MethodGet, Path: path, Query: query, Bearer: a.token, Accept: "application/vnd.github+json"})
	if err != nil {
		return false, false, err
	}
	switch {
	case rs.Status == http.StatusUnauthorized, rs.Status == http.StatusNotFound:
		return false, false, nil
	case rs.Status == http.StatusTooManyRequests, rs.Status == http.StatusForbidden && rs.Header.Get("X-Ratelimit-Remaining") == "0":
		return false, false, engine.Unreachable("GitHub answers no more requests for now, because there were too many: try again later")
	case rs.Status == http.StatusForbidden:
		return false, false, engine.Invalid("GitHub does not let this token read %s: a token needs the scope read:org", strings.TrimPrefix(path, "/"))
	}
	return true, strings.Contains(rs.Header.Get("Link"), `rel="next"`), rs.Into(into)
}

// pages asks for all pages of a list.
func pages[T any](ctx context.Context, a *api, path string) (all []T, found bool, err error) {
	for page := 1; page <= maxPages; page++ {
		var some []T
		found, next, err := a.get(ctx, path, url.Values{"per_page": {strconv.Itoa(perPage)}, "page": {strconv.Itoa(page)}}, &some)
		if err != nil || !found {
			return nil, false, err
		}
		if all = append(all, some...); !next {
			return all, true, nil
		}
	}
	return nil, false, engine.Invalid("GitHub has more than %d entries in %s: so many are not supported", maxPages*perPage, strings.TrimPrefix(path, "/"))
}

// organizationID asks for the number of the organization, without a token: it is public.
func (m *method) organizationID(ctx context.Context, c *config) (int64, error) {
	a, err := m.api(c, "")
	if err != nil {
		return 0, err
	}
	var o organization
	found, _, err := a.get(ctx, "/orgs/"+url.PathEscape(c.Organization), nil, &o)
	switch {
	case err != nil:
		return 0, err
	case !found || o.ID == 0:
		return 0, engine.Invalid("organization_id not found for %s: set it, if the organization is right", c.Organization)
	}
	return o.ID, nil
}
