package httpapi

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
)

// replay answers a request whose key the machine remembers; done reports that it did. It is as sure of that, and of
// the caller being allowed to hear it, as of anything it reads: after a barrier.
func (a *api) replay(rq *request, rt *route) (rs *response, done bool, err error) {
	var old fsm.Answer
	var known bool
	k := rq.keyed
	a.store.View(func(m *fsm.Machine) { rq.identity, rq.now = m.Identity(), m.Now(a.local()) })
	if err := k.derive(rq); err != nil {
		return nil, true, err
	}
	caller := rq.hash(rq.id)
	a.store.View(func(m *fsm.Machine) { old, known = m.Answer(caller, k.key, rq.now) })
	switch {
	case !known || !engine.Admits(old.Caller.BoundCIDRs, rq.http.RemoteAddr):
		k.memo = memo{} // of an attempt before
		return nil, false, nil
	case !rq.fresh:
		return nil, true, errStale
	case old.Request != k.request:
		rq.answered = true
		return nil, true, errKeyReused
	}
	if err := k.unseal(old.Memo); err != nil {
		return nil, true, err
	}
	k.replayed, rq.answered, rq.index = true, true, old.Result.Index
	rq.warnings, rq.ignored, rq.replaced = k.memo.Warnings, k.memo.Ignored, k.memo.Replaced
	rq.caller = old.Caller
	if old.Result.Caller != nil {
		rq.caller = *old.Result.Caller
	}
	rs, err = rq.again(rt, &old.Result)
	return rs, true, err
}

// errKeyReused refuses a key under which another request was answered.
var errKeyReused = fail(http.StatusUnprocessableEntity, "this Idempotency-Key was used for another request within the last 24h: send that request unchanged (method, path and body), or a new key")

// again gives the answer that r and the memo hold.
func (rq *request) again(rt *route, r *fsm.Result) (*response, error) {
	m := &rq.keyed.memo
	switch {
	case m.Refused:
		return nil, fail(m.Status, m.Texts...)
	case m.Status != 0 && r.Code == 0:
		return &response{status: m.Status, rendered: append([]byte{}, m.Body...)}, nil
	}
	if rt == nil {
		return nil, rq.noRoute()
	}
	ignored, replaced := rq.ignored, rq.replaced
	op, err := rt.operation(rq)
	rq.ignored, rq.replaced = ignored, replaced
	switch {
	case err != nil:
		return nil, err
	case m.Own:
		return rq.showCharged(op, r)
	case op.show != nil:
		return op.show(rq, r, r.Err())
	}
	return nil, r.Err()
}

// maxRemembered bounds the answer to a read that is remembered.
const maxRemembered = 64 << 10

// remembersRead reports whether the answer to a read by a limited token is remembered, so that the read is charged
// once: those of the token store, of policies, capabilities and leases. Other paths answer without changing
// anything, too, or do something that no log entry holds.
func (rq *request) remembersRead() bool {
	for _, p := range []string{"auth/token/", "sys/policies/", "sys/policy", "sys/capabilities", "sys/leases/lookup"} {
		if strings.HasPrefix(rq.path, p) {
			return true
		}
	}
	return false
}

// readOnce serves a read with a key by a limited token. It reads first and charges then, so that the answer can be
// remembered in the same step as the charge; what it read was current while the request was in work, and apply checks the
// caller as ever. What shows the caller itself is rendered from the result of the charge, and remembered as that.
func (a *api) readOnce(rq *request, op operation) (*response, error) {
	if !rq.fresh {
		return nil, errStale
	}
	rq.age = -1
	m := &rq.keyed.memo
	rs, err := op.run(rq)
	if err != nil {
		return nil, err // settle charges, and remembers the refusal
	}
	if !m.Own {
		if rs = rq.fixed(rs); len(m.Body) > maxRemembered {
			return nil, invalid("this answer has %d bytes, at most %d can be remembered for an Idempotency-Key of a limited token: send no key", len(m.Body), maxRemembered)
		}
	}
	r, err := rq.propose(&fsm.UseToken{Caller: rq.asker()})
	if err != nil {
		*m = memo{}
		return nil, err
	}
	if m.Own {
		return rq.showCharged(op, &r)
	}
	return rs, nil
}

// fixed is the answer rs, rendered already if it is to be remembered: that of a read, or of a write which is known before
// it is proposed.
func (rq *request) fixed(rs *response) *response {
	if rq.keyed == nil {
		return rs
	}
	var c capture
	rq.api.write(&c, rq, rs)
	m := &rq.keyed.memo
	m.Status, m.Body = c.status, c.body.Bytes()
	out := response{}
	if rs != nil {
		out = *rs
	}
	out.status, out.rendered = c.status, append([]byte{}, m.Body...)
	return &out
}

// showCharged runs a read that shows nothing but its caller, as the charge left it.
func (rq *request) showCharged(op operation, r *fsm.Result) (*response, error) {
	if r.Caller != nil {
		rq.caller = *r.Caller
	}
	rq.now = r.At
	return op.run(rq)
}

// showsCaller notes that a read shows its caller and nothing else of the state.
func (rq *request) showsCaller() {
	if rq.keyed != nil {
		rq.keyed.memo.Own = true
	}
}

// capture is a ResponseWriter that keeps what is written.
type capture struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (c *capture) Header() http.Header {
	if c.header == nil {
		c.header = http.Header{}
	}
	return c.header
}

// WriteHeader implements http.ResponseWriter.
func (c *capture) WriteHeader(status int) { c.status = status }

// Write implements http.ResponseWriter.
func (c *capture) Write(b []byte) (int, error) { return c.body.Write(b) }
