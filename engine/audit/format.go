package audit

import (
	"encoding/json"
	"fmt"

	table "github.com/tokengrove/grove/fsm/audit"
)

// format is how a device writes records.
type format struct {
	veil
	elide  bool // lists are written as their length
	prefix string
}

// line returns r as the device writes it, with the line's end.
func (f *format) line(r *Record, hs []table.Header) ([]byte, error) {
	e := r.Entry
	e.Auth = f.auth(r.Auth)
	if r.Request != nil {
		e.Request = f.request(r, hs)
	}
	if r.Response != nil {
		e.Response = f.response(r)
	}
	b, err := json.Marshal(&e)
	if err != nil {
		return nil, fmt.Errorf("encoding an audit record: %w", err)
	}
	out := make([]byte, 0, len(f.prefix)+len(b)+1)
	return append(append(append(out, f.prefix...), b...), '\n'), nil
}

func (f *format) request(r *Record, hs []table.Header) *Request {
	q := *r.Request
	q.ClientToken, q.ClientTokenAccessor = f.text(q.ClientToken), f.accessor(q.ClientTokenAccessor)
	q.Data, q.Headers = f.data(q.Data, r.PlainRequest), f.headers(hs, r.Headers)
	return &q
}

func (f *format) response(r *Record) *Response {
	p := *r.Response
	data := p.Data
	if f.elide && r.Request != nil && r.Request.Operation == "list" {
		data = elided(data)
	}
	p.Auth, p.Data, p.WrapInfo = f.auth(p.Auth), f.data(data, r.PlainResponse), f.wrapInfo(p.WrapInfo)
	return &p
}

// elided is the data of a list with the number of its entries instead of the entries.
func elided(data map[string]any) map[string]any {
	out := make(map[string]any, len(data))
	for k, v := range data { // order: into a map again
		out[k] = v
	}
	switch keys := data["keys"].(type) {
	case []string:
		out["keys"] = len(keys)
	case []any:
		out["keys"] = len(keys)
	}
	if info, ok := data["key_info"].(map[string]any); ok {
		out["key_info"] = len(info)
	}
	return out
}
