package approle

import (
	"context"

	"github.com/tokengrove/grove/engine"
)

// bySecret finds the secret ID that was sent: nil if the role has none like it.
func bySecret(rq *engine.Request) (r *role, sum string, s *secret, err error) {
	id := rq.Text("secret_id")
	switch {
	case id == "":
		return nil, "", nil, engine.Invalid("missing secret_id")
	case len(id) > maxSecret:
		return nil, "", nil, engine.Invalid("a secret_id has at most %d bytes, this one has %d", maxSecret, len(id))
	}
	if r, err = named(rq); err != nil {
		return nil, "", nil, err
	}
	sum = r.sum(id)
	s, err = r.secretAt(rq, sum)
	return r, sum, s, err
}

// byAccessor finds the secret ID with the accessor that was sent.
func byAccessor(rq *engine.Request) (r *role, sum string, s *secret, err error) {
	accessor := rq.Text("secret_id_accessor")
	if accessor == "" {
		return nil, "", nil, engine.Invalid("missing secret_id_accessor")
	}
	if r, err = named(rq); err != nil {
		return nil, "", nil, err
	}
	b, ok := rq.Storage.Find(r.accessorKey(accessor))
	if ok {
		sum = string(b)
		s, err = r.secretAt(rq, sum)
	}
	if err == nil && s == nil {
		err = engine.Missing("failed to find accessor entry for secret_id_accessor: %q", accessor)
	}
	return r, sum, s, err
}

func lookupSecret(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	_, _, s, err := bySecret(rq)
	if err != nil || s == nil {
		return nil, err
	}
	return s.show(), nil
}

func lookupAccessor(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	_, _, s, err := byAccessor(rq)
	if err != nil {
		return nil, err
	}
	return s.show(), nil
}

func destroySecret(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, sum, s, err := bySecret(rq)
	if err != nil || s == nil {
		return nil, err
	}
	r.drop(rq.Storage, sum, s)
	return nil, nil
}

func destroyAccessor(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	r, sum, s, err := byAccessor(rq)
	if err != nil {
		return nil, err
	}
	r.drop(rq.Storage, sum, s)
	return nil, nil
}
