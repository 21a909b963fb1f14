package httpapi

import (
	"errors"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/mux"
	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/planted"
	"github.com/tokengrove/grove/httpapi/acl"
)

// attempts bounds how often a request is evaluated again because what it relied on changed.
const attempts = 20

// api is the handler of all routes.
type api struct {
	cfg     Config
	store   Store
	cluster Cluster
	log     hclog.Logger
	now     func() time.Time
	acls    aclCache
	hashes  atomic.Pointer[hasher]
	engines engines
	limits
}

// New returns the handler of the whole API.
func New(cfg Config) (http.Handler, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	a := &api{cfg: cfg, store: cfg.Store, cluster: cfg.Cluster, log: cfg.Logger, now: cfg.Now, engines: compileEngines(&cfg.Engines), limits: newLimits(cfg.Limits)}
	m := mux.NewRouter().SkipClean(true)
	fixed := map[string]http.Handler{}
	for i := range routes {
		path, h := "/v1/"+routes[i].path, a.bounded(&routes[i], a.adapt(&routes[i]))
		m.Handle(path, h)
		if !strings.ContainsRune(path, '{') {
			fixed[path] = h
		}
	}
	m.PathPrefix("/v1/").Handler(a.adapt(nil))
	m.NotFoundHandler = http.HandlerFunc(outside)
	return a.meter(a.guard(fixed, m)), nil
}

// outside answers what is not below /v1/.
func outside(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	http.Error(w, "404 page not found", http.StatusNotFound)
}

// Values of the headers that every answer has. They are shared, and never changed.
var (
	noStore     = []string{"no-store"}
	contentJSON = []string{"application/json"}
	onlyTLS     = []string{"max-age=31536000; includeSubDomains"}
)

// guard sets the headers that every answer has, gives the path of a list the slash at its
// end by which it is routed, and turns a panic into a 500. Paths without variables are routed
// here: the router would try one pattern after the other.
func (a *api) guard(fixed map[string]http.Handler, router http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["Cache-Control"], h["Content-Type"], h["Strict-Transport-Security"] = noStore, contentJSON, onlyTLS
		defer func() {
			if e := recover(); e == http.ErrAbortHandler {
				panic(e)
			} else if e != nil {
				a.log.Error("panic in a handler", "path", r.URL.Path, "panic", e, "stack", string(debug.Stack()))
				a.writeFailure(w, fail(http.StatusInternalServerError, "internal error"))
			}
		}()
		if op, _, err := operationOf(r); err == nil && op == acl.List && !strings.HasSuffix(r.URL.Path, "/") {
			r.URL.Path += "/"
		}
		if next := fixed[r.URL.Path]; next != nil {
			next.ServeHTTP(w, r)
			return
		}
		router.ServeHTTP(w, r)
	})
}

// adapt makes the handler of one route; nil is the route of every path that has none.
func (a *api) adapt(rt *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rq := a.newRequest(r.Context(), r)
		served := rt
		if climbs(rq.path) {
			served = nil
		}
		rs, err := a.serve(w, rq, served)
		a.writeHeaders(w, rq)
		if err == nil {
			a.write(w, rq, rs)
			return
		}
		f := failureOf(err)
		if f.status == http.StatusInternalServerError {
			a.log.Error("request failed", "path", rq.path, "error", err)
		}
		a.writeFailure(w, f)
	})
}

func (a *api) serve(w http.ResponseWriter, rq *request, rt *route) (*response, error) {
	if err := rq.read(w, rt); err != nil {
		return nil, err
	}
	if err := a.awaitIndex(rq); err != nil {
		return nil, err
	}
	if rt != nil && rt.open {
		return a.serveOpen(rq, rt)
	}
	if rt == nil {
		if found := a.locate(rq); found != nil && found.login {
			return a.serveLogin(rq)
		}
	}
	return a.admit(rq, rt)
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
			return unavailable(err)
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
	a.store.View(func(m *fsm.Machine) { rq.identity, rq.now, rq.trace.table = m.Identity(), m.Now(a.local()), m.Audit() })
	if rt.silent() {
		return op.run(rq)
	}
	if err := a.recordRequest(rq, nil); err != nil {
		return nil, err
	}
	rs, err := op.run(rq)
	return a.conclude(rq, rs, err)
}

// serveAuthenticated decides a request, does it, and has both recorded.
func (a *api) serveAuthenticated(rq *request, rt *route) (*response, error) {
	rs, err := a.evaluate(rq, rt)
	return a.conclude(rq, rs, err)
}

// evaluate evaluates a request until its decision is neither stale nor doubtful.
// The first evaluation of a write is optimistic, against whatever the local replica
// holds; a refusal counts only after a barrier, or when apply has spoken it.
func (a *api) evaluate(rq *request, rt *route) (*response, error) {
	if rq.id == "" {
		return nil, errNoToken
	}
	known := rt
	if known == nil {
		known = a.locate(rq)
	}
	if err := rq.takeKey(known); err != nil {
		return nil, err
	}
	if known.reads(rq.op) && !(rt != nil && rt.local) && !rq.takesStale() {
		if err := a.barrier(rq); err != nil {
			return nil, err
		}
	}
	for range attempts {
		rs, err := a.attempt(rq, rt)
		doubtful := err != nil && !rq.fresh && !rq.answered && failureOf(err).status < http.StatusInternalServerError && !planted.Is("local-denial")
		if !errors.Is(err, errStale) && !doubtful {
			if e := a.recordRequest(rq, err); e != nil {
				return nil, e
			}
			if err = a.settle(rq, err); !errors.Is(err, errStale) {
				return rs, err
			}
		}
		if err := a.barrier(rq); err != nil {
			return nil, err
		}
		rq.warnings = nil
	}
	return nil, fail(http.StatusServiceUnavailable, "policies, roles or mounts change faster than this request can be authorised")
}

// barrier makes the local replica fresh.
func (a *api) barrier(rq *request) error {
	rq.fresh, rq.age = true, -1
	return unavailable(a.store.Barrier(rq.ctx))
}

// takesStale reports whether the client is content with whatever this node holds, and notes
// how old that may be: nothing newer than the last entry that was applied here is in it.
func (rq *request) takesStale() bool {
	if rq.http.Header.Get("X-Grove-Consistency") != "stale" {
		return false
	}
	rq.api.store.View(func(m *fsm.Machine) { rq.age = max(0, rq.api.local().Sub(m.Now(0))) })
	return true
}

// attempt authorises and runs the request once.
func (a *api) attempt(rq *request, rt *route) (*response, error) {
	if rt == nil {
		rt = a.locate(rq)
	}
	if rq.keyed != nil {
		if rs, done, err := a.replay(rq, rt); done {
			return rs, err
		}
	}
	if err := a.authorize(rq, rt); err != nil {
		return nil, err
	}
	if err := a.recordRequest(rq, nil); err != nil {
		return nil, err
	}
	if rt == nil {
		return nil, rq.noRoute()
	}
	op, err := rt.operation(rq)
	switch {
	case err != nil:
		return nil, err
	case rq.wrap > 0:
		return nil, errNoWrapping
	case !op.write && rq.caller.Limited() && rq.keyed != nil:
		return a.readOnce(rq, op)
	case op.early && rq.caller.Limited():
		return a.readFirst(rq, op)
	case !op.write && rq.caller.Limited():
		if err := a.charge(rq, op.self); err != nil {
			return nil, err
		}
	}
	return op.run(rq)
}

// charge takes a use for a read before it is served: the last use is served, and the
// token is dead afterwards. The read then sees at least the index of the charge; one that
// answers from the caller alone has all of it in the result of the charge.
func (a *api) charge(rq *request, self bool) error {
	if rq.answered {
		return nil // by an attempt before
	}
	if planted.Is("free-read") {
		rq.answered = true
		return nil
	}
	r, err := rq.propose(&fsm.UseToken{Caller: rq.asker()})
	if err != nil {
		return err
	}
	if r.Caller != nil {
		rq.caller = *r.Caller
	}
	rq.age = -1
	if self && r.Caller != nil {
		return nil
	}
	return unavailable(a.store.WaitIndex(rq.ctx, r.Index))
}

// readFirst serves a read by a limited token of what dies with it, and charges then. What it read was
// current while the request was in work.
func (a *api) readFirst(rq *request, op operation) (*response, error) {
	if !rq.fresh {
		return nil, errStale
	}
	rs, err := op.run(rq)
	if err != nil {
		return nil, err // settle charges
	}
	if err := a.charge(rq, true); err != nil {
		return nil, err
	}
	return rs, nil
}

// settle makes sure that a request of a limited token which ended without a command is
// charged all the same. Apply charges every command, whatever it answers.
func (a *api) settle(rq *request, err error) error {
	if rq.answered || !rq.caller.Limited() {
		return err
	}
	if err != nil && failureOf(err).status >= http.StatusInternalServerError {
		return err
	}
	if rq.keyed != nil && err != nil {
		f := failureOf(err)
		rq.keyed.memo = memo{Refused: true, Status: f.status, Texts: f.texts}
	}
	_, e := rq.propose(&fsm.UseToken{Caller: rq.asker(), AnyEpoch: true})
	if e != nil && (err == nil || failureOf(e).status >= http.StatusInternalServerError) {
		return e
	}
	return err
}
