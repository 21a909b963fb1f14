package approle

import (
	"context"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
)

// subPath is a part of a role that can be read, written and reset by itself. The first field is the one
// that a reset sets to what a new role has.
type subPath struct {
	name   string
	fields []string
	reset  any // nil: it can not be
}

var subPaths = []subPath{
	{"role-id", []string{"role_id"}, nil},
	{"local-secret-ids", []string{"local_secret_ids"}, nil},
	{"bind-secret-id", []string{"bind_secret_id"}, true},
	{"secret-id-bound-cidrs", []string{"secret_id_bound_cidrs"}, []string{}},
	{"bound-cidr-list", []string{"bound_cidr_list"}, []string{}},
	{"secret-id-num-uses", []string{"secret_id_num_uses"}, int64(0)},
	{"secret-id-ttl", []string{"secret_id_ttl"}, time.Duration(0)},
	{"policies", []string{"token_policies", "policies"}, []string{}},
	{"period", []string{"token_period", "period"}, time.Duration(0)},
	{"token-num-uses", []string{"token_num_uses"}, int64(0)},
	{"token-ttl", []string{"token_ttl"}, time.Duration(0)},
	{"token-max-ttl", []string{"token_max_ttl"}, time.Duration(0)},
	{"token-bound-cidrs", []string{"token_bound_cidrs"}, []string{}},
}

func (s subPath) ops() ops {
	out := ops{engine.Read: s.read}
	if s.name != "local-secret-ids" {
		out[engine.Write] = s.write
	}
	if s.reset != nil {
		out[engine.Delete] = s.delete
	}
	return out
}

func (s subPath) read(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := load(rq.Storage, nameOf(rq))
	if err == nil && r == nil {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	all, data := r.show(), map[string]any{}
	all["role_id"], all["bound_cidr_list"] = r.ID, r.SecretCIDRs
	for _, name := range s.fields {
		if v, ok := all[name]; ok {
			data[name] = v
		}
	}
	return &engine.Response{Data: data}, nil
}

func (s subPath) write(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := named(rq)
	if err != nil {
		return nil, err
	}
	sent := false
	for _, name := range s.fields {
		sent = sent || rq.Has(name)
	}
	if !sent {
		return nil, engine.Invalid("missing %s", s.fields[len(s.fields)-1])
	}
	if rq.Has("role_id") {
		id := strings.TrimSpace(rq.Text("role_id"))
		if id == "" {
			return nil, engine.Invalid("missing role_id")
		}
		if err := r.identify(rq, id); err != nil {
			return nil, err
		}
	}
	if err := r.take(rq.Values, rq.Mount.MaxTTL); err != nil {
		return nil, err
	}
	return nil, r.save(rq)
}

// delete resets the part. Of a role that is not there, it is reset already.
func (s subPath) delete(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := load(rq.Storage, nameOf(rq))
	if err != nil || r == nil {
		return nil, err
	}
	if err := r.take(engine.Values{s.fields[0]: s.reset}, rq.Mount.MaxTTL); err != nil {
		return nil, err
	}
	return nil, r.save(rq)
}
