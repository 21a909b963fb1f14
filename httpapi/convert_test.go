package httpapi

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestConvert(t *testing.T) {
	t.Parallel()
	num := func(s string) json.Number { return json.Number(s) }
	const want = "expected type '"
	for _, c := range []struct {
		kind kind
		in   any
		out  any    // if it is accepted
		err  string // if not: a part of the text
	}{
		{text, "a", "a", ""},
		{text, nil, "", ""},
		{text, num("5"), "5", ""},
		{text, true, "1", ""},
		{text, false, "0", ""},
		{text, arr{"a"}, nil, "'' expected type 'string', got unconvertible type '[]interface {}', value: '[a]'"},
		{text, []string{"a", "b"}, nil, want + "string'"},
		{integer, num("5"), int64(5), ""},
		{integer, num("-5"), int64(-5), ""},
		{integer, "0x10", int64(16), ""},
		{integer, "", int64(0), ""},
		{integer, nil, int64(0), ""},
		{integer, true, int64(1), ""},
		{integer, false, int64(0), ""},
		{integer, "abc", nil, `cannot parse '' as int: strconv.ParseInt: parsing "abc": invalid syntax`},
		{integer, num("1.5"), nil, "invalid syntax"},
		{integer, num("99999999999999999999"), nil, "value out of range"},
		{integer, obj{"a": num("1")}, nil, "'' expected type 'int', got unconvertible type 'map[string]interface {}', value: 'map[a:1]'"},
		{boolean, true, true, ""},
		{boolean, nil, false, ""},
		{boolean, "", false, ""},
		{boolean, "T", true, ""},
		{boolean, num("1"), true, ""},
		{boolean, num("0"), false, ""},
		{boolean, num("2"), nil, `cannot parse '' as bool: strconv.ParseBool: parsing "2": invalid syntax`},
		{boolean, "maybe", nil, `strconv.ParseBool: parsing "maybe": invalid syntax`},
		{boolean, arr{}, nil, want + "bool'"},
		{seconds, num("90"), 90 * time.Second, ""},
		{seconds, "90", 90 * time.Second, ""},
		{seconds, "1h30m", 90 * time.Minute, ""},
		{seconds, "2d", 48 * time.Hour, ""},
		{seconds, "1500ms", time.Second, ""},
		{seconds, "", time.Duration(0), ""},
		{seconds, num("-5"), nil, "cannot provide negative value '-5'"},
		{seconds, "-1h", nil, "cannot provide negative value '-3600'"},
		{seconds, "xd", nil, `parsing "x": invalid syntax`},
		{seconds, "5 m", nil, "unknown unit"},
		{seconds, num("1.5"), nil, "missing unit"},
		{seconds, true, nil, "could not parse duration from input"},
		{seconds, arr{}, nil, "could not parse duration from input"},
		{seconds, "9223372037", nil, "overflow"},
		{seconds, "-9223372037", nil, "overflow"},
		{seconds, "999999999d", nil, "overflow"},
		{strs, "a, b,,c", []string{"a", "b", "", "c"}, ""},
		{strs, "", []string{}, ""},
		{strs, nil, []string{}, ""},
		{strs, num("5"), []string{"5"}, ""},
		{strs, true, []string{"1"}, ""},
		{strs, arr{" a ", num("5"), true, nil}, []string{"a", "5", "1", ""}, ""},
		{strs, []string{" a", "b "}, []string{"a", "b"}, ""},
		{strs, obj{}, []string{}, ""},
		{strs, arr{"a", obj{}}, nil, "1 error(s) decoding:\n\n* '[1]' expected type 'string', got unconvertible type 'map[string]interface {}', value: 'map[]'"},
		{strs, obj{"a": "b"}, nil, "'[0]' expected type 'string'"},
		{list, "a,b", []string{"a,b"}, ""},
		{list, num("5"), []string{"5"}, ""},
		{list, arr{"a,b", "c"}, []string{"a,b", "c"}, ""},
		{pairs, obj{"a": "b", "c": num("1"), "d": true, "e": nil}, map[string]string{"a": "b", "c": "1", "d": "1", "e": ""}, ""},
		{pairs, nil, map[string]string(nil), ""},
		{pairs, arr{}, map[string]string(nil), ""},
		{pairs, "a=b", nil, "expected a map, got 'string'"},
		{pairs, arr{"a=b"}, nil, "expected a map, got 'slice'"},
		{pairs, obj{"a": arr{}, "b": obj{}}, nil, "2 error(s) decoding:\n\n* '[a]' expected type 'string'"},
	} {
		got, err := c.kind.convert(c.in)
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("kind %d of %#v: %v, %v; want an error with %q", c.kind, c.in, got, err, c.err)
		case c.err == "" && (err != nil || !reflect.DeepEqual(got, c.out)):
			t.Errorf("kind %d of %#v: %#v, %v; want %#v", c.kind, c.in, got, err, c.out)
		}
	}
}

func TestDecode(t *testing.T) {
	t.Parallel()
	s := schema{"n": integer, "d": seconds, "name": text}
	v, ignored, replaced, err := s.decode(obj{"n": nil, "d": nil, "zz": 1, "aa": 2, "name": "x"}, map[string]string{"name": "y", "_": "/"})
	if err != nil || v.text("name") != "y" || !v.has("n") || v.has("d") || v.integer("n") != 0 {
		t.Errorf("values %v, %v", v, err)
	}
	if got := ignoredWarning(ignored); got != "Endpoint ignored these unrecognized parameters: [aa zz]" {
		t.Error(got)
	}
	if got := replacedWarning(replaced); !strings.HasSuffix(got, "from the endpoint's path: [name]") {
		t.Error(got)
	}
	// Of two faults, the same is always reported.
	for range 20 {
		_, _, _, err := s.decode(obj{"n": "x", "d": "x"}, nil)
		if err == nil || !strings.HasPrefix(err.Error(), `Field validation failed: error converting input for field "d": `) {
			t.Fatalf("two faults: %v", err)
		}
	}
}

func FuzzConvert(f *testing.F) {
	for _, s := range []string{`1`, `"1h"`, `"2d"`, `true`, `null`, `[1,"a",{}]`, `{"a":[1]}`, `"a,b,,"`, `1e99`, `-0`, `"9223372036854775807d"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		body, err := readJSON([]byte(`{"v":` + in + `}`))
		if err != nil {
			return
		}
		for _, k := range []kind{text, integer, boolean, seconds, strs, list, pairs} {
			v, err := k.convert(body["v"])
			if err != nil && err.Error() == "" {
				t.Errorf("kind %d of %s: an error without a text", k, in)
			}
			d, ok := v.(time.Duration)
			if err == nil && ok && (d < 0 || d%time.Second != 0) {
				t.Errorf("%s: duration %s", in, d)
			}
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	for _, s := range []string{"", "1", "-1", "1h30m", "2d", "-2d", "9223372036", "9223372037", "1.5h", "d", "106751d", "106752d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		d, err := parseDuration(in)
		if err != nil {
			return
		}
		// What was read in seconds or days is exact, or an error: it never wraps around.
		var n json.Number = json.Number(in)
		if s, err := n.Int64(); err == nil && s <= math.MaxInt64/int64(time.Second) && s >= math.MinInt64/int64(time.Second) && d != time.Duration(s)*time.Second {
			t.Errorf("%q: %s", in, d)
		}
		if strings.HasPrefix(in, "-") && d > 0 {
			t.Errorf("%q: %s is positive", in, d)
		}
	})
}
