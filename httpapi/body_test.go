package httpapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestBody(t *testing.T) {
	t.Parallel()
	const form = "application/x-www-form-urlencoded"
	long := strings.Repeat("x", maxString+1)
	for _, c := range []struct {
		name, kind, body string
		want             map[string]any
		status           int // of the refusal
		part             string
	}{
		{"empty", "", "", nil, 0, ""},
		{"white space", "", " \n", nil, 0, ""},
		{"null", "", "null", nil, 0, ""},
		{"object", "", `{"a":"b","n":12345678901234567890}`, obj{"a": "b", "n": json.Number("12345678901234567890")}, 0, ""},
		{"any content type is JSON", "text/plain", `{"a":"b"}`, obj{"a": "b"}, 0, ""},
		{"the last of two keys counts", "", `{"a":1,"a":"b"}`, obj{"a": "b"}, 0, ""},
		{"what follows does not count", "", `{"a":"b"}{"a":"c"}`, obj{"a": "b"}, 0, ""},
		{"not UTF-8", "", "{\"a\":\"\xff\"}", obj{"a": "\ufffd"}, 0, ""},
		{"form", form, "a=b&c=1&c=2", obj{"a": "b", "c": "1,2"}, 0, ""},
		{"form with a parameter", form + "; charset=utf-8", "a=b", obj{"a": "b"}, 0, ""},
		{"JSON that is called a form", form, ` {"a":"b"}`, obj{"a": "b"}, 0, ""},
		{"empty form", form, "", obj{}, 0, ""},
		{"garbage", "", "notjson", nil, 400, "error parsing JSON: failed to parse JSON input: invalid character 'o' in literal null (expecting 'u')"},
		{"cut off", "", `{"a":`, nil, 400, "error parsing JSON: failed to parse JSON input: unexpected EOF"},
		{"list", "", `[]`, nil, 400, "json: cannot unmarshal array into Go value of type map[string]interface {}"},
		{"number", "", `5`, nil, 400, "cannot unmarshal number"},
		{"bad form", form, "a=%zz", nil, 400, "error parsing form data"},
		{"form that is not UTF-8", form, "a=%FF", nil, 400, "error parsing form data"},
		{"long string", "", `{"a":"` + long + `"}`, nil, 400, `field "a": JSON string value exceeds allowed length: at most 1048576 bytes`},
		{"long key", "", `{"` + long + `":1}`, nil, 400, "a field's name exceeds allowed length"},
		{"long key inside", "", `{"a":{"` + long + `":1}}`, nil, 400, `field "a": JSON string value exceeds allowed length`},
		{"long form value", form, "a=" + long, nil, 400, `field "a": JSON string value exceeds allowed length`},
		{"long list", "", `{"a":[` + strings.Repeat("0,", maxElements) + `0]}`, nil, 400, "JSON array exceeds allowed element count"},
		{"deep", "", strings.Repeat(`{"a":`, 20_000), nil, 400, "exceeded max depth"},
		{"too large", "", `{"a":"` + strings.Repeat("x", maxBody) + `"}`, nil, 413, "http: request body too large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest("POST", "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", c.kind)
			got, err := readBody(httptest.NewRecorder(), r)
			if c.status != 0 {
				if err == nil || failureOf(err).status != c.status || !strings.Contains(err.Error(), c.part) {
					t.Errorf("%.100v, %v; want %d with %q", got, err, c.status, c.part)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(got, c.want) {
				t.Errorf("%v, %v; want %v", got, err, c.want)
			}
		})
	}
	var many strings.Builder
	for i := range maxElements + 1 {
		fmt.Fprintf(&many, `,"k%d":1`, i)
	}
	if _, err := readJSON([]byte("{" + many.String()[1:] + "}")); err == nil || !strings.Contains(err.Error(), "JSON object exceeds allowed entry count") {
		t.Errorf("an object with many keys: %v", err)
	}
}

func FuzzBody(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"a":"b"}`, `null`, `[1]`, `a=b&a=c`, "a=%ff", "{\"a\":\"\xff\"}", `{"a":{"b":[1,2,{"c":null}]}}`} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, b []byte, form bool) {
		r := httptest.NewRequest("POST", "/", bytes.NewReader(b))
		if form {
			r.Header.Set("Content-Type", formType)
		}
		body, err := readBody(httptest.NewRecorder(), r)
		if err != nil {
			if s := failureOf(err).status; s != http.StatusBadRequest && s != http.StatusRequestEntityTooLarge {
				t.Fatalf("%q: status %d", b, s)
			}
			return
		}
		if !textOnly(body) {
			t.Fatalf("%q gives %v, which is not all UTF-8", b, body)
		}
	})
}

// textOnly reports whether all strings in v are UTF-8.
func textOnly(v any) bool {
	switch v := v.(type) {
	case string:
		return utf8.ValidString(v)
	case []any:
		for _, e := range v {
			if !textOnly(e) {
				return false
			}
		}
	case map[string]any:
		for k, e := range v {
			if !utf8.ValidString(k) || !textOnly(e) {
				return false
			}
		}
	}
	return true
}
