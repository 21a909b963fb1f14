package approle

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm/lockout"
)

// role is what is stored of one.
type role struct {
	engine.Params
	Old         engine.Old    `json:"old,omitzero"`
	ID          string        `json:"role_id"`
	Key         []byte        `json:"hmac_key"` // of the HMACs of its secret IDs
	Unbound     bool          `json:"unbound,omitempty"`
	SecretUses  uint32        `json:"secret_id_num_uses,omitempty"`
	SecretTTL   time.Duration `json:"secret_id_ttl,omitempty"`
	SecretCIDRs []string      `json:"secret_id_bound_cidrs,omitempty"`
	Local       bool          `json:"local_secret_ids,omitempty"`
	name        string
}

func nameOf(rq *engine.Request) string { return strings.ToLower(rq.Text("role_name")) }

// roleIDKey is where the name of the role with a role ID is. Role IDs are chosen freely, keys are not.
func roleIDKey(id string) string {
	h := sha256.Sum256([]byte(id))
	return "role_id/" + hex.EncodeToString(h[:])
}

// load reads a role; nil if there is none.
func load(tx *engine.Tx, name string) (*role, error) {
	r := &role{name: name}
	ok, err := tx.Load("role/"+name, r)
	if err != nil || !ok {
		return nil, err
	}
	return r, nil
}

// named loads the role that a path needs.
func named(rq *engine.Request) (*role, error) {
	r, err := load(rq.Storage, nameOf(rq))
	if err == nil && r == nil {
		err = engine.Missing("role %q does not exist", nameOf(rq))
	}
	return r, err
}

func (r *role) save(rq *engine.Request) error { return rq.Storage.Save("role/"+r.name, r) }

func exists(rq *engine.Request) bool {
	_, ok := rq.Storage.Find("role/" + nameOf(rq))
	return ok
}

func listRoles(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	return &engine.Response{Keys: rq.Storage.List("role/")}, nil
}

func readRole(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := load(rq.Storage, nameOf(rq))
	if err == nil && r == nil {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &engine.Response{Data: r.show()}, nil
}

func (r *role) show() map[string]any {
	data := map[string]any{
		"bind_secret_id": !r.Unbound, "local_secret_ids": r.Local, "secret_id_bound_cidrs": r.SecretCIDRs,
		"secret_id_num_uses": r.SecretUses, "secret_id_ttl": engine.Whole(r.SecretTTL),
	}
	r.Show(data)
	r.Old.Show(data)
	return data
}

// deleteRole deletes a role with all its secret IDs.
func deleteRole(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := load(rq.Storage, nameOf(rq))
	if err != nil || r == nil {
		return nil, err
	}
	rq.Storage.DeletePrefix("secret_id/" + r.name + "/")
	rq.Storage.DeletePrefix("accessor/" + r.name + "/")
	rq.Storage.Delete(roleIDKey(r.ID))
	rq.Storage.Delete("role/" + r.name)
	return nil, nil
}

// writeRole makes or changes a role.
func writeRole(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := load(rq.Storage, nameOf(rq))
	if err != nil {
		return nil, err
	}
	id := ""
	switch {
	case r == nil:
		if r, id, err = newRole(rq); err != nil {
			return nil, err
		}
	case rq.Has("local_secret_ids") && rq.Boolean("local_secret_ids") != r.Local:
		return nil, engine.Invalid("local_secret_ids can only be modified during role creation")
	default:
		id = r.ID
	}
	if rq.Has("role_id") {
		if id = strings.TrimSpace(rq.Text("role_id")); id == "" {
			return nil, engine.Invalid("invalid role_id supplied, or failed to generate a role_id")
		}
	}
	if err := r.identify(rq, id); err != nil {
		return nil, err
	}
	if err := r.take(rq.Values, rq.Mount.MaxTTL); err != nil {
		return nil, err
	}
	rs := &engine.Response{}
	if r.MaxTTL > rq.Mount.MaxTTL {
		rs.Warnings = []string{"token_max_ttl is greater than the backend mount's maximum TTL value; issued tokens' max TTL value will be truncated"}
	}
	return rs, r.save(rq)
}

// newRole makes a role and a role ID for it.
func newRole(rq *engine.Request) (*role, string, error) {
	r := &role{name: nameOf(rq), Key: make([]byte, 32), Local: rq.Boolean("local_secret_ids")}
	if _, err := io.ReadFull(rq.Rand, r.Key); err != nil {
		return nil, "", fmt.Errorf("random bytes: %w", err)
	}
	id, err := uuid(rq.Rand)
	return r, id, err
}

// identify gives a role its role ID, which no other role may have.
func (r *role) identify(rq *engine.Request, id string) error {
	if id == r.ID {
		return nil
	}
	if len(id) > lockout.MaxAlias {
		return engine.Invalid("a role_id has at most %d bytes, this one has %d", lockout.MaxAlias, len(id))
	}
	if _, taken := rq.Storage.Find(roleIDKey(id)); taken {
		return engine.Invalid("role_id already in use")
	}
	if r.ID != "" {
		rq.Storage.Delete(roleIDKey(r.ID))
	}
	r.ID = id
	rq.Storage.Put(roleIDKey(id), []byte(r.name))
	return nil
}

// take changes what was sent. longest is the mount's longest TTL.
func (r *role) take(v engine.Values, longest time.Duration) error {
	if err := r.Take(v); err != nil {
		return err
	}
	if err := r.Old.Take(v, &r.Params); err != nil {
		return err
	}
	if r.Period > longest {
		return engine.Invalid("period of %q is greater than the backend's maximum lease TTL of %q", r.Period, longest)
	}
	if v.Has("bind_secret_id") {
		r.Unbound = !v.Boolean("bind_secret_id")
	}
	if err := r.takeSecrets(v); err != nil {
		return err
	}
	if r.Unbound && len(r.SecretCIDRs) == 0 && len(r.BoundCIDRs) == 0 {
		return engine.Invalid("at least one constraint should be enabled on the role: bind_secret_id, secret_id_bound_cidrs or token_bound_cidrs")
	}
	return nil
}

// takeSecrets takes what a role says of its secret IDs.
func (r *role) takeSecrets(v engine.Values) error {
	for _, name := range []string{"bound_cidr_list", "secret_id_bound_cidrs"} {
		if v.Has(name) {
			cidrs, err := cidrList(v.Strings(name))
			if err != nil {
				return err
			}
			r.SecretCIDRs = cidrs
		}
	}
	if v.Has("secret_id_num_uses") {
		n, err := uses("secret_id_num_uses", v.Integer("secret_id_num_uses"))
		if err != nil {
			return err
		}
		r.SecretUses = n
	}
	engine.Set(v, "secret_id_ttl", &r.SecretTTL)
	return nil
}

// cidrList checks prefixes and keeps them as they were spelled; none are nil.
func cidrList(in []string) ([]string, error) {
	var out []string
	for _, c := range in {
		out = append(out, strings.ToLower(strings.TrimSpace(c)))
	}
	if _, err := engine.ParseCIDRs(out); err != nil {
		return nil, engine.Invalid("failed to validate CIDR blocks: %v", err)
	}
	return out, nil
}

// uses checks how often something may be used.
func uses(name string, n int64) (uint32, error) {
	const most = 1<<31 - 1
	switch {
	case n < 0:
		return 0, engine.Invalid("%s cannot be negative", name)
	case n > most:
		return 0, engine.Invalid("field %s: at most %d uses can be counted", name, most)
	}
	return uint32(n), nil
}
