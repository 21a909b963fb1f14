package httpapi

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/token"
)

// revokedWait bounds how long a request with sync waits for what is outside, and revokedPause how often it looks.
const (
	revokedWait  = 20 * time.Second
	revokedPause = 20 * time.Millisecond
)

var (
	revocationFields = schema{"after": text, "limit": integer, "state": text}
	irrevocable      = schema{"type": text, "limit": integer, "include_child_namespaces": boolean}
)

// revocation finds a row of the queue on the local replica.
func (rq *request) revocation(id string) (r fsm.Revocation, ok bool) {
	rq.api.store.View(func(m *fsm.Machine) { r, ok = m.Revocation(id) })
	return r, ok
}

// awaitRevoked waits for a request that asks for it (sync) until what was revoked is gone outside, too. The revocation itself
// has happened: an error says only that what is outside is still there.
func (rq *request) awaitRevoked(name, prefix string) error {
	if !rq.boolean("sync") || rq.keyed != nil {
		return nil
	}
	if err := rq.api.store.WaitIndex(rq.ctx, rq.index); err != nil {
		return unavailable(err)
	}
	ctx, cancel := context.WithTimeout(rq.ctx, revokedWait)
	defer cancel()
	tick := time.NewTicker(revokedPause)
	defer tick.Stop()
	for {
		left, failed := rq.unrevoked(prefix)
		switch {
		case left == 0:
			return nil
		case failed != "":
			return fail(http.StatusInternalServerError, fmt.Sprintf("%s is revoked, but what it stands for is not taken back yet, and is tried again: %s", name, failed))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fail(http.StatusInternalServerError, fmt.Sprintf("%s is revoked, but %d of what it stands for are not taken back yet: see sys/grove/revocations", name, left))
		}
	}
}

// unrevoked counts the revocations whose IDs start with prefix, and returns an error of one that has failed.
func (rq *request) unrevoked(prefix string) (left int, failed string) {
	rq.api.store.View(func(m *fsm.Machine) { left, failed = m.Unrevoked(prefix, rq.now) })
	return left, failed
}

// parked returns revocations that nobody tries any more.
func (rq *request) parked(limit int) (rows []fsm.Revocation) {
	rq.api.store.View(func(m *fsm.Machine) {
		rows = m.Revocations("", limit, rq.now, func(l *lease.Lease) bool { return l.Revocation.Parked })
	})
	return rows
}

// listRevocations shows what is dead and not taken back yet, a page at a time.
func listRevocations(rq *request) (*response, error) {
	limit := 1000
	if n := rq.integer("limit"); n > 0 {
		limit = int(min(n, fsm.MaxRevocations))
	}
	state := rq.text("state")
	if state != "" && state != "pending" && state != "retrying" && state != "parked" {
		return nil, invalid("state %q is unknown: pending, retrying and parked are allowed", state)
	}
	var rows []fsm.Revocation
	var t lease.Tally
	rq.api.store.View(func(m *fsm.Machine) {
		t = m.CountRevocations(rq.now)
		rows = m.Revocations(rq.text("after"), limit, rq.now, func(l *lease.Lease) bool { return state == "" || stateOf(l) == state })
	})
	shown := []any{}
	for i := range rows {
		shown = append(shown, showRevocation(&rows[i]))
	}
	data := map[string]any{"pending": t.Pending, "retrying": t.Retrying, "parked": t.Parked, "revocations": shown}
	if len(rows) == limit {
		data["next_after"] = rows[limit-1].ID
	}
	return &response{data: data, mount: "system"}, nil
}

func readRevocation(rq *request) (*response, error) {
	r, ok := rq.revocation(rq.text("revocation"))
	if !ok {
		return nil, errNotFound
	}
	return &response{data: showRevocation(&r), mount: "system"}, nil
}

// stateOf names how far a revocation is.
func stateOf(l *lease.Lease) string {
	switch {
	case l.Revocation.Parked:
		return "parked"
	case l.Revocation.Attempts > 0:
		return "retrying"
	}
	return "pending"
}

func showRevocation(r *fsm.Revocation) map[string]any {
	v := &r.Revocation
	data := map[string]any{
		"lease_id": r.ID, "state": stateOf(&r.Lease), "mount": r.Mount.Path, "mount_accessor": r.Mount.Accessor, "type": r.Mount.Type, "resource": r.Resource,
		"attempts": v.Attempts, "last_error": v.Error, "forced": v.Forced, "since": timeOrNone(v.Since), "next_attempt": nil,
	}
	if !v.Parked {
		data["next_attempt"] = timeOrNone(v.Next)
	}
	return data
}

// timeOrNone shows a time that may not have come yet.
func timeOrNone(t token.Instant) any {
	if t == 0 {
		return nil
	}
	return t.Time()
}

// retryRevocation has a revocation tried now, also one that is parked.
func retryRevocation(rq *request) (*response, error) { return rq.hasten(false) }

// forceRevocation has it tried once more, and forgotten if that fails.
func forceRevocation(rq *request) (*response, error) { return rq.hasten(true) }

func (rq *request) hasten(forced bool) (*response, error) {
	_, err := rq.propose(&fsm.HastenRevocation{Caller: rq.asker(), ID: rq.text("revocation"), Forced: forced})
	return nil, err
}
