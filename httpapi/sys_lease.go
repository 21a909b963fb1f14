package httpapi

import (
	"context"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/token"
)

var (
	leaseField        = schema{"lease_id": text}
	renewLeaseFields  = schema{"lease_id": text, "url_lease_id": text, "increment": seconds}
	revokeLeaseFields = schema{"lease_id": text, "url_lease_id": text, "sync": boolean}
	syncField         = schema{"sync": boolean}
)

// leaseID takes the lease from the body or from the path.
func (rq *request) leaseID() (string, error) {
	id := either(rq.text("lease_id"), rq.text("url_lease_id"))
	if id == "" {
		return "", invalid("lease_id must be specified")
	}
	return id, nil
}

// leased finds the token whose lease is id.
func (rq *request) leased(id string) (token.Record, bool) {
	path, h, ok := fsm.ParseLeaseID(id)
	if !ok {
		return token.Record{}, false
	}
	rec, ok := rq.find(fsm.Target{Token: h})
	return rec, ok && rec.Path == path && rec.Deadline != 0
}

// lent finds the lease of something outside.
func (rq *request) lent(id string) (l lease.Lease, ok bool) {
	rq.api.store.View(func(m *fsm.Machine) { l, ok = m.Lease(id, rq.now) })
	return l, ok
}

func lookupLease(rq *request) (*response, error) {
	id, err := rq.leaseID()
	if err != nil {
		return nil, err
	}
	l, ok := rq.lent(id)
	if !ok {
		rec, known := rq.leased(id)
		l.Terms = lease.Terms{Issued: rec.Created, Expires: rec.Deadline, Renewed: rec.Renewed, Renewable: rec.Renewable}
		ok = known
	}
	if !ok {
		return nil, invalid("invalid lease")
	}
	data := map[string]any{
		"id": id, "issue_time": l.Issued.Time(), "expire_time": l.Expires.Time(), "last_renewal": nil,
		"renewable": l.Renewable, "ttl": until(l.Expires, rq.now),
	}
	if l.Renewed != 0 {
		data["last_renewal"] = l.Renewed.Time()
	}
	return &response{data: data, mount: "system"}, nil
}

func listLeases(rq *request) (*response, error) {
	prefix := rq.text("prefix")
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	var names []string
	rq.api.store.View(func(m *fsm.Machine) { names = m.Leases(prefix, rq.now) })
	return keys(names, "system")
}

// renewLease renews the lease of something outside, that first. It refuses, as the reference does, for the
// leases of tokens: whoever may renew leases could otherwise keep any token alive.
func renewLease(rq *request) (*response, error) {
	id, err := rq.leaseID()
	if err != nil {
		return nil, err
	}
	if l, ok := rq.lent(id); ok {
		return rq.prolong(&l)
	}
	rec, ok := rq.leased(id)
	switch {
	case !ok:
		return nil, invalid("lease not found")
	case !rec.Renewable:
		return nil, invalid("lease is not renewable")
	}
	return nil, invalid("tokens cannot be renewed through this endpoint")
}

// prolong asks the engine of a lease for the terms, moves the end of what is outside, and then that of the lease.
func (rq *request) prolong(l *lease.Lease) (*response, error) {
	if !l.Renewable {
		return nil, invalid("lease is not renewable")
	}
	s, err := rq.siteOf(l)
	if err != nil {
		return nil, err
	}
	path, fields := rq.path, rq.values
	rq.site, rq.path, rq.values = s, l.Path(), values{}
	defer func() { rq.site, rq.path, rq.values = nil, path, fields }()
	call := rq.engineRequest()
	seen, err := engine.OpenLease(l, s.mount.Path, rq.api.cfg.Engines.Sealer)
	if err != nil {
		return nil, err
	}
	seen.Increment = fields.seconds("increment")
	var terms *engine.Renewal
	if err := rq.bounded(func(ctx context.Context) (err error) {
		terms, err = s.kind.secrets.Renew(ctx, call, seen)
		return err
	}); err != nil {
		return nil, engineFailure(err)
	}
	expires, maxTTL := rq.prolonged(l, terms, seen.Increment)
	if terms.Make != nil {
		if err := rq.bounded(func(ctx context.Context) error { return terms.Make(ctx, expires.Time()) }); err != nil {
			return nil, rq.made(err)
		}
	}
	c := &fsm.RenewLease{Step: *rq.transaction(), ID: l.ID, Expires: expires, MaxTTL: maxTTL}
	r, err := rq.propose(c)
	rq.values = fields
	return showRenewedLease(rq, &r, err)
}

// prolonged says until when terms let a lease live on. Apply bounds it the same way.
func (rq *request) prolonged(l *lease.Lease, terms *engine.Renewal, increment time.Duration) (expires token.Instant, maxTTL time.Duration) {
	at := &rq.site.call.Mount
	maxTTL = shortest(at.MaxTTL, terms.MaxTTL)
	want := either(increment, either(terms.TTL, at.DefaultTTL))
	expires = min(rq.now.Add(want), l.Issued.Add(shortest(l.MaxTTL, maxTTL)))
	if got := expires.Sub(rq.now); got < want {
		rq.warn("TTL of %q exceeded the effective max_ttl of %q; TTL value is capped accordingly", want, got.Truncate(time.Second))
	}
	return expires, maxTTL
}

// siteOf is the mount of a lease.
func (rq *request) siteOf(l *lease.Lease) (*site, error) {
	s := &site{}
	found := false
	rq.api.store.View(func(m *fsm.Machine) {
		s.mount, found = m.MountOf(l.ID)
		s.storage, s.epoch = m.Storage(s.mount.UUID), min(rq.epoch, m.Epoch())
	})
	s.kind = rq.api.engines.of(&s.mount)
	if !found || s.mount.UUID != l.Mount || s.kind == nil || s.kind.secrets == nil {
		return nil, invalid("lease not found")
	}
	return s, nil
}

// showRenewedLease renders what a renewal gave.
func showRenewedLease(rq *request, r *fsm.Result, err error) (*response, error) {
	if err != nil {
		return nil, err
	}
	id, err := rq.leaseID()
	if err != nil {
		return nil, err
	}
	return &response{lease: leaseInfo{id: id, renewable: true, ttl: r.Granted}, mount: "system"}, nil
}

// revokeLease revokes the token of a lease, whole tree and all, or what was lent. An unknown lease is no error,
// but that a replica does not know it is only believed when it is fresh.
func revokeLease(rq *request) (*response, error) {
	id, err := rq.leaseID()
	if err != nil {
		return nil, err
	}
	if rec, ok := rq.leased(id); ok {
		_, err = rq.propose(&fsm.RevokeToken{Caller: rq.asker(), Target: fsm.Target{Token: rec.Hash}})
		return nil, err
	}
	_, alive := rq.lent(id)
	_, queued := rq.revocation(id)
	switch {
	case alive || queued:
		if _, err = rq.propose(&fsm.RevokeLease{Caller: rq.asker(), ID: id}); err != nil {
			return nil, err
		}
		return nil, rq.awaitRevoked(id, id)
	case !rq.fresh:
		return nil, errStale
	}
	return nil, nil
}

// revokePrefix is break glass: every token that was issued at the prefix or below it, and every lease, at once.
// In the reference the first root token has no lease and survives; here a prefix that names it
// is refused, because nothing could make another.
func revokePrefix(rq *request) (*response, error) {
	prefix, err := rq.revokable()
	if err != nil {
		return nil, err
	}
	if _, err = rq.propose(&fsm.RevokePrefix{Caller: rq.asker(), Prefix: prefix}); err != nil {
		return nil, err
	}
	return nil, rq.awaitRevoked(prefix, prefix+"/")
}

// revokeForce is revokePrefix, and forgets what cannot be taken back.
func revokeForce(rq *request) (*response, error) {
	prefix, err := rq.revokable()
	if err != nil {
		return nil, err
	}
	_, err = rq.propose(&fsm.RevokeForce{Caller: rq.asker(), Prefix: prefix})
	return nil, err
}

// revokable is the prefix that the request names, unless it is one that must not be revoked.
func (rq *request) revokable() (string, error) {
	prefix := strings.TrimRight(rq.text("prefix"), "/")
	if strings.HasPrefix(rootPath+"/", prefix+"/") {
		return "", invalid("prefix %q names the first root token, too: name what is to be revoked, such as auth/token/create", prefix)
	}
	return prefix, nil
}

// countLeases counts leases of things outside by mount: those that live, or those that nobody tries to take back any more.
func countLeases(rq *request) (*response, error) {
	counts := map[string]int{}
	switch kind := strings.ToLower(rq.text("type")); kind {
	case "":
		rq.api.store.View(func(m *fsm.Machine) { counts = m.CountLeases(rq.now) })
	case "irrevocable":
		for _, r := range rq.parked(fsm.MaxRevocations) {
			counts[r.Mount.Path]++
		}
	default:
		return nil, invalid("type %q is unknown: irrevocable is allowed, or none for all leases that live", kind)
	}
	total := 0
	for _, n := range counts { // order: a sum
		total += n
	}
	return &response{data: map[string]any{"lease_count": total, "counts": counts}, flat: true, mount: "system"}, nil
}

// maxIrrevocable bounds a list of parked leases, as the reference does.
const maxIrrevocable = 10_000

// listIrrevocable lists the leases that nobody tries to take back any more.
func listIrrevocable(rq *request) (*response, error) {
	limit := maxIrrevocable
	if n := rq.integer("limit"); n > 0 {
		limit = int(min(n, maxIrrevocable))
	}
	leases := []any{}
	for _, r := range rq.parked(limit) {
		leases = append(leases, map[string]any{"lease_id": r.ID, "mount_id": r.Mount.Accessor, "error": r.Revocation.Error})
	}
	return &response{data: map[string]any{"lease_count": len(leases), "leases": leases}, flat: true, mount: "system"}, nil
}
