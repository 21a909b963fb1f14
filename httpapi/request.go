package httpapi

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/ban"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi/acl"
)

// request is one request on its way through the adapter and a handler.
type request struct {
	ctx context.Context
	api *api
	received
	op   acl.Operation
	path string         // without /v1/; of a list, with a slash at its end
	raw  map[string]any // body or query
	values
	site *site // below a mount with an engine; nil: elsewhere
	evaluation
	outcome
}

// received is what came over the wire, and what goes back.
type received struct {
	http   *http.Request
	writer http.ResponseWriter // of a route that reads a file
	id     token.ID            // what the client sent
	wrap   time.Duration       // the answer is asked for wrapped
	keyed  *keyed              // it may be sent again; nil: it has no Idempotency-Key
}

// evaluation is what authorize found out, at one moment of the local replica.
type evaluation struct {
	identity fsm.Identity
	caller   token.Record
	batch    *fsm.BatchToken // the caller, if it is a batch token that opens
	point    ban.Point       // of the state
	epoch    uint64
	now      token.Instant
	decision acl.Decision
	// replaces: what is written is there already.
	replaces bool
	// fresh: the replica has passed a barrier since the request came.
	fresh bool
	// counted: the attempt to log in has been taken from the client's share.
	counted bool
}

// outcome is what a request has done so far, and what its answer has to say besides data.
type outcome struct {
	trace trace
	// answered: apply has decided on a command, and what it said is final.
	answered bool
	index    uint64 // of the last command
	// age is how old the state may be that a read was served from, -1 if it is fresh.
	age      time.Duration
	warnings []string
	ignored  []string // fields that the operation does not know
	replaced []string // fields that the path decides
}

// newRequest takes what the request line and the headers say.
func (a *api) newRequest(ctx context.Context, r *http.Request) *request {
	return &request{ctx: ctx, api: a, received: received{http: r, id: tokenOf(r)}, path: strings.TrimPrefix(r.URL.Path, "/v1/"), outcome: outcome{age: -1}}
}

// read decodes verb, path, body and the headers that are part of the request.
func (rq *request) read(w http.ResponseWriter, rt *route) error {
	var err error
	var query url.Values
	if rq.op, query, err = operationOf(rq.http); err != nil {
		return err
	}
	switch {
	case rt != nil && rt.file && rq.op == acl.Update:
		rq.writer = w
	case rq.op == acl.Update, rq.op == acl.Patch:
		rq.raw, err = readBody(w, rq.http)
	default:
		if len(query) > 0 {
			rq.raw, err = readQuery(query)
		}
	}
	switch {
	case err != nil:
		return err
	case !utf8.ValidString(rq.path):
		return invalid("the path is not valid UTF-8")
	}
	if err := rq.readConsistency(); err != nil {
		return err
	}
	return rq.readWrapTTL()
}

func (rq *request) readConsistency() error {
	switch v := rq.http.Header.Get("X-Grove-Consistency"); v {
	case "", "stale", "linearizable":
		return nil
	default:
		return invalid("header X-Grove-Consistency: %q is unknown, want linearizable (the default) or stale", v)
	}
}

func (rq *request) readWrapTTL() error {
	v := rq.http.Header.Get("X-Vault-Wrap-TTL")
	if v == "" {
		return nil
	}
	var err error
	if rq.wrap, err = parseDuration(v); err == nil && rq.wrap < 0 {
		err = errors.New("requested wrap ttl cannot be negative")
	}
	if err != nil {
		return invalid("error parsing X-Vault-Wrap-TTL header: %v", err)
	}
	return nil
}

// operationOf maps verb and query to an operation, and returns the rest of the query.
func operationOf(r *http.Request) (acl.Operation, url.Values, error) {
	switch r.Method {
	case http.MethodPost, http.MethodPut:
		return acl.Update, nil, nil
	case http.MethodGet:
		return readOrList(r)
	case "LIST":
		return acl.List, queryOf(r), nil
	case http.MethodDelete:
		return acl.Delete, queryOf(r), nil
	case http.MethodHead:
		return head, queryOf(r), nil
	case http.MethodPatch:
		return acl.Patch, nil, checkPatch(r)
	}
	return 0, nil, fail(http.StatusMethodNotAllowed)
}

func queryOf(r *http.Request) url.Values {
	if r.URL.RawQuery == "" {
		return nil
	}
	return r.URL.Query()
}

// readOrList tells the two by the query parameter list.
func readOrList(r *http.Request) (acl.Operation, url.Values, error) {
	query := queryOf(r)
	v := query.Get("list")
	if v == "" {
		return acl.Read, query, nil
	}
	on, err := strconv.ParseBool(v)
	switch {
	case err != nil:
		return 0, nil, fail(http.StatusBadRequest)
	case !on:
		return acl.Read, query, nil
	}
	delete(query, "list")
	return acl.List, query, nil
}

func checkPatch(r *http.Request) error {
	const merge = "application/merge-patch+json"
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err != nil:
		return invalid("%v", err)
	case kind != merge:
		return fail(http.StatusUnsupportedMediaType, fmt.Sprintf("PATCH requires Content-Type of %s, provided %s", merge, kind))
	}
	return nil
}

// tokenOf returns the token that r carries, "" if none.
func tokenOf(r *http.Request) token.ID {
	if t := r.Header.Get("X-Vault-Token"); t != "" {
		return token.ID(t)
	}
	for _, v := range r.Header["Authorization"] {
		if t, ok := strings.CutPrefix(v, "Bearer "); ok {
			return token.ID(strings.TrimSpace(t))
		}
	}
	return ""
}

// climbs reports whether a path has a segment "..", which nothing serves.
func climbs(path string) bool {
	return strings.Contains(path, "..") && slices.Contains(strings.Split(path, "/"), "..")
}

// mount is the top-level mount_type of answers below the request's path.
func (rq *request) mount() string {
	switch {
	case strings.HasPrefix(rq.path, "sys/"):
		return "system"
	case strings.HasPrefix(rq.path, cubbyholePath):
		return "cubbyhole"
	}
	return "token"
}

// asker is the caller as a command carries it. A batch token is in no command: propose wraps it.
func (rq *request) asker() fsm.Caller {
	if rq.caller.Type == token.Batch {
		return fsm.Caller{Epoch: rq.epoch}
	}
	return fsm.Caller{Token: rq.caller.Hash, Epoch: rq.epoch}
}

// propose replicates c, which was made with asker. errStale makes the adapter start over;
// any other error is the answer. A refusal by apply is an error too.
func (rq *request) propose(c fsm.Command) (fsm.Result, error) {
	c, err := rq.carried(c)
	if err != nil {
		return fsm.Result{}, err
	}
	if rq.keyed != nil {
		if c, err = rq.once(c); err != nil {
			return fsm.Result{}, err
		}
	}
	r, err := rq.api.store.Propose(rq.ctx, c)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return r, fsm.Errorf(fsm.OutcomeUnknown, "no answer in time: whether the write was applied is unknown")
	case err != nil:
		return r, err
	case r.Stale:
		return r, errStale
	}
	if rq.keyed != nil {
		if err := rq.keyed.refused(&r); err != nil {
			rq.answered = !errors.Is(err, errStale)
			return r, err
		}
	}
	rq.answered, rq.index = true, r.Index
	return r, r.Err()
}

// carried is c as it is proposed: that of a batch token brings the token along.
func (rq *request) carried(c fsm.Command) (fsm.Command, error) {
	if rq.caller.Type != token.Batch {
		return c, nil
	}
	return fsm.NewByBatch(rq.batch, c)
}

// hash is the stored form of an ID.
func (rq *request) hash(id token.ID) token.Hash { return rq.api.hasher(rq.identity.Salt).hash(id) }

// warn adds a warning to the answer.
func (rq *request) warn(format string, args ...any) {
	rq.warnings = append(rq.warnings, fmt.Sprintf(format, args...))
}

// find looks a token up on the local replica. The caller is found even when this request
// took its last use.
func (rq *request) find(t fsm.Target) (rec token.Record, ok bool) {
	switch {
	case rq.caller.Hash == t.Token, t.Accessor != "" && rq.caller.Accessor == t.Accessor:
		return rq.caller, true
	}
	rq.api.store.View(func(m *fsm.Machine) {
		if t.Token.IsZero() {
			rec, ok = m.LookupAccessor(t.Accessor, rq.now)
		} else {
			rec, ok = m.Lookup(t.Token, rq.now)
		}
	})
	return rec, ok
}
