package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
)

// maxBody is the largest request body.
const maxBody = 32 << 20

// readBody decodes the body of a write into a map: a JSON object, null or nothing, or a
// form. Numbers stay as they were written (json.Number).
func readBody(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, fail(http.StatusRequestEntityTooLarge, fmt.Sprintf("http: request body too large: the limit is %d bytes", maxBody))
	case err != nil:
		return nil, fail(http.StatusBadRequest, "error reading the request body")
	case len(b) == 0:
		return map[string]any{}, nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/x-www-form-urlencoded" {
		return readForm(b)
	}
	return readJSON(b)
}

func readForm(b []byte) (map[string]any, error) {
	vs, err := url.ParseQuery(string(b))
	if err != nil {
		return nil, fail(http.StatusBadRequest, "error parsing form data")
	}
	out := make(map[string]any, len(vs))
	for k, v := range vs {
		if len(v) == 1 {
			out[k] = v[0]
			continue
		}
		list := make([]any, len(v))
		for i := range v {
			list[i] = v[i]
		}
		out[k] = list
	}
	return out, nil
}

func readJSON(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		return nil, fail(http.StatusBadRequest, "error parsing JSON: failed to parse JSON input: "+err.Error())
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fail(http.StatusBadRequest, "error parsing JSON: failed to parse JSON input: data after the top-level value")
	}
	if out == nil {
		out = map[string]any{}
	}
	return out, nil
}
