package httpapi

import (
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"
)

// kind is the type of a field.
type kind uint8

const (
	text     kind = 1
	integer  kind = 2
	boolean  kind = 3
	seconds  kind = 4 // a duration: "1h30m", 3600 or "3600"
	strs     kind = 5 // a list, or a comma-separated string
	pairs    kind = 6 // a map of strings, or a list of key=value
	anything kind = 7 // as it is
)

// schema is the fields that an operation of a route takes.
type schema map[string]kind

// values are decoded fields. A field that was not sent, or was null, is not there.
type values map[string]any

// decode checks raw against s. It returns the values and the names that s does not know.
func (s schema) decode(raw map[string]any) (values, []string, error) {
	out := values{}
	var unknown []string
	for name, v := range raw {
		k, ok := s[name]
		if !ok {
			unknown = append(unknown, name)
			continue
		}
		if v == nil {
			continue
		}
		d, err := k.convert(v)
		if err != nil {
			return nil, nil, invalid("Field validation failed: error converting input for field %q: %v", name, err)
		}
		out[name] = d
	}
	sort.Strings(unknown)
	return out, unknown, nil
}

func (k kind) convert(v any) (any, error) {
	switch k {
	case text:
		return toText(v)
	case integer:
		return toInt(v)
	case boolean:
		return toBool(v)
	case seconds:
		return toDuration(v)
	case strs:
		return toStrings(v)
	case pairs:
		return toPairs(v)
	}
	return v, nil
}

// mismatch is the wording of the reference's decoder.
func mismatch(want string, v any) error {
	return fmt.Errorf("'' expected type '%s', got unconvertible type '%T', value: '%v'", want, v, v)
}

func toText(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		if v {
			return "1", nil
		}
		return "0", nil
	}
	return "", mismatch("string", v)
}

func toInt(v any) (int64, error) {
	var s string
	switch v := v.(type) {
	case json.Number:
		s = v.String()
	case string:
		s = v
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	default:
		return 0, mismatch("int", v)
	}
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 0, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot parse '' as int: %w", err)
	}
	return n, nil
}

func toBool(v any) (bool, error) {
	switch v := v.(type) {
	case bool:
		return v, nil
	case json.Number:
		return v.String() != "0", nil
	case string:
		if v == "" {
			return false, nil
		}
		b, err := strconv.ParseBool(v)
		if err != nil {
			return false, fmt.Errorf("cannot parse '' as bool: %w", err)
		}
		return b, nil
	}
	return false, mismatch("bool", v)
}

func toDuration(v any) (time.Duration, error) {
	switch v := v.(type) {
	case json.Number:
		return parseDuration(v.String())
	case string:
		return parseDuration(v)
	}
	return 0, fmt.Errorf("could not parse duration from input of type %T", v)
}

// maxSeconds is how many whole seconds a time.Duration holds.
const maxSeconds = math.MaxInt64 / int64(time.Second)

// parseDuration reads seconds, a Go duration, or days ("2d").
func parseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		if n > maxSeconds || n < -maxSeconds {
			return 0, fmt.Errorf("%d seconds are more than a duration holds", n)
		}
		return time.Duration(n) * time.Second, nil
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseInt(days, 10, 64); err == nil && n <= maxSeconds/86400 && n >= -maxSeconds/86400 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	return time.ParseDuration(s)
}

func toStrings(v any) ([]string, error) {
	var out []string
	switch v := v.(type) {
	case string:
		for _, s := range strings.Split(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, s)
			}
		}
		return out, nil
	case []any:
		for _, e := range v {
			s, err := toText(e)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		}
		return out, nil
	case json.Number:
		return []string{v.String()}, nil
	}
	return nil, mismatch("[]string", v)
}

func toPairs(v any) (map[string]string, error) {
	out := map[string]string{}
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			s, err := toText(e)
			if err != nil {
				return nil, fmt.Errorf("'[%s]' %w", k, err)
			}
			out[k] = s
		}
		return out, nil
	case []any:
		for _, e := range v {
			s, _ := e.(string)
			key, value, ok := strings.Cut(s, "=")
			if !ok {
				return nil, fmt.Errorf("%v is not key=value", e)
			}
			out[key] = value
		}
		return out, nil
	case string:
		if err := json.Unmarshal([]byte(v), &out); err != nil {
			return nil, fmt.Errorf("not a map of strings: %w", err)
		}
		return out, nil
	}
	return nil, mismatch("map[string]string", v)
}

func (v values) text(name string) string           { s, _ := v[name].(string); return s }
func (v values) integer(name string) int64         { n, _ := v[name].(int64); return n }
func (v values) boolean(name string) bool          { b, _ := v[name].(bool); return b }
func (v values) seconds(name string) time.Duration { d, _ := v[name].(time.Duration); return d }
func (v values) strs(name string) []string         { l, _ := v[name].([]string); return l }
func (v values) pairs(name string) map[string]string {
	m, _ := v[name].(map[string]string)
	return m
}

func (v values) has(name string) bool { _, ok := v[name]; return ok }
