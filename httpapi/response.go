package httpapi

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// response is what a handler answers. A nil response, or one with nothing to say, is 204.
type response struct {
	status   int // 0: 200
	data     any
	auth     *auth
	warnings []string
	// flat repeats data's keys at the top level, as the reference does below sys/.
	flat bool
	// bare is the whole body, without envelope.
	bare any
	// mount is the top-level mount_type.
	mount string
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
	policies := rec.Policies
	if policies == nil {
		policies = []string{}
	}
	return &auth{
		ClientToken: id, Accessor: rec.Accessor, Policies: policies, TokenPolicies: policies, Metadata: rec.Meta,
		LeaseDuration: wholeSeconds(ttl), Renewable: rec.Renewable, TokenType: rec.Type.String(), Orphan: rec.Orphan(), NumUses: rec.NumUses,
	}
}

func wholeSeconds(d time.Duration) int64 { return int64(d / time.Second) }

// write sends the answer to rq.
func (a *api) write(w http.ResponseWriter, rq *request, rs *response) {
	if rq.index > 0 {
		i := strconv.FormatUint(rq.index, 10)
		w.Header().Set("X-Vault-Index", i)
		w.Header().Set("X-Grove-Index", i)
	}
	warnings := rq.warnings
	if rs != nil {
		warnings = append(rs.warnings, warnings...)
	}
	if rs == nil || (rs.data == nil && rs.auth == nil && rs.bare == nil && rs.status == 0) {
		if len(warnings) == 0 {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		rs = &response{mount: rq.mount()}
	}
	status := rs.status
	if status == 0 {
		status = http.StatusOK
	}
	if rs.bare != nil {
		a.writeJSON(w, status, rs.bare)
		return
	}
	e := envelope{RequestID: a.requestID(), Data: rs.data, Warnings: warnings, Auth: rs.auth, MountType: rs.mount}
	if m, ok := rs.data.(map[string]any); ok && rs.flat {
		a.writeJSON(w, status, e.flatten(m))
		return
	}
	a.writeJSON(w, status, e)
}

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

func (a *api) writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		a.log.Error("encoding an answer", "error", err)
		status, b = http.StatusInternalServerError, []byte(`{"errors":["internal error"]}`)
	}
	w.WriteHeader(status)
	w.Write(append(b, '\n'))
}

// writeFailure sends an error answer.
func (a *api) writeFailure(w http.ResponseWriter, f *failure) {
	if f.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "1")
	}
	texts := f.texts
	if texts == nil {
		texts = []string{}
	}
	a.writeJSON(w, f.status, map[string][]string{"errors": texts})
}
