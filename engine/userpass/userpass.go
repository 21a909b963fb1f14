// Package userpass is the login method of names and passwords, which are kept as bcrypt hashes.
//
// Storage: "user/NAME" is a user. Names are lower case.
package userpass

import (
	"context"
	"encoding/base64"
	"runtime"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm/token"
)

// method implements engine.Method.
type method struct {
	// turns bounds how many passwords are hashed at once: each takes a processor for some 50 ms.
	turns chan struct{}
	// dummy is what the password of a user who does not exist is compared with.
	dummy func() []byte
}

// New returns the method.
func New() engine.Method {
	return &method{
		turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0))),
		dummy: sync.OnceValue(func() []byte {
			h, err := bcrypt.GenerateFromPassword([]byte("nobody has this password"), bcrypt.DefaultCost)
			if err != nil {
				panic(err) // the cost is allowed, and the password short
			}
			return h
		}),
	}
}

// user is what is stored of one.
type user struct {
	engine.Params
	Old  engine.Old `json:"old,omitzero"`
	Hash []byte     `json:"hash"`
}

var (
	passwordFields = engine.Fields{"password": engine.Text, "password_hash": engine.Text}
	old            = engine.OldFields.Only("policies", "ttl", "max_ttl", "bound_cidrs")
	userFields     = passwordFields.With(engine.ParamFields, old)
	policyFields   = engine.Fields{"policies": engine.Strings, "token_policies": engine.Strings}
)

// Paths implements engine.Method.
func (m *method) Paths() []engine.Path {
	return []engine.Path{
		{Pattern: "login/{username}", Login: true, Fields: engine.Fields{"password": engine.Text}, Ops: ops{engine.Write: m.login}},
		{Pattern: "users", Ops: ops{engine.List: list}},
		{Pattern: "users/{username}", Fields: userFields, Exists: exists, Ops: ops{engine.Read: read, engine.Write: m.write, engine.Delete: remove}},
		{Pattern: "users/{username}/password", Fields: passwordFields, Ops: ops{engine.Write: m.changePassword}},
		{Pattern: "users/{username}/policies", Fields: policyFields, Ops: ops{engine.Write: changePolicies}},
	}
}

type ops = map[engine.Operation]engine.Handler

func nameOf(rq *engine.Request) string { return strings.ToLower(rq.Text("username")) }

// load reads the user that the request names; nil if there is none.
func load(rq *engine.Request, name string) (*user, error) {
	u := new(user)
	ok, err := rq.Storage.Load("user/"+name, u)
	if err != nil || !ok {
		return nil, err
	}
	return u, nil
}

func exists(rq *engine.Request) bool {
	_, ok := rq.Storage.Find("user/" + nameOf(rq))
	return ok
}

func list(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	return &engine.Response{Keys: rq.Storage.List("user/")}, nil
}

func read(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	u, err := load(rq, nameOf(rq))
	if err != nil {
		return nil, err
	}
	if u == nil {
		return nil, engine.ErrNotFound
	}
	data := map[string]any{}
	u.Show(data)
	u.Old.Show(data)
	return &engine.Response{Data: data}, nil
}

func remove(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	rq.Storage.Delete("user/" + nameOf(rq))
	return nil, nil
}

// write makes or changes a user.
func (m *method) write(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	u, err := load(rq, nameOf(rq))
	if err != nil {
		return nil, err
	}
	if u == nil {
		if rq.Text("password") == "" && rq.Text("password_hash") == "" {
			return nil, errNoPassword
		}
		u = new(user)
	}
	if err := u.Take(rq.Values); err != nil {
		return nil, err
	}
	if err := u.Old.Take(rq.Values, &u.Params); err != nil {
		return nil, err
	}
	if rq.Has("password") || rq.Has("password_hash") {
		if u.Hash, err = m.hash(ctx, rq); err != nil {
			return nil, err
		}
	}
	return nil, rq.Storage.Save("user/"+nameOf(rq), u)
}

// named loads the user that a sub-path needs.
func named(rq *engine.Request) (*user, error) {
	u, err := load(rq, nameOf(rq))
	if err == nil && u == nil {
		err = engine.Invalid("username does not exist")
	}
	return u, err
}

func (m *method) changePassword(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	u, err := named(rq)
	if err != nil {
		return nil, err
	}
	if u.Hash, err = m.hash(ctx, rq); err != nil {
		return nil, err
	}
	return nil, rq.Storage.Save("user/"+nameOf(rq), u)
}

func changePolicies(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	u, err := named(rq)
	if err != nil {
		return nil, err
	}
	if rq.Has("token_policies") {
		u.Policies = rq.Strings("token_policies")
	}
	if err := u.Old.Take(rq.Values, &u.Params); err != nil {
		return nil, err
	}
	return nil, rq.Storage.Save("user/"+nameOf(rq), u)
}

var errNoPassword = engine.Invalid(`"password" or "password_hash" must be supplied`)

// hash makes the hash of the password that was sent, or takes the one that was.
func (m *method) hash(ctx context.Context, rq *engine.Request) ([]byte, error) {
	password, given := rq.Text("password"), rq.Text("password_hash")
	switch {
	case password == "" && given == "":
		return nil, errNoPassword
	case password != "" && given != "":
		return nil, engine.Invalid(`"password" and "password_hash" cannot be supplied together`)
	case given != "":
		return takeHash(given)
	case len(password) > 72:
		return nil, engine.Invalid("a password has at most 72 bytes, this one has %d", len(password))
	}
	if err := m.turn(ctx); err != nil {
		return nil, err
	}
	defer m.done()
	return bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
}

// takeHash takes a bcrypt hash as it is, or in base64. A cost that takes seconds would let whoever
// may log in tie up the node.
func takeHash(text string) ([]byte, error) {
	h := []byte(text)
	if !strings.HasPrefix(text, "$2") {
		if b, err := base64.StdEncoding.DecodeString(text); err == nil {
			h = b
		}
	}
	switch cost, err := bcrypt.Cost(h); {
	case err != nil:
		return nil, engine.Invalid("password_hash is no bcrypt hash: %v", err)
	case cost > maxCost:
		return nil, engine.Invalid("password_hash has a cost of %d, at most %d is allowed", cost, maxCost)
	}
	return h, nil
}

const maxCost = 14

// turn waits until a processor is free; done must follow.
func (m *method) turn(ctx context.Context) error {
	select {
	case m.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return engine.Unreachable("too many passwords are checked at once: try again")
	}
}

func (m *method) done() { <-m.turns }

// login checks a password. That of a user who does not exist takes as long, and is answered as a wrong one.
func (m *method) login(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	name, password := nameOf(rq), rq.Text("password")
	if password == "" {
		return nil, engine.Invalid("invalid credentials")
	}
	if rq.Locked(name) {
		return nil, engine.ErrForbidden
	}
	u, err := load(rq, name)
	if err != nil {
		return nil, err
	}
	hash := m.dummy()
	if u != nil {
		hash = u.Hash
	}
	if err := m.turn(ctx); err != nil {
		return nil, err
	}
	err = bcrypt.CompareHashAndPassword(hash, []byte(password))
	m.done()
	switch {
	case u == nil || err != nil:
		return nil, &engine.Denied{Alias: name, Text: "invalid username or password"}
	case !engine.Admits(u.BoundCIDRs, rq.Client.Address):
		return nil, engine.ErrForbidden
	}
	return &engine.Response{Login: &engine.Login{
		Params: u.Params, Alias: name, DisplayName: name, Metadata: map[string]string{"username": name}, Data: name,
	}}, nil
}

// Renew implements engine.Method: the user must be there, with the same policies.
func (m *method) Renew(_ context.Context, rq *engine.Request, rec *token.Record) (engine.Terms, error) {
	u, err := load(rq, rec.Login.Data)
	switch {
	case err != nil:
		return engine.Terms{}, err
	case u == nil:
		return engine.Terms{}, engine.Invalid("user %q does not exist any more, not renewing", rec.Login.Data)
	case !engine.SamePolicies(u.Policies, rec.Policies):
		return engine.Terms{}, engine.Invalid("policies have changed, not renewing")
	}
	return u.Terms(), nil
}
