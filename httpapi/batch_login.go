package httpapi

import (
	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/ban"
	"github.com/tokengrove/grove/fsm/token"
)

// finishBatchLogin gives out the batch token that a method has decided on, as of a state that is fresh. If the method has
// written nothing, and no failed login of the user is remembered, no entry is needed: everything that the method has seen
// must still be so on that state. The token is sealed before anything happens, so that no effect is without an answer.
func (rq *request) finishBatchLogin(l *engine.Login, rec *token.Record) (*response, error) {
	s := rq.site
	if !rq.fresh {
		if err := rq.api.barrier(rq); err != nil {
			return nil, err
		}
	}
	var failed bool
	var at ban.Point
	rq.api.store.View(func(m *fsm.Machine) {
		at, rq.now = m.Point(), m.Now(rq.api.local())
		failed = l.Alias != "" && m.Failed(s.mount.UUID, l.Alias)
	})
	rq.capBatch(rec)
	rec.Created, rec.Renewable, rec.Period, rec.ExplicitMax = rq.now, false, 0, 0
	id, err := rq.issue(rec, "", at)
	if err != nil {
		return nil, err
	}
	switch {
	case failed || s.call.Storage.Written():
		t := rq.transaction()
		t.Caller.Token = token.Hash{}
		if _, err := rq.proposeLogin(&fsm.BatchLogin{Transact: *t, Alias: l.Alias}); err != nil {
			return nil, err
		}
	case !rq.ground():
		return nil, errStale
	}
	return &response{auth: authOf(id, rec, rec.TTL)}, nil
}
