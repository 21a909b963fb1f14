package jwt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/tokengrove/grove/engine"
)

// claims are what a token says. Numbers are json.Number.
type claims map[string]any

// parseClaims reads the payload of a token.
func parseClaims(payload []byte) (claims, error) {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var c claims
	switch err := d.Decode(&c); {
	case err != nil:
		return nil, fmt.Errorf("the claims are no JSON object: %w", err)
	case c == nil:
		return nil, errors.New("the claims are no JSON object")
	}
	return c, nil
}

// UnmarshalJSON implements json.Unmarshaler: numbers stay as they are written.
func (c *claims) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var m map[string]any
	err := d.Decode(&m)
	*c = m
	return err
}

// find returns a claim by its name, or by a JSON pointer (RFC 6901) such as "/groups/0"; nil if there is none.
func (c claims) find(name string) any {
	if !strings.HasPrefix(name, "/") {
		return c[name]
	}
	var at any = map[string]any(c)
	for part := range strings.SplitSeq(name[1:], "/") {
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.ParseUint(part, 10, 31)
			if err != nil || i >= uint64(len(v)) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	return at
}

// listOf makes a list of a value or a list of values. ok: it is one.
func listOf(v any) (list []any, ok bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case string, bool, json.Number:
		return []any{v}, true
	}
	return nil, false
}

// textsOf is listOf for texts alone.
func textsOf(v any) (texts []string, ok bool) {
	list, ok := listOf(v)
	for _, e := range list {
		s, isText := e.(string)
		if !isText {
			return nil, false
		}
		texts = append(texts, s)
	}
	return texts, ok
}

// bind reports as an error which claim is not one of the values that are bound to it.
func (c claims) bind(bound claims, globs bool) error {
	for _, name := range sortedNames(bound) {
		value := c.find(name)
		if value == nil {
			return fmt.Errorf("claim %q is missing", name)
		}
		got, ok := listOf(value)
		if !ok {
			return fmt.Errorf("received claim is not a string, bool, int or list: %q", name)
		}
		want, ok := listOf(bound[name])
		if !ok {
			return fmt.Errorf("bound claim is not a string, bool, int or list: %v", bound[name])
		}
		if !anyEqual(want, got, globs) {
			return fmt.Errorf("claim %q does not match any associated bound claim values", name)
		}
	}
	return nil
}

func anyEqual(want, got []any, globs bool) bool {
	for _, w := range want {
		for _, g := range got {
			if sameValue(w, g, globs) {
				return true
			}
		}
	}
	return false
}

// sameValue compares values of one type. Only texts can be globs.
func sameValue(want, got any, globs bool) bool {
	switch w := want.(type) {
	case string:
		g, ok := got.(string)
		return ok && (w == g || globs && engine.Glob(w, g))
	case bool:
		g, ok := got.(bool)
		return ok && w == g && !globs
	case json.Number:
		g, ok := got.(json.Number)
		return ok && sameNumber(w, g) && !globs
	}
	return false
}

// sameNumber compares whole numbers exactly, and others as floating-point numbers.
func sameNumber(a, b json.Number) bool {
	if a == b {
		return true
	}
	i, errA := a.Int64()
	j, errB := b.Int64()
	if errA == nil && errB == nil {
		return i == j
	}
	x, errA := a.Float64()
	y, errB := b.Float64()
	return errA == nil && errB == nil && x == y
}

// mapped copies claims into the metadata of a token.
func (c claims) mapped(mappings map[string]string) (map[string]string, error) {
	meta := map[string]string{}
	for source, target := range mappings { // order: targets differ
		value := c.find(source)
		if value == nil {
			continue
		}
		s, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("error converting claim '%s' to string", source)
		}
		meta[target] = s
	}
	return meta, nil
}
