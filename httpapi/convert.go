package httpapi

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// kind is the type of a field. The conversions are as lenient as the reference's: numbers
// and booleans may be strings, and the other way round; a single value may stand for a list.
type kind uint8

const (
	text    kind = 1
	integer kind = 2
	boolean kind = 3
	seconds kind = 4 // a duration that is not negative, in whole seconds: "1h30m", "2d", 3600 or "3600"
	strs    kind = 5 // a list, or a string with commas
	list    kind = 6 // a list; a string is one element
	pairs   kind = 7 // a map of strings
	object  kind = 8 // a map as it was sent
	signed  kind = 9 // seconds that may be negative
)

func (k kind) convert(v any) (any, error) {
	switch k {
	case text:
		return toText("", v)
	case integer:
		return toInt(v)
	case boolean:
		return toBool(v)
	case seconds:
		return toSeconds(v)
	case signed:
		return toSigned(v)
	case strs:
		return toStrings(v, true)
	case list:
		return toStrings(v, false)
	case object:
		if v == nil {
			return map[string]any{}, nil
		}
		if m, ok := v.(map[string]any); ok {
			return m, nil
		}
		return nil, fmt.Errorf("'' expected a map, got '%s'", reflect.TypeOf(v).Kind())
	}
	return toPairs(v)
}

// mismatch is the wording of the reference's decoder. name is "" for the field itself.
func mismatch(name, want string, v any) error {
	return fmt.Errorf("'%s' expected type '%s', got unconvertible type '%T', value: '%v'", name, want, v, v)
}

func toText(name string, v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
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
	return "", mismatch(name, "string", v)
}

func toInt(v any) (int64, error) {
	var s string
	switch v := v.(type) {
	case nil:
		return 0, nil
	case bool:
		if v {
			return 1, nil
		}
		return 0, nil
	case json.Number:
		s = v.String()
	case string:
		s = v
	default:
		return 0, mismatch("", "int", v)
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
	var s string
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case json.Number:
		s = v.String()
	case string:
		s = v
	default:
		return false, mismatch("", "bool", v)
	}
	if s == "" {
		return false, nil
	}
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("cannot parse '' as bool: %w", err)
	}
	return b, nil
}

func toSeconds(v any) (time.Duration, error) {
	d, err := toSigned(v)
	if err == nil && d < 0 {
		return 0, fmt.Errorf("cannot provide negative value '%d'", wholeSeconds(d))
	}
	return d, err
}

func toSigned(v any) (time.Duration, error) {
	var d time.Duration
	var err error
	switch v := v.(type) {
	case json.Number:
		d, err = parseDuration(v.String())
	case string:
		d, err = parseDuration(v)
	default:
		return 0, errors.New("could not parse duration from input")
	}
	if err != nil {
		return 0, err
	}
	return d.Truncate(time.Second), nil
}

// parseDuration reads seconds, days ("2d") or a Go duration; "" is 0.
func parseDuration(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return times(n, time.Second)
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil {
			return 0, err
		}
		return times(n, 24*time.Hour)
	}
	return time.ParseDuration(s)
}

func times(n int64, unit time.Duration) (time.Duration, error) {
	if limit := math.MaxInt64 / int64(unit); n > limit || n < -limit {
		return 0, errors.New("multiplication of durations resulted in overflow")
	}
	return time.Duration(n) * unit, nil
}

// toStrings reads a list. Where commas separate, a number is read like a string of its digits.
func toStrings(v any, commas bool) ([]string, error) {
	var in []any
	switch v := v.(type) {
	case nil:
		return []string{}, nil
	case []any:
		in = v
	case []string:
		return trimmed(v), nil
	case json.Number:
		return toStrings(v.String(), commas)
	case string:
		switch {
		case v == "":
			return []string{}, nil
		case commas:
			return trimmed(strings.Split(v, ",")), nil
		}
		in = []any{v}
	case map[string]any:
		if len(v) > 0 {
			in = []any{v}
		}
	default:
		in = []any{v}
	}
	out := make([]string, 0, len(in))
	var bad []string
	for i, e := range in {
		s, err := toText(fmt.Sprintf("[%d]", i), e)
		if err != nil {
			bad = append(bad, "* "+err.Error())
		}
		out = append(out, strings.TrimSpace(s))
	}
	return out, several(bad)
}

func trimmed(in []string) []string {
	out := make([]string, len(in))
	for i, s := range in {
		out[i] = strings.TrimSpace(s)
	}
	return out
}

// several is how the reference's decoder reports the elements that it could not convert.
func several(bad []string) error {
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("%d error(s) decoding:\n\n%s", len(bad), strings.Join(bad, "\n"))
}

func toPairs(v any) (map[string]string, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		out := make(map[string]string, len(v))
		var bad []string
		for _, k := range sortedKeys(v) {
			s, err := toText("["+k+"]", v[k])
			if err != nil {
				bad = append(bad, "* "+err.Error())
			}
			out[k] = s
		}
		return out, several(bad)
	case []any:
		if len(v) == 0 {
			return nil, nil
		}
	}
	return nil, fmt.Errorf("'' expected a map, got '%s'", reflect.TypeOf(v).Kind())
}
