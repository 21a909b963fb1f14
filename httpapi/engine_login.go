package httpapi

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

var errTooManyLogins = fail(http.StatusTooManyRequests, "too many logins from this address: try again later")

// serveLogin runs a path that needs no token. As with all writes, what the edge refuses
// counts after a barrier only; but if nothing that the method has seen was changed meanwhile, it need not
// check the credentials again.
func (a *api) serveLogin(rq *request) (*response, error) {
	if err := a.admission.enter(rq.ctx, rq.http.RemoteAddr); err != nil {
		return nil, err
	}
	defer a.admission.leave()
	rs, err := a.evaluateLogin(rq)
	return a.conclude(rq, rs, err)
}

func (a *api) evaluateLogin(rq *request) (*response, error) {
	rq.id, rq.caller = "", token.Record{} // whoever logs in may send an old token along
	for range attempts {
		rs, err := a.attemptLogin(rq)
		doubtful := err != nil && !rq.fresh && !rq.answered && failureOf(err).status < http.StatusInternalServerError
		if !errors.Is(err, errStale) && !doubtful {
			return rs, rq.countFailure(err)
		}
		if e := a.barrier(rq); e != nil {
			return nil, e
		}
		if doubtful && rq.ground() {
			if d := new(engine.Denied); errors.As(err, &d) && d.Alias != "" && rq.lockedOut(d.Alias) {
				return nil, errDenied // whoever is locked out does not learn that the guess was wrong
			}
			return nil, rq.countFailure(err)
		}
		rq.warnings = nil
	}
	return nil, fail(http.StatusServiceUnavailable, "what this login relies on changes faster than it can be worked out")
}

func (a *api) attemptLogin(rq *request) (*response, error) {
	rt := a.locate(rq)
	if rt == nil || !rt.login {
		return nil, errNoToken
	}
	if !rq.counted && !a.logins.take(rq.site.mount.Path, rq.http.RemoteAddr, a.now()) {
		return nil, errTooManyLogins
	}
	rq.counted = true
	op, err := rt.operation(rq)
	if err != nil {
		return nil, err
	}
	if rq.wrap > 0 {
		return nil, errNoWrapping
	}
	rq.trace.table = a.auditTable()
	if err := a.recordRequest(rq, nil); err != nil {
		return nil, err
	}
	return op.run(rq)
}

// countFailure counts refused credentials before the refusal is told: whoever guesses learns
// nothing that was not counted.
func (rq *request) countFailure(err error) error {
	var d *engine.Denied
	if !errors.As(err, &d) {
		return err
	}
	if d.Alias != "" {
		mt := &rq.site.mount
		if _, e := rq.propose(&fsm.NoteFailure{Mount: mt.Path, UUID: mt.UUID, Alias: d.Alias}); e != nil {
			return e
		}
	}
	return err
}

// finishLogin makes the token that a method has decided on.
func (rq *request) finishLogin(l *engine.Login) (*response, error) {
	rec, err := rq.tokenOf(l)
	if err != nil {
		return nil, err
	}
	if rec.Type == token.Batch {
		return rq.finishBatchLogin(l, &rec)
	}
	m := minter{r: rq.api.cfg.Rand}
	id := m.id()
	rec.Accessor = m.accessor()
	if rec.Hash = rq.hash(id); m.err != nil {
		return nil, m.err
	}
	c := rq.transaction()
	c.Caller.Token = token.Hash{}
	c.Login = &fsm.Login{Token: rec, Alias: l.Alias}
	r, err := rq.proposeLogin(c)
	if err != nil {
		return nil, err
	}
	return &response{auth: authOf(id, r.Token, r.Token.TTL)}, nil
}

// proposeLogin proposes a login. That a user is locked out is told as any denial.
func (rq *request) proposeLogin(c fsm.Command) (fsm.Result, error) {
	r, err := rq.propose(c)
	var e *fsm.Error
	if errors.As(err, &e) && e.Code == fsm.Forbidden {
		err = errDenied
	}
	return r, err
}

// tokenOf is the record of a login's token, without an ID.
func (rq *request) tokenOf(l *engine.Login) (rec token.Record, err error) {
	mt := &rq.site.mount
	rec = token.Record{
		Type: token.Service, Path: rq.path, Meta: l.Metadata, BoundCIDRs: l.BoundCIDRs, NumUses: l.NumUses, Period: l.Period,
		ExplicitMax: l.ExplicitMax, Renewable: !l.NotRenewable, Policies: sanitize(l.Policies, !l.NoDefault), DisplayName: displayName(mt.Path, l.DisplayName),
		Login: token.Login{Mount: mt.UUID, Entity: rq.entity(mt.Accessor, l.Alias), Data: l.Data},
	}
	if tokenType(mt.TokenType, l.Type) == "batch" {
		rec.Type = token.Batch
	}
	switch {
	case slices.Contains(rec.Policies, policy.Root):
		return rec, invalid("auth methods cannot create root tokens")
	case len(rec.Policies) > maxPolicyNames:
		return rec, invalid("at most %d policies are allowed for one token", maxPolicyNames)
	case rec.Type == token.Batch && rec.Limited():
		return rec, invalid(`batch tokens cannot have "num_uses" set: set token_num_uses of the role or user to 0, or token_type of the mount to service`)
	}
	at := &rq.site.call.Mount
	g, ok := fsm.Terms{TTL: l.TTL, Period: l.Period, ExplicitMax: l.ExplicitMax, Default: at.DefaultTTL, Max: shortest(at.MaxTTL, l.MaxTTL)}.Grant(rq.now)
	if !ok {
		return rec, invalid("the TTLs of this login leave no time to live")
	}
	rq.warnCapped(g.Asked, g.Max, g.PeriodCapped)
	rec.TTL = g.TTL
	return rec, nil
}

// tokenType is what mount and role agree on: "service" or "batch". A mount that names a type decides; one
// that has a default leaves it to the role.
func tokenType(mount, role string) string {
	switch mount {
	case "service", "batch":
		return mount
	}
	switch role {
	case "service", "default-service":
		return "service"
	case "batch", "default-batch":
		return "batch"
	}
	if mount == "default-batch" {
		return "batch"
	}
	return "service"
}

// displayName is the mount's path with dashes, and what the method calls the user.
func displayName(path, name string) string {
	return strings.TrimSuffix(strings.ReplaceAll(strings.TrimPrefix(path, "auth/"), "/", "-")+name, "-")
}

// entity names who logs in. Nothing is stored of it: it follows from mount and alias.
func (rq *request) entity(accessor, alias string) string {
	m := hmac.New(sha256.New, rq.identity.Salt[:])
	m.Write([]byte("entity\x00" + accessor + "\x00" + alias))
	return formatUUID([16]byte(m.Sum(nil)))
}

// boundTTLs applies the system's bounds to those of a mount.
func boundTTLs(mt *mount.Mount, systemDefault, systemMax time.Duration) (defaultTTL, maxTTL time.Duration) {
	defaultTTL, maxTTL = either(mt.DefaultTTL, systemDefault), either(mt.MaxTTL, systemMax)
	return min(defaultTTL, maxTTL), maxTTL
}

// renewLogin renews a token by the terms that its login method has for it now.
func (rq *request) renewLogin(id token.ID, rec *token.Record) (*response, error) {
	s := &site{}
	found := false
	rq.api.store.View(func(m *fsm.Machine) {
		s.mount, found = m.MountOf(rec.Path)
		s.storage, s.epoch = m.Storage(s.mount.UUID), min(rq.epoch, m.Epoch())
	})
	s.kind = rq.api.engines.of(&s.mount)
	if !found || s.mount.UUID != rec.Login.Mount || s.kind == nil || s.kind.method == nil {
		return nil, invalid("the mount that issued this token is not there any more")
	}
	path, fields := rq.path, rq.values
	rq.site, rq.path, rq.values = s, rec.Path, values{}
	defer func() { rq.path, rq.values = path, fields }()
	ctx, cancel := context.WithTimeout(rq.ctx, engineWait)
	defer cancel()
	call := rq.engineRequest()
	terms, err := s.kind.method.Renew(ctx, call, rec)
	if err != nil {
		return nil, engineFailure(err)
	}
	c := rq.transaction()
	c.Renew = &fsm.Renewal{
		Target: fsm.Target{Token: rec.Hash}, Increment: fields.seconds("increment"), TTL: terms.TTL, Period: terms.Period, ExplicitMax: terms.ExplicitMax,
		DefaultTTL: call.Mount.DefaultTTL, MaxTTL: shortest(call.Mount.MaxTTL, terms.MaxTTL),
	}
	if rq.keyed != nil {
		rq.keyed.memo.ID, rq.keyed.memo.Period = id, terms.Period
	}
	r, err := rq.propose(c)
	return rq.showRenewal(id, terms.Period, &r, err)
}
