package httpapi

import (
	"strings"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/httpapi/acl"
)

// route is one line of the table.
type route struct {
	path string // gorilla/mux pattern below /v1/
	ops  map[acl.Operation]operation
	sudo bool // needs the sudo capability
	open bool // needs no token
	// exists tells a create from an update, where the reference does.
	exists func(m *fsm.Machine, rq *request) bool
}

// operation is what a route does for one operation.
type operation struct {
	fields schema
	run    func(rq *request) (*response, error)
	// write: run proposes a command, which charges the caller.
	write bool
}

// reads reports whether op proposes nothing on this route: it answers from local state,
// which must be fresh.
func (rt *route) reads(op acl.Operation) bool {
	if rt == nil {
		return true
	}
	o, ok := rt.ops[op]
	return ok && !o.write
}

// operation finds the operation of rq and decodes its fields. A pattern that only lists
// is no path for anything else, and the other way round.
func (rt *route) operation(rq *request) (operation, error) {
	op, ok := rt.ops[rq.op]
	if !ok && rq.op == acl.Create {
		op, ok = rt.ops[acl.Update]
	}
	if !ok {
		if rq.op == acl.List || (rq.op == acl.Read && strings.HasSuffix(rq.path, "/") && rt.ops[acl.List].run == nil) {
			return op, errUnsupported
		}
		return op, errOperation
	}
	var unknown []string
	var err error
	if rq.values, unknown, err = op.fields.decode(rq.raw); err != nil {
		return op, err
	}
	if len(unknown) > 0 {
		rq.warn("Endpoint ignored these unrecognized parameters: [%s]", strings.Join(unknown, " "))
	}
	return op, nil
}

// read, write and query make operations.
func read(f func(*request) (*response, error)) operation { return operation{run: f} }

func write(s schema, f func(*request) (*response, error)) operation {
	return operation{fields: s, run: f, write: true}
}

// query is an update that only reads: a lookup by POST.
func query(s schema, f func(*request) (*response, error)) operation {
	return operation{fields: s, run: f}
}

type ops = map[acl.Operation]operation
