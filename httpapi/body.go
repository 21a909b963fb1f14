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
	"strings"
	"unicode/utf8"
)

// maxBody is the largest request body.
const maxBody = 32 << 20

// formType is the only content type that matters: any other body is JSON.
const formType = "application/x-www-form-urlencoded"

// readBody decodes the body of a write into a map: a JSON object, null or nothing, or a
// form. Numbers stay as they were written (json.Number). All strings are valid UTF-8.
func readBody(w http.ResponseWriter, r *http.Request) (map[string]any, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errBodies):
		return nil, errBodies
	case errors.As(err, &large):
		return nil, fail(http.StatusRequestEntityTooLarge, fmt.Sprintf("http: request body too large: the limit is %d bytes", maxBody))
	case err != nil:
		return nil, invalid("error reading data")
	case isForm(b, r.Header.Get("Content-Type")):
		return readForm(b)
	}
	return readJSON(b)
}

// isForm reports whether a body is a form: it says so, and does not look like JSON. Clients
// that send JSON under the content type of curl's -d are common.
func isForm(b []byte, contentType string) bool {
	if len(contentType) < len(formType) {
		return false
	}
	if kind, _, err := mime.ParseMediaType(contentType); err != nil || kind != formType {
		return false
	}
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) == 0 || (b[0] != '{' && b[0] != '[')
}

// readForm takes a field that is sent more than once as a list with commas.
func readForm(b []byte) (map[string]any, error) {
	vs, err := url.ParseQuery(string(b))
	if err != nil || !validValues(vs) {
		return nil, invalid("error parsing form data")
	}
	out := make(map[string]any, len(vs))
	for k, v := range vs {
		out[k] = strings.Join(v, ",")
	}
	return out, checkSizes(out)
}

// readQuery is the data of an operation without a body.
func readQuery(vs url.Values) (map[string]any, error) {
	if !validValues(vs) {
		return nil, invalid("the query is not valid UTF-8")
	}
	out := make(map[string]any, len(vs))
	for k, v := range vs {
		if len(v) == 1 {
			out[k] = v[0]
		} else {
			out[k] = v
		}
	}
	return out, nil
}

// validValues reports whether all keys and values are text: what is not must not reach
// the log.
func validValues(vs url.Values) bool {
	for k, v := range vs {
		if !utf8.ValidString(k) {
			return false
		}
		for _, s := range v {
			if !utf8.ValidString(s) {
				return false
			}
		}
	}
	return true
}

// readJSON takes the first value of b; what follows it does not count. The decoder turns
// bytes that are not UTF-8 into U+FFFD.
func readJSON(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil && !errors.Is(err, io.EOF) {
		return nil, invalid("error parsing JSON: failed to parse JSON input: %v", err)
	}
	if len(b) > maxElements {
		return out, checkSizes(out)
	}
	return out, nil
}

// The reference's bounds for the parts of a body.
const (
	maxString   = 1 << 20 // bytes
	maxElements = 10_000  // of a list or an object
)

// checkSizes refuses a body with a part that is too large, and names the field.
func checkSizes(body map[string]any) error {
	if len(body) > maxElements {
		return invalid("JSON object exceeds allowed entry count: at most %d fields are allowed", maxElements)
	}
	for _, name := range sortedKeys(body) {
		if len(name) > maxString {
			return invalid("a field's name exceeds allowed length: at most %d bytes are allowed", maxString)
		}
		if err := checkSize(body[name]); err != nil {
			return invalid("field %q: %v", name, err)
		}
	}
	return nil
}

// checkSize looks at one value and what is in it. The decoder bounds the depth.
func checkSize(v any) error {
	switch v := v.(type) {
	case string:
		if len(v) > maxString {
			return invalid("JSON string value exceeds allowed length: at most %d bytes are allowed", maxString)
		}
	case []any:
		if len(v) > maxElements {
			return invalid("JSON array exceeds allowed element count: at most %d are allowed", maxElements)
		}
		for _, e := range v {
			if err := checkSize(e); err != nil {
				return err
			}
		}
	case map[string]any:
		if len(v) > maxElements {
			return invalid("JSON object exceeds allowed entry count: at most %d are allowed", maxElements)
		}
		for k, e := range v {
			if err := errors.Join(checkSize(k), checkSize(e)); err != nil {
				return err
			}
		}
	}
	return nil
}
