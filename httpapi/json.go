package httpapi

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// The answers that every request needs are written here without reflection, byte for byte
// as encoding/json writes them (TestJSONWriter holds them to it); the rest by encoding/json.

// jsonWriter appends JSON to b. err is what encoding/json said about a value that was left to it.
type jsonWriter struct {
	b   []byte
	err error
}

// name starts a member of an object whose members so far end in b.
func (w *jsonWriter) name(n string) {
	if last := w.b[len(w.b)-1]; last != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, n...) // the names here need no escapes
	w.b = append(w.b, '"', ':')
}

// any leaves v to encoding/json.
func (w *jsonWriter) any(v any) {
	b, err := json.Marshal(v)
	w.b, w.err = append(w.b, b...), cmp.Or(w.err, err)
}

// text writes a string. One with characters that encoding/json escapes is left to it.
func (w *jsonWriter) text(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			w.any(s)
			return
		}
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

func (w *jsonWriter) int(n int64)  { w.b = strconv.AppendInt(w.b, n, 10) }
func (w *jsonWriter) bool(v bool)  { w.b = strconv.AppendBool(w.b, v) }
func (w *jsonWriter) null()        { w.b = append(w.b, "null"...) }
func (w *jsonWriter) begin(c byte) { w.b = append(w.b, c) }
func (w *jsonWriter) end(c byte)   { w.b = append(w.b, c) }

// time writes t, null if there is none.
func (w *jsonWriter) time(t *time.Time) {
	if t == nil {
		w.null()
		return
	}
	w.b = append(w.b, '"')
	w.b = t.AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

func (w *jsonWriter) texts(list []string) {
	if list == nil {
		w.null()
		return
	}
	w.begin('[')
	for i, s := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(s)
	}
	w.end(']')
}

func (w *jsonWriter) pairs(m map[string]string) {
	switch len(m) {
	case 0:
		if m == nil {
			w.null()
		} else {
			w.b = append(w.b, "{}"...)
		}
		return
	case 1:
	default:
		w.sortedPairs(m)
		return
	}
	w.begin('{')
	for k, v := range m { // order: one only
		w.text(k)
		w.b = append(w.b, ':')
		w.text(v)
	}
	w.end('}')
}

func (w *jsonWriter) sortedPairs(m map[string]string) {
	w.begin('{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.text(k)
		w.b = append(w.b, ':')
		w.text(m[k])
	}
	w.end('}')
}

// envelope writes the whole of an answer.
func (w *jsonWriter) envelope(e *envelope) {
	w.begin('{')
	w.name("request_id")
	w.text(e.RequestID)
	w.name("lease_id")
	w.text(e.LeaseID)
	w.name("renewable")
	w.bool(e.Renewable)
	w.name("lease_duration")
	w.int(e.LeaseDuration)
	w.name("data")
	switch d := e.Data.(type) {
	case nil:
		w.null()
	case *tokenData:
		w.token(d)
	default:
		w.any(d)
	}
	w.name("wrap_info")
	if e.WrapInfo == nil {
		w.null()
	} else {
		w.any(e.WrapInfo)
	}
	w.name("warnings")
	w.texts(e.Warnings)
	w.name("auth")
	if e.Auth == nil {
		w.null()
	} else {
		w.auth(e.Auth)
	}
	w.name("mount_type")
	w.text(e.MountType)
	w.end('}')
}

func (w *jsonWriter) auth(a *auth) {
	w.begin('{')
	w.name("client_token")
	w.text(string(a.ClientToken))
	w.name("accessor")
	w.text(string(a.Accessor))
	w.name("policies")
	w.texts(a.Policies)
	w.name("token_policies")
	w.texts(a.TokenPolicies)
	w.name("metadata")
	w.pairs(a.Metadata)
	w.name("lease_duration")
	w.int(a.LeaseDuration)
	w.name("renewable")
	w.bool(a.Renewable)
	w.name("entity_id")
	w.text(a.EntityID)
	w.name("token_type")
	w.text(a.TokenType)
	w.name("orphan")
	w.bool(a.Orphan)
	w.name("mfa_requirement")
	if a.MFARequirement == nil {
		w.null()
	} else {
		w.any(a.MFARequirement)
	}
	w.name("num_uses")
	w.int(int64(a.NumUses))
	w.end('}')
}

// token writes a lookup's data: as fields that are left out when they are empty say.
func (w *jsonWriter) token(d *tokenData) {
	w.begin('{')
	w.name("accessor")
	w.text(string(d.Accessor))
	if len(d.BoundCIDRs) > 0 {
		w.name("bound_cidrs")
		w.texts(d.BoundCIDRs)
	}
	w.name("creation_time")
	w.int(d.CreationTime)
	w.name("creation_ttl")
	w.int(d.CreationTTL)
	w.name("display_name")
	w.text(d.DisplayName)
	w.name("entity_id")
	w.text(d.EntityID)
	w.name("expire_time")
	w.time(d.ExpireTime)
	w.name("explicit_max_ttl")
	w.int(d.ExplicitMaxTTL)
	w.name("id")
	w.text(string(d.ID))
	if d.IssueTime != nil {
		w.name("issue_time")
		w.time(d.IssueTime)
	}
	if d.LastRenewal != nil {
		w.name("last_renewal")
		w.time(d.LastRenewal)
	}
	if d.LastRenewalTime != 0 {
		w.name("last_renewal_time")
		w.int(d.LastRenewalTime)
	}
	w.name("meta")
	w.pairs(d.Meta)
	w.name("num_uses")
	w.int(int64(d.NumUses))
	w.name("orphan")
	w.bool(d.Orphan)
	w.name("path")
	w.text(d.Path)
	if d.Period != 0 {
		w.name("period")
		w.int(d.Period)
	}
	w.name("policies")
	w.texts(d.Policies)
	if d.Renewable != nil {
		w.name("renewable")
		w.bool(*d.Renewable)
	}
	if d.Role != "" {
		w.name("role")
		w.text(d.Role)
	}
	w.name("ttl")
	w.int(d.TTL)
	w.name("type")
	w.text(d.Type)
	w.end('}')
}
