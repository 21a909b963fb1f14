package jwt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
)

// How old keys and discovery documents become before they are fetched again. A key that its owner has withdrawn works no longer than that.
const (
	keysFresh     = 10 * time.Minute
	providerFresh = time.Hour
)

// digest names what a node keeps.
type digest [sha256.Size]byte

// digestOf is of parts, no two lists of which run together.
func digestOf(parts ...string) (d digest) {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d\x00%s", len(p), p)
	}
	h.Sum(d[:0])
	return d
}

// source is where keys come from: a JWKS URL, or an OpenID provider.
type source struct {
	client   *http.Client
	keys     *fetched[[]jose.JSONWebKey]
	provider *fetched[*provider] // nil: of a JWKS URL
	turns    chan struct{}       // of those who exchange codes
}

// turn takes one of the turns, if any is free; done must follow.
func (s *source) turn() error {
	select {
	case s.turns <- struct{}{}:
		return nil
	default:
		return errCrowded
	}
}

func (s *source) done() { <-s.turns }

// provider is what the discovery document of an OpenID provider says.
type provider struct {
	*oidc.Provider
	keysURL string
	issuer  string
	// post: the client's secret goes into the body instead of a header.
	post bool
}

// source returns where the keys of c come from, as this node knows it: by URL and authorities.
func (m *method) source(c *config) (*source, error) {
	at, ca := c.Keys.JWKSURL, c.Keys.JWKSCA
	if c.Keys.DiscoveryURL != "" {
		at, ca = c.Keys.DiscoveryURL, c.Keys.DiscoveryCA
	}
	key := digestOf(at, ca, c.Keys.DiscoveryURL)
	if s, ok := m.sources.Get(key); ok {
		return s, nil
	}
	client, err := newClient(ca)
	if err != nil {
		return nil, err
	}
	s := &source{client: client, turns: make(chan struct{}, maxWaiting)}
	if c.Keys.DiscoveryURL == "" {
		s.keys = newFetched(keysFresh, m.clock, func(ctx context.Context) ([]jose.JSONWebKey, error) { return s.fetchKeys(ctx, at) })
	} else {
		s.provider = newFetched(providerFresh, m.clock, func(ctx context.Context) (*provider, error) { return s.discover(ctx, at) })
		s.keys = newFetched(keysFresh, m.clock, func(ctx context.Context) ([]jose.JSONWebKey, error) {
			p, _, err := s.provider.get(ctx)
			if err != nil {
				return nil, err
			}
			return s.fetchKeys(ctx, p.keysURL)
		})
	}
	if other, ok, _ := m.sources.PeekOrAdd(key, s); ok {
		return other, nil
	}
	return s, nil
}

func (s *source) fetchKeys(ctx context.Context, from string) ([]jose.JSONWebKey, error) {
	body, err := fetch(ctx, s.client, from)
	if err != nil {
		return nil, err
	}
	return parseKeySet(body)
}

func (s *source) discover(ctx context.Context, issuer string) (*provider, error) {
	p, err := oidc.NewProvider(oidc.ClientContext(ctx, s.client), issuer)
	if err != nil {
		return nil, err
	}
	var more struct {
		Keys    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := p.Claims(&more); err != nil {
		return nil, err
	}
	if more.Keys == "" {
		return nil, errors.New("the discovery document has no jwks_uri")
	}
	for _, at := range []string{more.Keys, p.Endpoint().AuthURL, p.Endpoint().TokenURL, p.UserInfoEndpoint()} {
		if err := noWeaker(issuer, at); err != nil {
			return nil, err
		}
	}
	return &provider{
		Provider: p, keysURL: more.Keys, issuer: issuer,
		post: len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic") && slices.Contains(more.Methods, "client_secret_post"),
	}, nil
}

// noWeaker refuses what a discovery document sends to, if that is in clear and the document was not, or no URL of HTTP at all.
func noWeaker(issuer, at string) error {
	if at == "" || strings.HasPrefix(at, "https://") || strings.HasPrefix(at, "http://") && strings.HasPrefix(issuer, "http://") {
		return nil
	}
	return fmt.Errorf("the discovery document sends to %s, which is not https://", short(at))
}

// discovered returns the provider of a source that has one.
func (s *source) discovered(ctx context.Context) (*provider, error) {
	p, _, err := s.provider.get(ctx)
	if err != nil {
		return nil, unreachable("the OpenID provider cannot be asked", err)
	}
	return p, nil
}

// verify implements keySet. A signature that no known key has made is a reason to ask for new ones, but not too often.
func (s *source) verify(ctx context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	keys, at, err := s.keys.get(ctx)
	if err != nil {
		return nil, unreachable("the keys that tokens are signed with cannot be fetched", err)
	}
	if payload, ok := try(keys, jws); ok {
		return payload, nil
	}
	keys, ok, err := s.keys.newer(ctx, at)
	if err != nil {
		return nil, unreachable("the token is signed with a key that is not known yet, and new ones cannot be fetched", err)
	}
	if payload, verified := try(keys, jws); ok && verified {
		return payload, nil
	}
	return nil, errSignature
}
