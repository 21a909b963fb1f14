package github

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/enginetest"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/test/outside"
)

type values = engine.Values

// world is a mount for the organization acme.
type world struct {
	*enginetest.World
	hub *outside.GitHub
}

const pat = "ghp_amys0token"

var amy = outside.User{Login: "Amy", Orgs: []string{"other", "acme"}, Teams: []outside.Team{
	{Org: "acme", Name: "Site Reliability", Slug: "site-reliability"}, {Org: "acme", Name: "dev", Slug: "dev"}, {Org: "other", Name: "admins", Slug: "admins"},
}}

func newWorld(t *testing.T, config values) *world {
	t.Helper()
	hub := outside.NewGitHub(t, true, "acme", "other")
	m := New().(*method)
	m.ca = hub.CA
	w := &world{enginetest.New(t, m), hub}
	v := values{"organization": "acme", "base_url": hub.URL}
	for name, x := range config {
		v[name] = x
	}
	w.Write("config", v)
	w.Write("map/teams/Site-Reliability", values{"value": []string{"sre", "ops"}})
	w.Write("map/teams/admins", values{"value": []string{"never"}})
	w.Write("map/users/amy", values{"value": []string{"amy"}})
	hub.Put(pat, amy)
	return w
}

func (w *world) login() (*engine.Response, error) {
	w.Helper()
	return w.Do(engine.Write, "login", values{"token": pat})
}

func TestLogin(t *testing.T) {
	w := newWorld(t, values{"token_policies": []string{"all"}, "token_ttl": time.Minute})
	l := w.Login(values{"token": " " + pat + "\n"})
	if l.Alias != "Amy" || l.DisplayName != "Amy" || l.TTL != time.Minute || l.Metadata["username"] != "Amy" || l.Metadata["org"] != "acme" || len(l.Metadata) != 2 {
		t.Errorf("logged in as %+v", l)
	}
	if want := []string{"all", "amy", "ops", "sre"}; !slices.Equal(l.Policies, want) {
		t.Errorf("policies %v, want %v", l.Policies, want)
	}
	if strings.Contains(l.Data, pat) {
		t.Error("the GitHub token is kept in clear")
	}
	w.Write("map/teams/default", values{"value": []string{"everybody"}})
	w.Write("map/users/default", values{"value": []string{"everyone"}})
	if l := w.Login(values{"token": pat}); !slices.Contains(l.Policies, "everybody") || !slices.Contains(l.Policies, "everyone") {
		t.Errorf("policies %v have not those of everybody", l.Policies)
	}
	w.Refused(fsm.Invalid, "missing token", engine.Write, "login", values{"token": " "})
	w.Write("config", values{"token_bound_cidrs": []string{"198.51.100.0/24"}})
	w.forbidden(pat)
	w.Sealer, w.From = nil, "198.51.100.7:1"
	w.Refused(fsm.Unavailable, "no key to seal", engine.Write, "login", values{"token": pat})
}

func (w *world) forbidden(token string) {
	w.Helper()
	if _, err := w.Do(engine.Write, "login", values{"token": token}); !errors.Is(err, engine.ErrForbidden) {
		w.Errorf("got %v, want %v", err, engine.ErrForbidden)
	}
}

// TestWrongTokens: a token that is no good, and one of somebody who is no member, are answered alike.
func TestWrongTokens(t *testing.T) {
	w := newWorld(t, nil)
	w.hub.Put("eves", outside.User{Login: "eve", Orgs: []string{"other"}})
	w.hub.Put("nobodys", outside.User{Login: "nobody"})
	for _, token := range []string{"ghp_none", "eves", "nobodys", "a b", "a\r\nb", "ä", strings.Repeat("x", maxToken+1)} {
		w.forbidden(token)
	}
	w.hub.Put("amys", outside.User{Login: "Amy", Orgs: []string{"acme"}, NoOrgs: true})
	w.Refused(fsm.Invalid, "needs the scope read:org", engine.Write, "login", values{"token": "amys"})
}

// TestPages: an organization and a team on a later page are found, and a list that does not end is given up.
func TestPages(t *testing.T) {
	w := newWorld(t, nil)
	bob := outside.User{Login: "bob"}
	for i := range 250 {
		bob.Orgs = append(bob.Orgs, fmt.Sprintf("o%d", i))
		bob.Teams = append(bob.Teams, outside.Team{Org: "acme", Name: fmt.Sprintf("t%d", i), Slug: fmt.Sprintf("t%d", i)})
	}
	bob.Orgs = append(bob.Orgs, "acme")
	w.hub.Put("bobs", bob)
	w.Write("map/teams/t249", values{"value": []string{"late"}})
	before := w.hub.Calls()
	if l := w.Login(values{"token": "bobs"}); !slices.Equal(l.Policies, []string{"late"}) {
		t.Errorf("policies %v", l.Policies)
	}
	if n := w.hub.Calls() - before; n != 1+3+3 {
		t.Errorf("GitHub was asked %d times, want 7", n)
	}
	for range maxPages * perPage {
		bob.Orgs = append(bob.Orgs, "x")
	}
	w.hub.Put("bobs", bob)
	w.Refused(fsm.Invalid, "more than 2000 entries in user/orgs", engine.Write, "login", values{"token": "bobs"})
}

func TestRenew(t *testing.T) {
	w := newWorld(t, values{"token_policies": []string{"all"}})
	l := w.Login(values{"token": pat})
	w.Write("config", values{"token_ttl": time.Minute, "token_max_ttl": time.Hour})
	w.From = "203.0.113.1:1"
	if terms, err := w.Renew(l); err != nil || terms.TTL != time.Minute || terms.MaxTTL != time.Hour {
		t.Errorf("renewed by %+v %v", terms, err)
	}
	w.Write("map/users/amy", values{"value": []string{"another"}})
	_, err := w.Renew(l)
	w.Fails(fsm.Invalid, "policies do not match", err)
	w.Write("map/users/amy", values{"value": []string{"amy"}})
	w.hub.Put(pat, outside.User{Login: "Amy", Orgs: []string{"other"}})
	_, err = w.Renew(l)
	w.Fails(fsm.Invalid, "has left the organization", err)
	w.hub.Revoke(pat)
	_, err = w.Renew(l)
	w.Fails(fsm.Invalid, "does not take this login's token any more", err)
	w.hub.Break(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(502) })
	_, err = w.Renew(l)
	w.Fails(fsm.Unavailable, "status 502", err)
	l.Data = "$"
	if _, err = w.Renew(l); err == nil {
		t.Error("renewed without a token")
	}
}

// TestRenamedOrganization: the number counts. A new organization under the old name is another one.
func TestRenamedOrganization(t *testing.T) {
	w := newWorld(t, nil)
	w.hub.Rename("acme", "emca")
	renamed := amy
	renamed.Orgs, renamed.Teams = []string{"emca"}, nil
	w.hub.Put(pat, renamed)
	rs, err := w.login()
	if err != nil || len(rs.Warnings) != 1 || !strings.Contains(rs.Warnings[0], `has changed to "emca"`) || rs.Login.Metadata["org"] != "emca" {
		t.Errorf("got %+v %v, want a warning", rs, err)
	}
	w.Write("config", values{"organization": "other"}) // asks for the number
	w.Is(w.Must(engine.Read, "config", nil), "organization_id", int64(1002))
	w.forbidden(pat)
}

func TestGitHubFails(t *testing.T) {
	w := newWorld(t, nil)
	failures := outside.Failures()
	failures["too many requests"] = outside.Failure{Handler: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, Text: "too many"}
	failures["rate limit"] = outside.Failure{Handler: func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-RateLimit-Remaining", "0")
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "s3cret")
	}, Text: "too many"}
	for name, f := range failures {
		w.hub.Break(f.Handler)
		for path, v := range map[string]values{"login": {"token": pat}, "config": {"organization_id": int64(0)}} {
			wait := 5 * time.Second
			if name == "slow" {
				wait = 30 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			_, err := w.DoIn(ctx, engine.Write, path, v)
			cancel()
			w.Fails(fsm.Unavailable, f.Text, err)
			if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), pat)) {
				t.Errorf("%s: %v tells too much", name, err)
			}
		}
	}
}

func TestConfig(t *testing.T) {
	w := newWorld(t, values{"ttl": time.Minute})
	data := w.Must(engine.Read, "config", nil)
	for name, want := range map[string]any{"organization": "acme", "organization_id": int64(1001), "base_url": w.hub.URL + "/", "ttl": int64(60), "token_ttl": int64(60)} {
		w.Is(data, name, want)
	}
	before := w.hub.Calls()
	w.Write("config", values{"max_ttl": time.Hour}) // what is not sent stays
	w.Is(w.Must(engine.Read, "config", nil), "organization_id", int64(1001))
	w.Write("config", values{"organization": "nobody", "organization_id": int64(7)})
	if w.hub.Calls() != before {
		t.Error("GitHub was asked for a number that is known")
	}
	w.Refused(fsm.Invalid, "organization_id not found for none", engine.Write, "config", values{"organization": "none"})
	w.Refused(fsm.Invalid, "error parsing given base_url", engine.Write, "config", values{"base_url": "ftp://x"})
	w.Write("config", values{"base_url": "", "organization_id": int64(7)})
	w.Is(w.Must(engine.Read, "config", nil), "base_url", "")
	w.Store = storage.Store{}
	w.Refused(fsm.NotFound, "", engine.Read, "config", nil)
	w.Refused(fsm.Invalid, "organization is a required parameter", engine.Write, "config", nil)
	w.Refused(fsm.Invalid, "configuration has not been set", engine.Write, "login", values{"token": pat})
}

func TestMaps(t *testing.T) {
	w := newWorld(t, nil)
	data := w.Must(engine.Read, "map/teams/SITE-reliability", nil)
	w.Is(data, "key", "Site-Reliability")
	w.Is(data, "value", "sre,ops")
	if rs, err := w.Do(engine.List, "map/teams", nil); err != nil || !slices.Equal(rs.Keys, []string{"admins", "site-reliability"}) {
		t.Errorf("listed %v %v", rs, err)
	}
	w.Is(w.Must(engine.Read, "map/teams", nil), "keys", []string{"admins", "site-reliability"})
	w.Must(engine.Delete, "map/users/AMY", nil)
	w.Refused(fsm.NotFound, "", engine.Read, "map/users/amy", nil)
	w.Refused(fsm.NotFound, "", engine.Read, "map/users", nil)
}
