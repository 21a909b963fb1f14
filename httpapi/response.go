package httpapi

import (
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm/token"
)

// response is what a handler answers. nil with no warnings is 204.
type response struct {
	status   int // 0: 200
	data     any
	auth     *auth
	lease    leaseInfo
	warnings []string
	// flat repeats data's keys at the top level, as the reference does below sys/.
	flat bool
	// rendered is the whole body, as it was rendered before.
	rendered []byte
	// bare is the whole body, without envelope.
	bare any
	// file is the whole body, which is no JSON.
	file *file
	// raw is the whole body, which is for a browser.
	raw *engine.Raw
	// mount is the top-level mount_type.
	mount string
}

// leaseInfo is the lease of what an answer gives out; zero: there is none.
type leaseInfo struct {
	id        string
	renewable bool
	ttl       time.Duration
}

// envelope is the body of most answers, in the reference's order.
type envelope struct {
	RequestID     string   `json:"request_id"`
	LeaseID       string   `json:"lease_id"`
	Renewable     bool     `json:"renewable"`
	LeaseDuration int64    `json:"lease_duration"`
	Data          any      `json:"data"`
	WrapInfo      any      `json:"wrap_info"`
	Warnings      []string `json:"warnings"`
	Auth          *auth    `json:"auth"`
	MountType     string   `json:"mount_type"`
}

// auth is the part of an answer that issues or renews a token.
type auth struct {
	ClientToken    token.ID          `json:"client_token"`
	Accessor       token.Accessor    `json:"accessor"`
	Policies       []string          `json:"policies"`
	TokenPolicies  []string          `json:"token_policies"`
	Metadata       map[string]string `json:"metadata"`
	LeaseDuration  int64             `json:"lease_duration"`
	Renewable      bool              `json:"renewable"`
	EntityID       string            `json:"entity_id"`
	TokenType      string            `json:"token_type"`
	Orphan         bool              `json:"orphan"`
	MFARequirement any               `json:"mfa_requirement"`
	NumUses        uint32            `json:"num_uses"`
}

// authOf renders a token. id is "" where the request did not know it.
func authOf(id token.ID, rec *token.Record, ttl time.Duration) *auth {
	policies := orEmpty(rec.Policies)
	return &auth{
		ClientToken: id, Accessor: rec.Accessor, Policies: policies, TokenPolicies: policies, Metadata: rec.Meta,
		LeaseDuration: wholeSeconds(ttl), Renewable: rec.Renewable, EntityID: rec.Login.Entity, TokenType: rec.Type.String(), Orphan: rec.Orphan(), NumUses: rec.NumUses,
	}
}

func wholeSeconds(d time.Duration) int64 { return int64(d / time.Second) }

// orEmpty makes sure that an empty list is shown as one, and not as null.
func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

// keys is the answer to a list; an empty one is 404.
func keys[T ~string](names []T, mount string) (*response, error) {
	if len(names) == 0 {
		return nil, errNotFound
	}
	return &response{data: map[string]any{"keys": names}, mount: mount}, nil
}

// writeHeaders sets what an answer says besides its body, also when it is a refusal.
func (a *api) writeHeaders(w http.ResponseWriter, rq *request) {
	if rq.index > 0 {
		i := []string{strconv.FormatUint(rq.index, 10)}
		h := w.Header()
		h["X-Vault-Index"], h["X-Grove-Index"] = i, i
	}
	if rq.keyed != nil && rq.keyed.replayed {
		w.Header().Set("Idempotency-Replayed", "true")
	}
	if rq.age >= 0 {
		w.Header().Set("X-Grove-Age-Ms", strconv.FormatInt(rq.age.Milliseconds(), 10))
	}
}

// write sends the answer to rq. What was wrong with the fields is only said in an answer
// that has a body anyway, as the reference does.
func (a *api) write(w http.ResponseWriter, rq *request, rs *response) {
	if rs == nil {
		if len(rq.warnings) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		rs = &response{mount: rq.mount()}
	}
	status := rs.status
	if status == 0 {
		status = http.StatusOK
	}
	if rs.file != nil {
		a.sendFile(w, rq, rs.file)
		return
	}
	if rs.raw != nil {
		h := w.Header()
		h["Content-Type"] = []string{rs.raw.ContentType}
		for name, v := range rs.raw.Headers { // order: a map of them
			h.Set(name, v)
		}
		a.send(w, status, rs.raw.Body, nil)
		return
	}
	if rs.rendered != nil {
		a.send(w, status, rs.rendered, nil)
		return
	}
	if rs.bare != nil {
		a.writeJSON(w, status, rs.bare)
		return
	}
	e := envelope{
		RequestID: rq.requestID(), LeaseID: rs.lease.id, Renewable: rs.lease.renewable, LeaseDuration: wholeSeconds(rs.lease.ttl), Data: rs.data, Warnings: rq.allWarnings(rs), Auth: rs.auth, MountType: rs.mount,
	}
	if m, ok := rs.data.(map[string]any); ok && rs.flat {
		a.writeJSON(w, status, e.flatten(m))
		return
	}
	buf := buffers.Get().(*[]byte)
	j := jsonWriter{b: (*buf)[:0]}
	j.envelope(&e)
	a.send(w, status, append(j.b, '\n'), j.err)
	if *buf = j.b; cap(j.b) <= maxBuffer {
		buffers.Put(buf)
	}
}

// allWarnings are those of the answer and of the request, and what was wrong with the fields.
func (rq *request) allWarnings(rs *response) []string {
	all := append(rs.warnings, rq.warnings...)
	if len(rq.ignored) > 0 {
		all = append(all, ignoredWarning(rq.ignored))
	}
	if len(rq.replaced) > 0 {
		all = append(all, replacedWarning(rq.replaced))
	}
	return all
}

// buffers holds the memory of answers that were sent; larger ones than maxBuffer are not kept.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

const maxBuffer = 16 << 10

// flatten puts the keys of data beside those of the envelope.
func (e envelope) flatten(data map[string]any) map[string]any {
	out := maps.Clone(data)
	for k, v := range map[string]any{
		"request_id": e.RequestID, "lease_id": "", "renewable": false, "lease_duration": 0, "data": data,
		"wrap_info": nil, "warnings": e.Warnings, "auth": nil, "mount_type": e.MountType,
	} {
		out[k] = v
	}
	return out
}

// requestID names the request and its answer.
func (rq *request) requestID() string {
	if rq.trace.id == "" {
		rq.trace.id = rq.newRequestID()
	}
	return rq.trace.id
}

// requestID names an answer. It is no secret, and an answer is not lost for want of one.
func (a *api) requestID() string {
	var b [16]byte
	if _, err := io.ReadFull(a.cfg.Rand, b[:]); err != nil {
		a.log.Error("no randomness for a request ID", "error", err)
	}
	return formatUUID(b)
}

// formatUUID makes a UUID of random bytes (RFC 9562, version 4).
func formatUUID(b [16]byte) string {
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	var out [36]byte
	hex.Encode(out[:8], b[:4])
	hex.Encode(out[9:13], b[4:6])
	hex.Encode(out[14:18], b[6:8])
	hex.Encode(out[19:23], b[8:10])
	hex.Encode(out[24:], b[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

func (a *api) writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	a.send(w, status, append(b, '\n'), err)
}

// send writes a body. err is why there is none.
func (a *api) send(w http.ResponseWriter, status int, b []byte, err error) {
	if err != nil {
		a.log.Error("encoding an answer", "error", err)
		status, b = http.StatusInternalServerError, []byte("{\"errors\":[\"internal error\"]}\n")
	}
	w.WriteHeader(status)
	if _, err := w.Write(b); err != nil {
		a.log.Debug("the client left before its answer", "error", err)
	}
}

// writeFailure sends an error answer.
func (a *api) writeFailure(w http.ResponseWriter, f *failure) {
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	a.writeJSON(w, f.status, map[string][]string{"errors": orEmpty(f.texts)})
}
