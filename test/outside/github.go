package outside

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// GitHub is its REST API, below /api/v3 as that of an enterprise: the user of a token, their organizations and teams, and
// organizations by name.
type GitHub struct {
	server
	mu    sync.Mutex
	users map[string]User // by token
	orgs  map[string]int64
}

// User is a user and what they are in: organizations by name, teams by organization.
type User struct {
	Login string
	Orgs  []string
	Teams []Team
	// NoOrgs: the token has not the scope read:org.
	NoOrgs bool
}

// Team is a team of an organization.
type Team struct{ Org, Name, Slug string }

// NewGitHub runs one until the end of the test, with organizations numbered from 1001 on.
func NewGitHub(t testing.TB, secure bool, orgs ...string) *GitHub {
	t.Helper()
	g := &GitHub{users: map[string]User{}, orgs: map[string]int64{}}
	for i, name := range orgs {
		g.orgs[name] = int64(1001 + i)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v3/user", g.as(g.user))
	mux.HandleFunc("GET /api/v3/user/orgs", g.as(g.userOrgs))
	mux.HandleFunc("GET /api/v3/user/teams", g.as(g.userTeams))
	mux.HandleFunc("GET /api/v3/orgs/{name}", g.org)
	g.start(t, secure, mux)
	g.URL += "/api/v3"
	return g
}

// Put makes a token of a user, or changes who it is of.
func (g *GitHub) Put(token string, u User) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.users[token] = u
}

// Revoke takes a token back.
func (g *GitHub) Revoke(token string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.users, token)
}

// Rename renames an organization; its number stays.
func (g *GitHub) Rename(from, to string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.orgs[to] = g.orgs[from]
	delete(g.orgs, from)
}

// as finds the user of the token, as GitHub does before anything else.
func (g *GitHub) as(serve func(http.ResponseWriter, *http.Request, User)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("User-Agent") == "" {
			answer(w, http.StatusForbidden, map[string]any{"message": "Request forbidden by administrative rules."})
			return
		}
		bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		g.mu.Lock()
		defer g.mu.Unlock()
		u, ok := g.users[bearer]
		if !ok {
			answer(w, http.StatusUnauthorized, map[string]any{"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"})
			return
		}
		serve(w, r, u)
	}
}

func (g *GitHub) user(w http.ResponseWriter, _ *http.Request, u User) {
	answer(w, http.StatusOK, map[string]any{"login": u.Login, "id": 7, "type": "User"})
}

func (g *GitHub) userOrgs(w http.ResponseWriter, r *http.Request, u User) {
	if u.NoOrgs {
		answer(w, http.StatusForbidden, map[string]any{"message": "You need at least read:org scope or user scope to list your organizations."})
		return
	}
	var all []any
	for _, name := range u.Orgs {
		all = append(all, map[string]any{"login": name, "id": g.orgs[name]})
	}
	page(w, r, all)
}

func (g *GitHub) userTeams(w http.ResponseWriter, r *http.Request, u User) {
	var all []any
	for i, t := range u.Teams {
		all = append(all, map[string]any{"id": i, "name": t.Name, "slug": t.Slug, "organization": map[string]any{"login": t.Org, "id": g.orgs[t.Org]}})
	}
	page(w, r, all)
}

func (g *GitHub) org(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id, ok := g.orgs[r.PathValue("name")]
	if !ok {
		answer(w, http.StatusNotFound, map[string]any{"message": "Not Found"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"login": r.PathValue("name"), "id": id})
}

// page answers with one page of a list, and says in a Link header whether there is another.
func page(w http.ResponseWriter, r *http.Request, all []any) {
	size, err := strconv.Atoi(r.FormValue("per_page"))
	if err != nil || size < 1 || size > 100 {
		size = 30
	}
	n, err := strconv.Atoi(r.FormValue("page"))
	if err != nil || n < 1 {
		n = 1
	}
	from, to := min((n-1)*size, len(all)), min(n*size, len(all))
	if to < len(all) {
		w.Header().Set("Link", fmt.Sprintf(`<https://%s%s?per_page=%d&page=%d>; rel="next", <https://%[1]s%[2]s?page=9>; rel="last"`, r.Host, r.URL.Path, size, n+1))
	}
	answer(w, http.StatusOK, append([]any{}, all[from:to]...))
}
