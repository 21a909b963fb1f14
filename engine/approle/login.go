package approle

import (
	"context"
	"maps"
	"net"
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm/lockout"
	"github.com/tokengrove/grove/fsm/token"
)

const wrong = "invalid role or secret ID"

// nobody is the role of a role ID that nobody has: its secret ID is looked for as that of every other.
var nobody = &role{name: "-", Key: make([]byte, 32)}

// login checks a role ID and a secret ID, and takes one use of the latter. A role ID that nobody has is
// answered, and counted, as a wrong secret ID.
func login(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	id := strings.TrimSpace(rq.Text("role_id"))
	switch {
	case id == "":
		return nil, engine.Invalid("missing role_id")
	case len(id) > lockout.MaxAlias, len(rq.Text("secret_id")) > maxSecret:
		return nil, &engine.Denied{Text: wrong} // there is none so long
	case rq.Locked(id):
		return nil, engine.ErrForbidden
	}
	r, err := byRoleID(rq, id)
	if err != nil {
		return nil, err
	}
	s := new(secret)
	if !r.Unbound {
		if s, err = proof(rq, r, id); err != nil {
			return nil, err
		}
	}
	if !engine.Admits(r.SecretCIDRs, rq.Client.Address) {
		return nil, elsewhere(rq, "role")
	}
	params := r.Params
	if len(s.TokenCIDRs) > 0 {
		if params.BoundCIDRs, err = engine.ParseCIDRs(s.TokenCIDRs); err != nil {
			return nil, err
		}
	}
	meta := maps.Clone(s.Metadata)
	if meta == nil {
		meta = map[string]string{}
	}
	meta["role_name"] = r.name
	return &engine.Response{Login: &engine.Login{Params: params, Alias: r.ID, Metadata: meta, Data: r.name}}, nil
}

// byRoleID loads the role with a role ID, or nobody.
func byRoleID(rq *engine.Request, id string) (*role, error) {
	name, ok := rq.Storage.Find(roleIDKey(id))
	if !ok {
		name = []byte(nobody.name)
	}
	r, err := load(rq.Storage, string(name))
	if err == nil && r == nil {
		r = nobody
	}
	return r, err
}

// proof checks the secret ID that was sent, and takes one use of it.
func proof(rq *engine.Request, r *role, id string) (*secret, error) {
	text := strings.TrimSpace(rq.Text("secret_id"))
	if text == "" { // also for nobody
		return nil, engine.Invalid("missing secret_id")
	}
	sum := r.sum(text)
	s, err := r.secretAt(rq, sum)
	switch {
	case err != nil:
		return nil, err
	case s == nil:
		return nil, &engine.Denied{Alias: id, Text: wrong}
	case !engine.Inside(s.CIDRs, r.SecretCIDRs):
		return nil, notInside(s.CIDRs, r.SecretCIDRs)
	case !engine.Admits(s.CIDRs, rq.Client.Address):
		return nil, elsewhere(rq, "secret ID")
	}
	switch s.Uses {
	case 0:
	case 1:
		r.drop(rq.Storage, sum, s)
	default:
		s.Uses--
		s.Updated = rq.Now
		err = rq.Storage.Save(r.secretKey(sum), s)
	}
	return s, err
}

// elsewhere refuses a client for where it is. No use is taken.
func elsewhere(rq *engine.Request, what string) error {
	host, _, err := net.SplitHostPort(rq.Client.Address)
	if err != nil {
		host = rq.Client.Address
	}
	return engine.Invalid("source address %q unauthorized by CIDR restrictions on the %s", host, what)
}

// Renew implements engine.Method: the role must be there, and its TTLs hold.
func (method) Renew(_ context.Context, rq *engine.Request, rec *token.Record) (engine.Terms, error) {
	r, err := load(rq.Storage, rec.Login.Data)
	if err == nil && r == nil {
		err = engine.Invalid("role %q does not exist during renewal", rec.Login.Data)
	}
	if err != nil {
		return engine.Terms{}, err
	}
	return r.Terms(), nil
}
