package jwt

import (
	"context"
	"slices"
	"strings"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/tokengrove/grove/engine"
)

// config is what is stored of a mount's configuration.
type config struct {
	Keys        keyConfig    `json:"keys"`
	Client      clientConfig `json:"client"`
	Algorithms  []string     `json:"jwt_supported_algs"`
	BoundIssuer string       `json:"bound_issuer,omitempty"`
	DefaultRole string       `json:"default_role,omitempty"`
}

// keyConfig says where keys come from: exactly one of its three ways.
type keyConfig struct {
	DiscoveryURL string   `json:"oidc_discovery_url,omitempty"`
	DiscoveryCA  string   `json:"oidc_discovery_ca_pem,omitempty"`
	JWKSURL      string   `json:"jwks_url,omitempty"`
	JWKSCA       string   `json:"jwks_ca_pem,omitempty"`
	PublicKeys   []string `json:"jwt_validation_pubkeys"`
}

// clientConfig is what Grove is to an OpenID provider.
type clientConfig struct {
	ID string `json:"oidc_client_id,omitempty"`
	// Secret is sealed.
	Secret []byte   `json:"oidc_client_secret,omitempty"`
	Mode   string   `json:"oidc_response_mode,omitempty"`
	Types  []string `json:"oidc_response_types"`
	// NamespaceInState carries a namespace of the redirect URI in the state instead.
	NamespaceInState bool `json:"namespace_in_state"`
}

// Places that sealed texts are bound to.
const (
	secretPlace = "config/oidc_client_secret"
	statePlace  = "state"
	postedPlace = "posted"
)

// Response types and modes.
const (
	typeCode, typeIDToken   = "code", "id_token"
	modeQuery, modeFormPost = "query", "form_post"
)

var configFields = engine.Fields{
	"oidc_discovery_url": engine.Text, "oidc_discovery_ca_pem": engine.Text, "oidc_client_id": engine.Text, "oidc_client_secret": engine.Text,
	"oidc_response_mode": engine.Text, "oidc_response_types": engine.Strings, "jwks_url": engine.Text, "jwks_ca_pem": engine.Text,
	"default_role": engine.Text, "jwt_validation_pubkeys": engine.Strings, "jwt_supported_algs": engine.Strings, "bound_issuer": engine.Text,
	"provider_config": engine.Object, "namespace_in_state": engine.Boolean, "jwks_pairs": engine.Array, "unsupported_critical_cert_extensions": engine.Strings,
}

// loadConfig returns the configuration of a mount, nil if there is none.
func loadConfig(rq *engine.Request) (*config, error) {
	c := new(config)
	ok, err := rq.Storage.Load("config", c)
	if err != nil || !ok {
		return nil, err
	}
	return c, nil
}

func readConfig(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	c, err := loadConfig(rq)
	if err == nil && c == nil {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &engine.Response{Data: map[string]any{
		"oidc_discovery_url": c.Keys.DiscoveryURL, "oidc_discovery_ca_pem": c.Keys.DiscoveryCA, "oidc_client_id": c.Client.ID,
		"oidc_response_mode": c.Client.Mode, "oidc_response_types": list(c.Client.Types), "default_role": c.DefaultRole,
		"jwt_validation_pubkeys": list(c.Keys.PublicKeys), "jwt_supported_algs": list(c.Algorithms), "jwks_url": c.Keys.JWKSURL,
		"jwks_pairs": []string{}, "jwks_ca_pem": c.Keys.JWKSCA, "bound_issuer": c.BoundIssuer, "provider_config": map[string]any{},
		"namespace_in_state": c.Client.NamespaceInState, "unsupported_critical_cert_extensions": []string{},
	}}, nil
}

func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// writeConfig replaces the configuration; what is not sent is empty afterwards. A place outside is asked before it is believed.
func (m *method) writeConfig(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	old, err := loadConfig(rq)
	if err != nil {
		return nil, err
	}
	c := newConfig(rq.Values, old)
	if err := c.check(rq.Text("oidc_client_secret") != ""); err != nil {
		return nil, err
	}
	if err := refuseUnsupported(rq.Values); err != nil {
		return nil, err
	}
	rs := &engine.Response{}
	if rs.Warnings, err = m.probe(ctx, c); err != nil {
		return nil, err
	}
	if secret := rq.Text("oidc_client_secret"); secret != "" {
		if c.Client.Secret, err = rq.Seal(secretPlace, []byte(secret)); err != nil {
			return nil, err
		}
	}
	return rs, rq.Storage.Save("config", c)
}

func newConfig(v engine.Values, old *config) *config {
	c := &config{
		Keys: keyConfig{
			DiscoveryURL: v.Text("oidc_discovery_url"), DiscoveryCA: v.Text("oidc_discovery_ca_pem"), JWKSURL: v.Text("jwks_url"),
			JWKSCA: v.Text("jwks_ca_pem"), PublicKeys: v.Strings("jwt_validation_pubkeys"),
		},
		Client:     clientConfig{ID: v.Text("oidc_client_id"), Mode: v.Text("oidc_response_mode"), Types: v.Strings("oidc_response_types"), NamespaceInState: true},
		Algorithms: v.Strings("jwt_supported_algs"), BoundIssuer: v.Text("bound_issuer"), DefaultRole: strings.ToLower(v.Text("default_role")),
	}
	switch {
	case v.Has("namespace_in_state"):
		c.Client.NamespaceInState = v.Boolean("namespace_in_state")
	case old != nil:
		c.Client.NamespaceInState = old.Client.NamespaceInState
	}
	return c
}

// check judges a configuration by itself, in the reference's order.
func (c *config) check(hasSecret bool) error {
	ways := 0
	for _, given := range []bool{c.Keys.DiscoveryURL != "", len(c.Keys.PublicKeys) > 0, c.Keys.JWKSURL != ""} {
		if given {
			ways++
		}
	}
	switch {
	case ways != 1:
		return engine.Invalid("exactly one of 'jwt_validation_pubkeys', 'jwks_url' or 'oidc_discovery_url' must be set")
	case (c.Client.ID != "") != hasSecret:
		return engine.Invalid("both 'oidc_client_id' and 'oidc_client_secret' must be set for OIDC")
	case c.Client.ID != "" && c.Keys.DiscoveryURL == "":
		return engine.Invalid("'oidc_discovery_url' must be set for OIDC")
	}
	if _, err := c.staticKeys(); err != nil {
		return err
	}
	if err := checkAlgorithms(c.Algorithms); err != nil {
		return err
	}
	if slices.ContainsFunc(c.Client.Types, func(t string) bool { return t != typeCode && t != typeIDToken }) {
		return engine.Invalid("invalid response_types %v. 'code' and 'id_token' are allowed", c.Client.Types)
	}
	switch c.Client.Mode {
	case "", modeQuery:
		if slices.Contains(c.Client.Types, typeIDToken) {
			return engine.Invalid("query response_mode may not be used with an id_token response_type")
		}
	case modeFormPost:
	default:
		return engine.Invalid("invalid response_mode: %q: 'query' and 'form_post' are allowed", c.Client.Mode)
	}
	return nil
}

// refuseUnsupported names what the reference has and Grove has not.
func refuseUnsupported(v engine.Values) error {
	switch {
	case len(v.Object("provider_config")) > 0:
		return engine.Invalid("invalid provider_config: no provider-specific handling is supported: claims and groups come from the token, and from the provider's userinfo endpoint")
	case len(v.Strings("jwks_pairs")) > 0:
		return engine.Invalid("jwks_pairs is not supported: use jwks_url, and a mount for each issuer")
	case len(v.Strings("unsupported_critical_cert_extensions")) > 0:
		return engine.Invalid("unsupported_critical_cert_extensions is not supported: certificates with unknown critical extensions are refused")
	}
	return nil
}

// probe asks outside, once, whether keys can be had.
func (m *method) probe(ctx context.Context, c *config) (warnings []string, err error) {
	name, at := "jwks_url", c.Keys.JWKSURL
	if c.Keys.DiscoveryURL != "" {
		name, at = "oidc_discovery_url", c.Keys.DiscoveryURL
	}
	if at == "" {
		return nil, nil
	}
	plain, err := checkURL(name, at)
	if err != nil {
		return nil, err
	}
	if plain {
		warnings = []string{name + " is plain HTTP: whoever is on the way can forge logins"}
	}
	s, err := m.source(c)
	switch {
	case err != nil && c.Keys.DiscoveryURL == "":
		return nil, engine.Invalid("error checking jwks_ca_pem: %v", err)
	case err != nil:
		return nil, engine.Invalid("error checking oidc discovery URL: oidc_discovery_ca_pem: %v", err)
	}
	if _, _, err := s.keys.get(ctx); err != nil {
		if c.Keys.DiscoveryURL == "" {
			return nil, engine.Invalid("error checking jwks URL %s: %s", at, plainly(err))
		}
		return nil, engine.Invalid("error checking oidc discovery URL: %s", plainly(err))
	}
	return warnings, nil
}

// staticKeys are the public keys of the configuration.
func (c *config) staticKeys() (staticKeys, error) {
	keys := make(staticKeys, len(c.Keys.PublicKeys))
	for i, text := range c.Keys.PublicKeys {
		var err error
		if keys[i], err = parsePublicKey(text); err != nil {
			return nil, engine.Invalid("%v", err)
		}
	}
	return keys, nil
}

// keySet is what signatures are verified with.
func (m *method) keySet(c *config) (keySet, error) {
	if len(c.Keys.PublicKeys) > 0 {
		return c.staticKeys()
	}
	return m.source(c)
}

// browser reports whether users can log in with a browser.
func (c *config) browser() bool { return c.Keys.DiscoveryURL != "" && c.Client.ID != "" }

// implicit reports whether the provider gives out an ID token at once, instead of a code for one.
func (c *config) implicit() bool { return slices.Contains(c.Client.Types, typeIDToken) }

// algorithms are what a token may be signed with; usual: where nothing is configured.
func (c *config) algorithms(usual []jose.SignatureAlgorithm) []jose.SignatureAlgorithm {
	if len(c.Algorithms) == 0 {
		return usual
	}
	out := make([]jose.SignatureAlgorithm, len(c.Algorithms))
	for i, a := range c.Algorithms {
		out[i] = jose.SignatureAlgorithm(a)
	}
	return out
}
