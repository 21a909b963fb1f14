package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/httpapi/acl"
)

// requestTimeout bounds every request.
const requestTimeout = 30 * time.Second

// attempts bounds how often a request is evaluated again because the epoch moved.
const attempts = 20

// api is the handler of all routes.
type api struct {
	cfg     Config
	store   Store
	cluster Cluster
	log     hclog.Logger
	now     func() time.Time
	acls    aclCache
}

// New returns the handler of the whole API.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &api{cfg: cfg, store: cfg.Store, cluster: cfg.Cluster, log: cfg.Logger, now: cfg.Now}
	m := mux.NewRouter().SkipClean(true).UseEncodedPath()
	v1 := m.PathPrefix("/v1/").Subrouter()
	for _, rt := range routes {
		v1.Handle("/"+rt.path, a.adapt(&rt))
	}
	v1.PathPrefix("/").Handler(a.adapt(nil))
	m.NotFoundHandler = http.HandlerFunc(outside)
	return a.guard(m), nil
}

// outside answers what is not below /v1/.
func outside(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.Error(w, "404 page not found", http.StatusNotFound)
}

// guard sets the headers that every answer has, and turns a panic into a 500.
func (a *api) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Content-Type", "application/json")
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
		defer func() {
			if e := recover(); e != nil {
				a.log.Error("panic in a handler", "path", r.URL.Path, "panic", e, "stack", string(debug.Stack()))
				a.writeFailure(w, fail(http.StatusInternalServerError, "internal error"))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// adapt makes the handler of one route; nil is the route of every path that has none.
func (a *api) adapt(rt *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
		defer cancel()
		rq := &request{ctx: ctx, api: a, http: r, vars: mux.Vars(r), id: tokenOf(r), path: strings.TrimPrefix(r.URL.Path, "/v1/")}
		rs, err := a.serve(w, rq, rt)
		if err != nil {
			f := failureOf(err)
			if f.status == http.StatusInternalServerError {
				a.log.Error("request failed", "path", rq.path, "error", err)
			}
			a.writeFailure(w, f)
			return
		}
		a.write(w, rq, rs)
	})
}

func (a *api) serve(w http.ResponseWriter, rq *request, rt *route) (*response, error) {
	var err error
	if rq.op, err = operationOf(rq.http); err != nil {
		return nil, err
	}
	if rq.op == acl.List && !strings.HasSuffix(rq.path, "/") {
		rq.path += "/"
	}
	rq.raw = map[string]any{}
	if rq.op == acl.Update || rq.op == acl.Patch {
		if rq.raw, err = readBody(w, rq.http); err != nil {
			return nil, err
		}
	}
	if err := a.awaitIndex(rq); err != nil {
		return nil, err
	}
	if rt != nil && rt.open {
		return a.serveOpen(rq, rt)
	}
	return a.serveAuthenticated(rq, rt)
}

// awaitIndex honours a client that must see at least what it wrote before.
func (a *api) awaitIndex(rq *request) error {
	for _, h := range []string{"X-Vault-Index", "X-Grove-Index"} {
		v := rq.http.Header.Get(h)
		if v == "" {
			continue
		}
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			return invalid("header %s: %q is not an index, a decimal number", h, v)
		}
		if err := a.store.WaitIndex(rq.ctx, n); err != nil {
			return err
		}
	}
	return nil
}

// serveOpen runs a handler that needs no token.
func (a *api) serveOpen(rq *request, rt *route) (*response, error) {
	op, err := rt.operation(rq)
	if err != nil {
		return nil, err
	}
	rq.now = a.local()
	a.store.View(func(m *fsm.Machine) { rq.identity, rq.now = m.Identity(), m.Now(rq.now) })
	return op.run(rq)
}

// serveAuthenticated evaluates a request until its decision is neither stale nor doubtful.
// The first evaluation of a write is optimistic, against whatever the local replica
// holds; a refusal counts only after a barrier.
func (a *api) serveAuthenticated(rq *request, rt *route) (*response, error) {
	if rq.id == "" {
		return nil, errNoToken
	}
	fresh := rq.op == acl.Read || rq.op == acl.List || rt.reads(rq.op)
	stale := rq.http.Header.Get("X-Grove-Consistency") == "stale" && fresh
	for range attempts {
		if fresh && !stale {
			if err := a.store.Barrier(rq.ctx); err != nil {
				return nil, err
			}
		}
		rq.warnings = nil
		rs, err := a.attempt(rq, rt)
		switch {
		case errors.Is(err, errStale):
			fresh, stale = true, false
			continue
		case err != nil && !fresh && !rq.charged && isEdgeRefusal(err):
			fresh = true
			continue
		}
		return rs, a.settle(rq, err)
	}
	return nil, fail(http.StatusServiceUnavailable, "policies, roles or mounts change faster than this request can be authorised")
}

// isEdgeRefusal reports whether err is a refusal that a lagging replica may be wrong about.
func isEdgeRefusal(err error) bool {
	f := failureOf(err)
	return f.status >= 400 && f.status < 500
}

// attempt authorises and runs the request once.
func (a *api) attempt(rq *request, rt *route) (*response, error) {
	if err := a.authorize(rq, rt); err != nil {
		return nil, err
	}
	if rt == nil {
		return nil, noRoute(rq.path)
	}
	op, err := rt.operation(rq)
	if err != nil {
		return nil, err
	}
	if !op.write && rq.caller.Limited() {
		if err := a.charge(rq); err != nil {
			return nil, err
		}
	}
	return op.run(rq)
}

// noRoute answers an authorised request for a path that nothing serves.
func noRoute(path string) error {
	if strings.HasPrefix(path, "auth/token/") || strings.HasPrefix(path, "sys/") {
		return errUnsupported
	}
	return fail(http.StatusNotFound, fmt.Sprintf("no handler for route %q. route entry not found.", path))
}

// charge takes a use for a read before it is served: the last use is served, and the
// token is dead afterwards. The read then sees at least the index of the charge.
func (a *api) charge(rq *request) error {
	r, err := rq.propose(&fsm.UseToken{Caller: rq.asker()})
	if err != nil {
		return err
	}
	if r.Caller != nil {
		rq.caller = *r.Caller
	}
	return a.store.WaitIndex(rq.ctx, r.Index)
}

// settle makes sure that a request of a limited token which ended without a command is
// charged all the same.
func (a *api) settle(rq *request, err error) error {
	if rq.charged || !rq.caller.Limited() || rq.caller.Hash.IsZero() {
		return err
	}
	if err != nil && failureOf(err).status >= 500 {
		return err
	}
	if _, e := rq.propose(&fsm.UseToken{Caller: rq.asker(), AnyEpoch: true}); e != nil && failureOf(e).status >= 500 {
		return e
	}
	return err
}
