package acl

import (
	"encoding/json"
	"slices"
	"strings"
)

// constraints are the values listed for parameters, by name in lower case. An empty list
// stands for any value.
type constraints map[string][]any

// newConstraints decodes the values, which are JSON.
func newConstraints(in map[string][]string) constraints {
	if len(in) == 0 {
		return nil
	}
	out := make(constraints, len(in))
	for k, texts := range in {
		vs := make([]any, len(texts))
		for i, text := range texts {
			vs[i] = decoded(text)
		}
		out[k] = vs
	}
	return out
}

// decoded returns the value of JSON text; what is not JSON is equal to nothing.
func decoded(text string) any {
	if n := len(text); n > 1 && text[0] == '"' && text[n-1] == '"' && strings.IndexByte(text, '\\') < 0 {
		return text[1 : n-1]
	}
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return struct{}{}
	}
	return v
}

// parameters checks the data of r against required, denied and allowed parameters.
func (p *permission) parameters(r *Request) bool {
	if r.Op == Delete || r.Op == List {
		return true
	}
	for _, k := range p.required {
		if _, ok := r.Data[k]; !ok {
			return false
		}
	}
	return len(r.Data) == 0 || (!p.denied.deny(r.Data) && p.allowed.allow(r.Data))
}

func (c constraints) deny(data map[string]any) bool {
	if len(c) == 0 {
		return false
	}
	if _, all := c["*"]; all {
		return true
	}
	for k, v := range data {
		key := strings.ToLower(k)
		list, ok := c[key]
		if !ok {
			continue
		}
		if v = normal(key, v); len(list) == 0 || listed(v, list) || slices.ContainsFunc(elements(v), func(e any) bool { return listed(e, list) }) {
			return true
		}
	}
	return false
}

func (c constraints) allow(data map[string]any) bool {
	_, all := c["*"]
	if len(c) == 0 || (all && len(c) == 1) {
		return true
	}
	for k, v := range data {
		key := strings.ToLower(k)
		list, ok := c[key]
		switch {
		case !ok && !all:
			return false
		case ok && len(list) > 0 && !allListed(normal(key, v), list):
			return false
		}
	}
	return true
}

// allListed reports whether list has v, or each element of v.
func allListed(v any, list []any) bool {
	if listed(v, list) {
		return true
	}
	switch v.(type) {
	case string, []string, []any:
		return !slices.ContainsFunc(elements(v), func(e any) bool { return !listed(e, list) })
	}
	return false
}

// elements returns the elements of a list, which may be written as a string with commas.
func elements(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case []string: // of a query
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = e
		}
		return out
	case string:
		if v == "" {
			return nil
		}
		var out []any
		for e := range strings.SplitSeq(v, ",") {
			out = append(out, strings.TrimSpace(e))
		}
		return out
	}
	return nil
}

// normal lower-cases the names of policies, as they will be stored: otherwise "Admin" would
// pass where "admin" is denied.
func normal(key string, v any) any {
	if key != "policies" && key != "token_policies" {
		return v
	}
	switch v := v.(type) {
	case string:
		return strings.ToLower(v)
	case []string:
		return normal(key, elements(v))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = e
			if s, ok := e.(string); ok {
				out[i] = strings.ToLower(s)
			}
		}
		return out
	}
	return v
}

// listed reports whether list has v. Strings may have a "*" at either end.
func listed(v any, list []any) bool {
	s, isString := v.(string)
	for _, w := range list {
		if pattern, ok := w.(string); ok {
			if isString && endGlob(pattern, s) {
				return true
			}
		} else if same(w, v) {
			return true
		}
	}
	return false
}

// same reports whether a listed value and one of a request are equal. A number of a request
// is equal to none: the reference compares the digits of a request with a number of the
// policy, which are of different types. Objects are equal to none for a like reason.
func same(a, b any) bool {
	switch a := a.(type) {
	case nil:
		return b == nil
	case bool:
		x, ok := b.(bool)
		return ok && a == x
	case string:
		x, ok := b.(string)
		return ok && a == x
	case []any:
		x, ok := b.([]any)
		return ok && slices.EqualFunc(a, x, same)
	}
	return false
}

// endGlob reports whether s matches pattern, in which "*" at either end stands for anything;
// "*" alone is no pattern.
func endGlob(pattern, s string) bool {
	if len(pattern) < 2 {
		return s == pattern
	}
	inner, open := strings.CutPrefix(pattern, "*")
	inner, end := strings.CutSuffix(inner, "*")
	switch {
	case open && end:
		return strings.Contains(s, inner)
	case end:
		return strings.HasPrefix(s, inner)
	case open:
		return strings.HasSuffix(s, inner)
	}
	return s == pattern
}
