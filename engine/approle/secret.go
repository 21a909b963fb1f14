package approle

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm/token"
)

// secret is what is stored of a secret ID.
type secret struct {
	Accessor   string            `json:"accessor"`
	Uses       uint32            `json:"num_uses,omitempty"` // left; 0: as often as one likes
	TTL        time.Duration     `json:"ttl,omitempty"`
	Created    token.Instant     `json:"created"`
	Updated    token.Instant     `json:"updated"`
	Deadline   token.Instant     `json:"deadline,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	CIDRs      []string          `json:"cidr_list,omitempty"`
	TokenCIDRs []string          `json:"token_bound_cidrs,omitempty"`
}

func (s *secret) expired(now token.Instant) bool { return s.Deadline != 0 && s.Deadline <= now }

// maxSecret bounds the bytes of a secret ID, as the reference does.
const maxSecret = 4096

// sum is what is kept of a secret ID.
func (r *role) sum(id string) string {
	m := hmac.New(sha256.New, r.Key)
	m.Write([]byte(strings.TrimSpace(id)))
	return hex.EncodeToString(m.Sum(nil))
}

func (r *role) secretKey(sum string) string        { return "secret_id/" + r.name + "/" + sum }
func (r *role) accessorKey(accessor string) string { return "accessor/" + r.name + "/" + accessor }

// secretAt loads the secret ID with some HMAC; nil: there is none, or its time has passed.
func (r *role) secretAt(rq *engine.Request, sum string) (*secret, error) {
	s := new(secret)
	ok, err := rq.Storage.Load(r.secretKey(sum), s)
	if err != nil || !ok || s.expired(rq.Now) {
		return nil, err
	}
	return s, nil
}

// drop deletes a secret ID.
func (r *role) drop(tx *engine.Tx, sum string, s *secret) {
	tx.Delete(r.accessorKey(s.Accessor))
	tx.Delete(r.secretKey(sum))
}

func listSecrets(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, err := named(rq)
	if err != nil {
		return nil, err
	}
	return &engine.Response{Keys: rq.Storage.List("accessor/" + r.name + "/")}, nil
}

// mintSecret makes a random secret ID.
func mintSecret(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	id, err := uuid(rq.Rand)
	if err != nil {
		return nil, err
	}
	return register(rq, id)
}

// takeSecret takes a secret ID of the client's choice.
func takeSecret(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	id := rq.Text("secret_id")
	switch {
	case strings.TrimSpace(id) == "":
		return nil, engine.Invalid("missing secret_id")
	case len(id) > maxSecret:
		return nil, engine.Invalid("a secret_id has at most %d bytes, this one has %d", maxSecret, len(id))
	}
	return register(rq, id)
}

// register keeps a secret ID, and answers with it.
func register(rq *engine.Request, id string) (*engine.Response, error) {
	r, err := named(rq)
	if err != nil {
		return nil, err
	}
	if r.Unbound {
		return nil, engine.Invalid("bind_secret_id is not set on the role")
	}
	s, err := r.newSecret(rq)
	if err != nil {
		return nil, err
	}
	sum := r.sum(id)
	var old secret
	switch ok, err := rq.Storage.Load(r.secretKey(sum), &old); {
	case err != nil:
		return nil, err
	case ok && !old.expired(rq.Now):
		return nil, engine.Invalid("failed to store secret_id: SecretID is already registered")
	case ok:
		r.drop(rq.Storage, sum, &old)
	}
	if err := r.sweep(rq); err != nil {
		return nil, err
	}
	rq.Storage.Put(r.accessorKey(s.Accessor), []byte(sum))
	return &engine.Response{Data: map[string]any{
		"secret_id": id, "secret_id_accessor": s.Accessor, "secret_id_num_uses": s.Uses, "secret_id_ttl": engine.Whole(s.TTL),
	}}, rq.Storage.Save(r.secretKey(sum), s)
}

// newSecret is a secret ID as the request wants it, within what the role allows.
func (r *role) newSecret(rq *engine.Request) (*secret, error) {
	s := &secret{Uses: r.SecretUses, TTL: r.SecretTTL, Created: rq.Now, Updated: rq.Now}
	var err error
	if rq.Has("num_uses") {
		if s.Uses, err = uses("num_uses", rq.Integer("num_uses")); err != nil {
			return nil, err
		}
		if r.SecretUses > 0 && (s.Uses == 0 || s.Uses > r.SecretUses) {
			return nil, engine.Invalid("num_uses cannot be higher than the role's secret_id_num_uses")
		}
	}
	if rq.Has("ttl") {
		s.TTL = rq.Seconds("ttl")
		if r.SecretTTL > 0 && (s.TTL == 0 || s.TTL > r.SecretTTL) {
			return nil, engine.Invalid("ttl cannot be longer than the role's secret_id_ttl")
		}
	}
	if s.TTL = min(s.TTL, rq.Mount.MaxTTL); s.TTL > 0 {
		s.Deadline = rq.Now.Add(s.TTL)
	}
	if s.CIDRs, err = within(rq.Strings("cidr_list"), r.SecretCIDRs); err != nil {
		return nil, err
	}
	if s.TokenCIDRs, err = within(rq.Strings("token_bound_cidrs"), r.BoundCIDRs); err != nil {
		return nil, err
	}
	if s.Metadata, err = metadata(rq.Text("metadata")); err != nil {
		return nil, engine.Invalid("failed to parse metadata: failed to parse the input: %v", err)
	}
	s.Accessor, err = uuid(rq.Rand)
	return s, err
}

// within reads the prefixes of a secret ID, which must lie inside those of its role.
func within(in, outer []string) ([]string, error) {
	cidrs, err := cidrList(in)
	if err != nil {
		return nil, err
	}
	slices.Sort(cidrs)
	cidrs = slices.Compact(cidrs)
	if !engine.Inside(cidrs, outer) {
		return nil, notInside(cidrs, outer)
	}
	return cidrs, nil
}

func notInside(inner, outer []string) error {
	return engine.Invalid("failed to verify subset relationship between CIDR blocks on the role %q and CIDR blocks on the secret ID %q", outer, inner)
}

// show is what a lookup answers.
func (s *secret) show() *engine.Response {
	never := time.Time{}.Format(time.RFC3339Nano)
	ends := never
	if s.Deadline != 0 {
		ends = s.Deadline.Time().Format(time.RFC3339Nano)
	}
	meta := s.Metadata
	if meta == nil {
		meta = map[string]string{}
	}
	return &engine.Response{Data: map[string]any{
		"secret_id_accessor": s.Accessor, "secret_id_num_uses": s.Uses, "secret_id_ttl": engine.Whole(s.TTL), "metadata": meta,
		"creation_time": s.Created.Time().Format(time.RFC3339Nano), "last_updated_time": s.Updated.Time().Format(time.RFC3339Nano), "expiration_time": ends,
		"cidr_list": append([]string{}, s.CIDRs...), "token_bound_cidrs": append([]string{}, s.TokenCIDRs...),
	}}
}
