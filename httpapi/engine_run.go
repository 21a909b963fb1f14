package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/httpapi/acl"
)

// engineWait bounds a handler of an engine, and with it whatever it asks outside.
const engineWait = 20 * time.Second

// engineRequest is the request as its engine sees it: one transaction, on the storage as it was when the
// route was found.
func (rq *request) engineRequest() *engine.Request {
	s := rq.site
	if s.call == nil {
		mt := &s.mount
		def, most := boundTTLs(mt, rq.api.cfg.DefaultTTL, rq.api.cfg.MaxTTL)
		s.call = &engine.Request{
			Storage: engine.NewTx(s.storage), Path: rq.path[len(mt.Path):],
			Mount:  engine.Mount{Path: mt.Path, UUID: mt.UUID, Accessor: mt.Accessor, DefaultTTL: def, MaxTTL: most},
			Client: engine.Client{Address: rq.http.RemoteAddr, TLS: rq.http.TLS, Header: rq.http.Header.Get},
			Locked: rq.lockedOut, Sealer: rq.api.cfg.Engines.Sealer, Rand: rq.api.cfg.Rand,
		}
	}
	s.call.Op, s.call.Values, s.call.Now = operationNames[rq.op], engine.Values(rq.values), rq.now
	if s.call.Values == nil { // before the fields are decoded
		s.call.Values = engine.Values{}
		for name, v := range s.vars {
			s.call.Values[name] = v
		}
	}
	return s.call
}

var operationNames = map[acl.Operation]engine.Operation{
	acl.Read: engine.Read, acl.Create: engine.Write, acl.Update: engine.Write, acl.Delete: engine.Delete, acl.List: engine.List,
}

// lockedOut asks the local replica, which may lag; apply asks again.
func (rq *request) lockedOut(alias string) (locked bool) {
	rq.api.store.View(func(m *fsm.Machine) { locked = m.LockedOut(&rq.site.mount, alias, rq.now) })
	rq.site.locked = rq.site.locked || locked
	return locked
}

// runEngine runs a handler of an engine, and makes what it decided happen.
func (rq *request) runEngine(h engine.Handler) (*response, error) {
	ctx, cancel := context.WithTimeout(rq.ctx, engineWait)
	defer cancel()
	call := rq.engineRequest()
	rs, err := h(ctx, call)
	if err != nil {
		return nil, engineFailure(err)
	}
	if rs == nil {
		rs = &engine.Response{}
	}
	rq.warnings = append(rq.warnings, rs.Warnings...)
	switch {
	case rs.Login != nil:
		return rq.finishLogin(rs.Login)
	case rs.Secret != nil:
		return rq.lend(rs)
	case rs.Then != nil:
		return rq.runThen(ctx, rs.Then)
	case call.Storage.Written():
		out, err := rq.engineResponse(rs)
		if err != nil {
			return nil, err
		}
		out = rq.fixed(out)
		if _, err := rq.propose(rq.transaction()); err != nil {
			return nil, err
		}
		return out, nil
	case (rq.op == acl.Update || rq.op == acl.Create || rq.op == acl.Delete) && !rq.fresh:
		return nil, errStale // that there is nothing to do is as doubtful as a refusal
	}
	return rq.engineResponse(rs)
}

// transaction is the command of what the engine has read and written.
func (rq *request) transaction() *fsm.Transact {
	s := rq.site
	c := &fsm.Transact{Caller: fsm.Caller{Token: rq.asker().Token, Epoch: s.epoch}, Mount: s.mount.Path, UUID: s.mount.UUID}
	s.call.Storage.Into(c)
	return c
}

func (rq *request) engineResponse(rs *engine.Response) (*response, error) {
	kind := rq.site.mount.Type
	switch {
	case rs.Raw != nil:
		return &response{status: rs.Status, raw: rs.Raw}, nil
	case rq.op == acl.List && rs.Data == nil:
		return keys(rs.Keys, kind)
	case rs.Data == nil && rs.Status == 0:
		if len(rq.warnings) > 0 {
			return &response{mount: kind}, nil
		}
		return nil, nil
	}
	out := &response{status: rs.Status, mount: kind}
	if rs.Data != nil {
		out.data = rs.Data
	}
	return out, nil
}

// engineFailure is what a handler's error is answered with. One of no known kind is internal.
func engineFailure(err error) error {
	var e *fsm.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fail(http.StatusServiceUnavailable, "what this engine needs outside did not answer in time")
	case !errors.As(err, &e):
		return err
	case e.Code == fsm.Forbidden:
		return errDenied
	case e.Code == fsm.NotFound && e.Message == "":
		return errNotFound
	}
	return err
}

// ground reports whether what the engine has seen is still so on the local replica: then its answer
// stands, and need not be worked out again.
func (rq *request) ground() (firm bool) {
	s := rq.site
	if s == nil || s.call == nil || s.locked {
		return false // a lock may have ended, which is cheap to ask again
	}
	rq.api.store.View(func(m *fsm.Machine) {
		firm = m.MountUnchanged(s.mount.Path, s.mount.UUID, s.epoch) && s.call.Storage.Holds(m.Storage(s.mount.UUID))
	})
	return firm
}

// errNoEngine refuses types that this build does not know.
func errNoEngine(kind string) error {
	return fail(http.StatusBadRequest, fmt.Sprintf("plugin not found in the catalog: %s", kind))
}
