package jwt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	jose "github.com/go-jose/go-jose/v4"
	"golang.org/x/oauth2"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
)

// exchange is what came of a code. A provider takes a code once, but a handler may run twice for one request.
type exchange struct {
	code   digest
	claims claims
	err    error // a refusal, which stays
	until  time.Time
}

// exchangeLife is longer than any request.
const exchangeLife = time.Minute

// maxUserInfo bounds the answer of a userinfo endpoint.
const maxUserInfo = 256 << 10

// exchange gets the claims for a code. One attempt can bring one code to a node.
func (m *method) exchange(ctx context.Context, f *flow, code string) (claims, error) {
	if f.config.implicit() {
		return nil, engine.Invalid(loginFailed + " A code was received, but oidc_response_types is id_token.")
	}
	key, sum := digestOf(f.rq.Mount.UUID, f.attempt.derive("key")), digestOf(code)
	if x, ok := m.exchanges.Get(key); ok && x.until.After(m.clock()) {
		if x.code != sum {
			return nil, errState
		}
		return maps.Clone(x.claims), x.err
	}
	c, err := f.redeem(ctx, code)
	var refused *fsm.Error
	if err == nil || errors.As(err, &refused) && refused.Code == fsm.Invalid {
		m.exchanges.PeekOrAdd(key, &exchange{sum, c, err, m.clock().Add(exchangeLife)})
	}
	return maps.Clone(c), err
}

// redeem exchanges a code at the provider, and verifies what it gets for it.
func (f *flow) redeem(ctx context.Context, code string) (claims, error) {
	if err := f.source.turn(); err != nil {
		return nil, err
	}
	defer f.source.done()
	secret, err := f.rq.Open(secretPlace, f.config.Client.Secret)
	if err != nil {
		return nil, err
	}
	client := oidc.ClientContext(ctx, f.source.client)
	got, err := f.config.oauth(f.at, f.role, f.attempt.Redirect, string(secret)).Exchange(client, code, oauth2.VerifierOption(f.attempt.verifier()))
	if err != nil {
		return nil, exchangeFailure(err)
	}
	text, ok := got.Extra("id_token").(string)
	if !ok {
		return nil, engine.Invalid(loginFailed + " Error exchanging oidc code: the provider gives no id_token.")
	}
	t, err := f.verify(ctx, text)
	if err != nil {
		return nil, err
	}
	for name, of := range map[string]string{"at_hash": got.AccessToken, "c_hash": code} { // order: both must fit
		if err := t.checkHash(name, of); err != nil {
			return nil, engine.Invalid("%v", err)
		}
	}
	return f.complete(client, t.claims, got)
}

// exchangeFailure tells a refusal from a provider that cannot be asked.
func exchangeFailure(err error) error {
	var said *oauth2.RetrieveError
	if !errors.As(err, &said) || said.Response == nil || said.Response.StatusCode >= 500 {
		return unreachable("the OpenID provider cannot be asked for the token", err)
	}
	reason := said.Response.Status
	if said.ErrorCode != "" {
		reason = fmt.Sprintf("%s %s", said.ErrorCode, said.ErrorDescription)
	}
	return engine.Invalid("%s Error exchanging oidc code: %q.", loginFailed, short(reason))
}

// verify verifies an ID token, and that it is for this attempt.
func (f *flow) verify(ctx context.Context, text string) (*signed, error) {
	const failed = "Token verification failed. "
	t, err := verify(ctx, f.source, text, f.config.algorithms([]jose.SignatureAlgorithm{jose.RS256}))
	if err != nil {
		return nil, refusal(failed, err)
	}
	want := idToken{
		issuer: f.at.issuer, client: f.config.Client.ID, nonce: f.attempt.nonce(), audiences: f.role.Bounds.Audiences, maxAge: f.role.Browser.MaxAge,
	}
	if err := want.expect(t.claims, f.rq.Now.Time()); err != nil {
		return nil, refusal(failed, err)
	}
	if bound := f.config.BoundIssuer; bound != "" && bound != t.text("iss") {
		return nil, engine.Invalid(failed + "invalid issuer (iss) claim")
	}
	delete(t.claims, "nonce")
	return t, nil
}

// checkHash compares the hash of an access token or code that an ID token may carry.
func (t *signed) checkHash(name, of string) error {
	v, ok := t.claims[name]
	if !ok || of == "" {
		return nil
	}
	if v != any(hashOf(t.algorithm, of)) {
		return fmt.Errorf("the %s claim of the ID token does not fit", name)
	}
	return nil
}

// hashOf is the left half of a hash, as such claims have it.
func hashOf(alg jose.SignatureAlgorithm, text string) string {
	h := algorithms[alg].New()
	io.WriteString(h, text)
	sum := h.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// complete adds what the userinfo endpoint knows of the user, where the provider has one. The ID token's own claims about itself
// stay. An endpoint that fails is no reason to refuse the user; what it would have said is missing then.
func (f *flow) complete(client context.Context, c claims, got *oauth2.Token) (claims, error) {
	if f.at.UserInfoEndpoint() == "" || got.AccessToken == "" {
		return c, nil
	}
	info, err := f.at.UserInfo(client, oauth2.StaticTokenSource(got))
	if err != nil {
		return c, client.Err()
	}
	var raw json.RawMessage
	if info.Claims(&raw) != nil || len(raw) > maxUserInfo {
		return c, nil
	}
	more, err := parseClaims(raw)
	if err != nil || more.text("sub") != c.text("sub") {
		return c, nil // of somebody else
	}
	for name, v := range more { // order: a map of them
		switch name {
		case "iss", "sub", "aud", "exp", "nbf", "iat", "azp", "auth_time", "acr", "amr":
		default:
			c[name] = v
		}
	}
	return c, nil
}
