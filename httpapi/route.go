package httpapi

import (
	"net/http"

	"github.com/gorilla/mux"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/httpapi/acl"
)

// route is one line of the table.
type route struct {
	path string // gorilla/mux pattern below /v1/; its variables are fields
	ops  map[acl.Operation]operation
	sudo bool // needs the sudo capability
	open bool // needs no token
	// local: answers from whatever this node knows, without a quorum.
	local bool
	// file: the body of an update is a file, which its handler reads, at the client's pace.
	file bool
	// whole: its list grows with the number of tokens.
	whole bool
	// exists tells a create from an update, where the reference does.
	exists func(rq *request, m *fsm.Machine) bool
	// login: a path of a login method that needs no token.
	login bool
}

// operation is what a route does for one operation.
type operation struct {
	fields schema
	run    func(rq *request) (*response, error)
	// write: run proposes a command, which charges the caller.
	write bool
	// self: run answers from the caller's record, and from nothing else of the state.
	self bool
	// show renders what apply said of a write; nil: nothing but warnings. It uses the request and its memo, and
	// nothing of the state, because it also renders an answer that is given again.
	show func(rq *request, r *fsm.Result, err error) (*response, error)
	// early: a limited caller is charged after run, because what run reads dies with its last use.
	early bool
}

// head is the operation of HEAD, which no policy grants and no route with a token has.
const head acl.Operation = 0

// reads reports whether op proposes nothing on this route: it answers from local state,
// which must be fresh.
func (rt *route) reads(op acl.Operation) bool {
	if rt == nil {
		return true
	}
	o, ok := rt.ops[op]
	return !ok || !o.write
}

// operation finds the operation of rq and decodes its fields.
func (rt *route) operation(rq *request) (operation, error) {
	op, ok := rt.ops[rq.op]
	switch {
	case ok:
	case rq.op == acl.Create:
		op, ok = rt.ops[acl.Update]
	case rq.op == head && rt.open:
		op, ok = rt.ops[acl.Read]
	}
	switch {
	case !ok && rt.open:
		return op, fail(http.StatusMethodNotAllowed)
	case !ok:
		return op, errOperation
	}
	var err error
	rq.values, rq.ignored, rq.replaced, err = op.fields.decode(rq.raw, rq.captured())
	return op, err
}

// read, write and query make operations.
func read(f func(*request) (*response, error)) operation { return operation{run: f} }

// One that answers with something is showing, or fixes its answer before it proposes: or else a request that is sent
// again under its Idempotency-Key would be answered with less.
func write(s schema, f func(*request) (*response, error)) operation {
	return operation{fields: s, run: f, write: true}
}

// showing is write for an operation that answers with something.
func showing(s schema, f func(*request) (*response, error), show func(*request, *fsm.Result, error) (*response, error)) operation {
	return operation{fields: s, run: f, write: true, show: show}
}

// query is an update that only reads: a lookup by POST.
func query(s schema, f func(*request) (*response, error)) operation {
	return operation{fields: s, run: f}
}

// self is a query about the caller alone.
func self(s schema, f func(*request) (*response, error)) operation {
	return operation{fields: s, run: f, self: true}
}

// early is a read of what dies with the caller.
func early(f func(*request) (*response, error)) operation { return operation{run: f, early: true} }

type ops = map[acl.Operation]operation

// captured are the variables of the path.
func (rq *request) captured() map[string]string {
	if rq.site != nil {
		return rq.site.vars
	}
	return mux.Vars(rq.http)
}
