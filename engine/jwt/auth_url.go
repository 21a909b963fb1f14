package jwt

import (
	"context"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/tokengrove/grove/engine"
)

// maxRedirect bounds the bytes of a redirect URI.
const maxRedirect = 2048

// authURL begins a login by browser. A redirect URI that is not allowed gets an empty URL, as in the reference; it may be
// anybody who asks.
func (m *method) authURL(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	c, err := loadConfig(rq)
	switch {
	case err != nil:
		return nil, err
	case c == nil:
		return nil, engine.Invalid("could not load configuration")
	case !c.browser():
		return nil, engine.Invalid("OIDC login is not configured for this mount")
	}
	name, redirect := roleOf(rq, c), rq.Text("redirect_uri")
	switch {
	case name == "":
		return nil, errNoRole
	case redirect == "":
		return nil, engine.Invalid("missing redirect_uri")
	}
	r, err := namedRole(rq, name)
	if err != nil {
		return nil, err
	}
	namespace := ""
	if c.Client.NamespaceInState {
		redirect, namespace = takeNamespace(redirect)
	}
	if r.Type != typeOIDC || len(redirect) > maxRedirect || !validRedirect(redirect, r.Browser.Redirects) {
		return &engine.Response{
			Data:     map[string]any{"auth_url": ""},
			Warnings: []string{"no URL: either the role is of type jwt, or redirect_uri is not among its allowed_redirect_uris"},
		}, nil
	}
	if c.Client.Mode == modeFormPost {
		redirect = strings.Replace(redirect, "ui/vault", "v1", 1) // what is posted comes to the API itself
	}
	s, err := m.source(c)
	if err != nil {
		return nil, err
	}
	p, err := s.discovered(ctx)
	if err != nil {
		return nil, err
	}
	a, err := newAttempt(rq, name, redirect, rq.Text("client_nonce"))
	if err != nil {
		return nil, err
	}
	state, err := a.state(rq)
	if err != nil {
		return nil, err
	}
	if namespace != "" {
		state += namespaceMark + namespace
	}
	return &engine.Response{Data: map[string]any{"auth_url": c.begin(p, r, a, state)}}, nil
}

// begin is the URL of the provider that a browser goes to.
func (c *config) begin(p *provider, r *role, a *attempt, state string) string {
	options := []oauth2.AuthCodeOption{oidc.Nonce(a.nonce())}
	switch {
	case c.implicit():
		options = append(options, oauth2.SetAuthURLParam("response_mode", modeFormPost), oauth2.SetAuthURLParam("response_type", typeIDToken))
	case c.Client.Mode == modeFormPost:
		options = append(options, oauth2.SetAuthURLParam("response_mode", modeFormPost), oauth2.S256ChallengeOption(a.verifier()))
	default:
		options = append(options, oauth2.S256ChallengeOption(a.verifier()))
	}
	if r.Browser.MaxAge > 0 {
		options = append(options, oauth2.SetAuthURLParam("max_age", strconv.FormatInt(engine.Whole(r.Browser.MaxAge), 10)))
	}
	return c.oauth(p, r, a.Redirect, "").AuthCodeURL(state, options...)
}

// oauth is the configuration of the OAuth library.
func (c *config) oauth(p *provider, r *role, redirect, secret string) *oauth2.Config {
	scopes := r.Browser.Scopes
	if !slices.Contains(scopes, oidc.ScopeOpenID) {
		scopes = append([]string{oidc.ScopeOpenID}, scopes...)
	}
	at := p.Endpoint()
	if at.AuthStyle = oauth2.AuthStyleInHeader; p.post {
		at.AuthStyle = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{ClientID: c.Client.ID, ClientSecret: secret, RedirectURL: redirect, Endpoint: at, Scopes: scopes}
}

// takeNamespace takes the namespace out of a redirect URI.
func takeNamespace(redirect string) (rest, namespace string) {
	u, err := url.Parse(redirect)
	if err != nil {
		return redirect, ""
	}
	q := u.Query()
	if namespace = q.Get("namespace"); namespace == "" {
		return redirect, ""
	}
	q.Del("namespace")
	u.RawQuery = q.Encode()
	return u.String(), namespace
}

// validRedirect reports whether a redirect URI is one of those allowed. On loopback any port is (RFC 8252, 7.3).
func validRedirect(redirect string, allowed []string) bool {
	u, err := url.Parse(redirect)
	if err != nil {
		return false
	}
	if !loopback(u.Hostname()) {
		return slices.ContainsFunc(allowed, func(a string) bool { return strings.EqualFold(a, redirect) })
	}
	u.Host = u.Hostname()
	return slices.ContainsFunc(allowed, func(a string) bool {
		v, err := url.Parse(a)
		if err != nil {
			return false
		}
		v.Host = v.Hostname()
		return u.String() == v.String()
	})
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
