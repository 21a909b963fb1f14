// Package jwt is the login method of signed tokens: JWTs that the client brings (type "jwt"), and those that an
// OpenID provider gives to a user's browser (type "oidc"). Both types are this method; a role is of either kind.
//
// Contract: signatures are verified by go-jose, with public keys only; what the claims must say is checked here, against
// the claims as a map, so that no second spelling of a name can count. Keys come from the configuration, from a JWKS URL or
// from a provider's discovery document; what was fetched is kept by the node, under a digest of where it
// came from, so that a change of the configuration never meets old keys.
//
// Storage: "config" is the configuration, with the client secret sealed; "role/NAME" a role, in lower case;
// "done/DEADLINE-ID" says that a browser's login has got its token, and "posted/DEADLINE-ID" holds, sealed, an ID token that a
// browser has posted. Nothing is stored of a login that has only begun: it travels in the state parameter, sealed.
package jwt

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/tokengrove/grove/engine"
)

// Bounds of what a node keeps.
const (
	maxSources   = 256 // providers and JWKS URLs, of all mounts
	maxExchanges = 128 // codes that were exchanged last
)

// method implements engine.Method.
type method struct {
	sources   *lru.Cache[digest, *source]
	exchanges *lru.Cache[digest, *exchange]
	clock     func() time.Time // of what is kept
}

// New returns the method.
func New() engine.Method { return newMethod(time.Now) }

func newMethod(clock func() time.Time) *method {
	m := &method{clock: clock}
	var err error
	if m.sources, err = lru.NewWithEvict(maxSources, func(_ digest, s *source) { s.client.CloseIdleConnections() }); err != nil {
		panic(err) // the size is positive
	}
	if m.exchanges, err = lru.New[digest, *exchange](maxExchanges); err != nil {
		panic(err) // likewise
	}
	return m
}

type ops = map[engine.Operation]engine.Handler

// Paths implements engine.Method.
func (m *method) Paths() []engine.Path {
	callback := engine.Fields{
		"state": engine.Text, "code": engine.Text, "id_token": engine.Text, "client_nonce": engine.Text, "error": engine.Text, "error_description": engine.Text,
	}
	return []engine.Path{
		{Pattern: "config", Fields: configFields, Ops: ops{engine.Read: readConfig, engine.Write: m.writeConfig}},
		{Pattern: "role", Ops: ops{engine.List: listRoles}},
		{Pattern: "role/{name}", Fields: roleFields, Exists: roleExists, Ops: ops{engine.Read: readRole, engine.Write: writeRole, engine.Delete: deleteRole}},
		{Pattern: "login", Login: true, Fields: engine.Fields{"role": engine.Text, "jwt": engine.Text}, Ops: ops{engine.Write: m.login}},
		{
			Pattern: "oidc/auth_url", Login: true, Fields: engine.Fields{"role": engine.Text, "redirect_uri": engine.Text, "client_nonce": engine.Text},
			Ops: ops{engine.Write: m.authURL},
		},
		{Pattern: "oidc/callback", Login: true, Fields: callback, Ops: ops{engine.Read: m.callback, engine.Write: m.callbackPost}},
	}
}
