package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

// makeWait bounds what an engine makes outside. With that, and all that comes before the commit, an edge is through with an
// intent before lease.IntentLife is over.
const makeWait = 20 * time.Second

// abandonWait bounds saying that an intent has come to nothing.
const abandonWait = 10 * time.Second

// lend makes what an engine wants to hand out, and the lease of it, in the order that engine/DESIGN.md explains: intent,
// thing, lease.
func (rq *request) lend(rs *engine.Response) (*response, error) {
	if rq.caller.Type == token.Batch {
		return nil, errBatchLease
	}
	s := rs.Secret
	d, err := rq.draft(s)
	if err != nil {
		return nil, err
	}
	out := &response{
		status: rs.Status, mount: rq.site.mount.Type, lease: leaseInfo{id: d.ID, renewable: d.Renewable, ttl: d.TTL},
	}
	if rs.Data != nil {
		out.data = rs.Data
	}
	if s.Make == nil {
		out = rq.fixed(out)
		if _, err := rq.propose(&fsm.IssueLease{Step: *rq.transaction(), Draft: d}); err != nil {
			return nil, err
		}
		return out, nil
	}
	until, err := rq.intend(&fsm.BeginLease{Step: *rq.transaction(), Draft: d})
	if err != nil {
		return nil, err
	}
	if err := rq.bounded(func(ctx context.Context) error { return s.Make(ctx, until) }); err != nil {
		rq.abandon(d.ID)
		return nil, rq.made(err)
	}
	out = rq.fixed(out)
	if _, err := rq.propose(&fsm.CommitLease{Caller: rq.asker(), ID: d.ID}); err != nil {
		if unknown := new(fsm.Error); rq.keyed == nil || !errors.As(err, &unknown) || unknown.Code != fsm.OutcomeUnknown {
			rq.abandon(d.ID) // else who asks again under the key may still hear of it
		}
		return nil, err
	}
	return out, nil
}

// bounded calls what an engine does outside.
func (rq *request) bounded(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(rq.ctx, makeWait)
	defer cancel()
	return f(ctx)
}

// made is the answer to a request that failed outside: it is final, and evaluating it again would only do it again.
func (rq *request) made(err error) error {
	rq.fresh = true
	return engineFailure(err)
}

// draft says what shall be leased.
func (rq *request) draft(s *engine.Secret) (d fsm.LeaseDraft, err error) {
	at := &rq.site.call.Mount
	d = fsm.LeaseDraft{MaxTTL: shortest(at.MaxTTL, s.MaxTTL), Renewable: !s.NotRenewable, Resource: s.Resource}
	d.TTL = min(either(s.TTL, at.DefaultTTL), d.MaxTTL)
	if want := either(s.TTL, at.DefaultTTL); want > d.TTL {
		rq.warn("TTL of %q exceeded the effective max_ttl of %q; TTL value is capped accordingly", want, d.TTL)
	}
	m := minter{r: rq.api.cfg.Rand}
	name := m.accessor()
	if m.err != nil {
		return d, m.err
	}
	d.ID = rq.path + "/" + string(name)
	if s.Internal == nil {
		return d, nil
	}
	plain, err := json.Marshal(s.Internal)
	switch {
	case err != nil:
		return d, fmt.Errorf("encoding what is known of a lease: %w", err)
	case len(plain) > engine.MaxInternal:
		return d, invalid("what is known of a lease has at most %d bytes, this has %d", engine.MaxInternal, len(plain))
	case rq.api.cfg.Engines.Sealer == nil:
		return d, errNoSealer
	}
	d.Data, err = rq.api.cfg.Engines.Sealer.Seal(plain, engine.LeaseContext(d.ID))
	return d, err
}

// errNoSealer refuses what would have to be kept in clear.
var errNoSealer = fail(http.StatusServiceUnavailable, "this node has no key yet to seal what must be kept of a lease: try again later")

// intend replicates an intent, and returns when its lease will end.
func (rq *request) intend(c *fsm.BeginLease) (time.Time, error) {
	r, err := rq.first(c)
	return r.At.Add(c.Draft.TTL).Time(), err
}

// first replicates the first of two commands. It charges nothing, and what it says is not the request's answer: that is
// the second's to do.
func (rq *request) first(c fsm.Command) (fsm.Result, error) {
	c, err := rq.carried(c)
	if err != nil {
		return fsm.Result{}, err
	}
	r, err := rq.api.store.Propose(rq.ctx, c)
	switch {
	case err != nil:
		return r, err
	case r.Stale:
		return r, errStale
	}
	return r, r.Err()
}

// abandon says that nobody will be told of a lease. If that cannot be said, its deadline does.
func (rq *request) abandon(id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(rq.ctx), abandonWait)
	defer cancel()
	if _, err := rq.api.store.Propose(ctx, &fsm.AbandonLease{ID: id}); err != nil {
		rq.api.log.Warn("a lease that nobody was told of is revoked later", "lease", id, "error", err)
	}
}

// runThen makes what a handler has written happen, and runs what it wants to do next, as a transaction of its own. It is
// the second that is the request's command: charged, and remembered under its key.
func (rq *request) runThen(ctx context.Context, then engine.Handler) (*response, error) {
	r, err := rq.first(&fsm.Prepare{Step: *rq.transaction()})
	if err != nil {
		return nil, err
	}
	if err := rq.api.store.WaitIndex(rq.ctx, r.Index); err != nil {
		return nil, unavailable(err)
	}
	s := rq.site
	rq.api.store.View(func(m *fsm.Machine) { s.storage, s.epoch = m.Storage(s.mount.UUID), m.Epoch() })
	s.call = nil
	rs, err := then(ctx, rq.engineRequest())
	switch {
	case err != nil:
		return nil, rq.made(err)
	case rs == nil:
		rs = &engine.Response{}
	}
	rq.warnings = append(rq.warnings, rs.Warnings...)
	out, err := rq.engineResponse(rs)
	if err != nil {
		return nil, rq.made(err)
	}
	out = rq.fixed(out)
	if _, err := rq.propose(rq.transaction()); errors.Is(err, errStale) && rq.keyed == nil {
		return nil, fail(http.StatusServiceUnavailable, "what this engine keeps was changed by somebody else at the same time: look at it, and try again")
	} else if err != nil {
		return nil, err
	}
	return out, nil
}
