package jwt

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

func parsed(t *testing.T, text string) claims {
	t.Helper()
	c, err := parseClaims([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestFindClaim(t *testing.T) {
	t.Parallel()
	c := parsed(t, `{"a":{"b":["x",{"c":true}],"d/e":1,"f~g":2,"":3},"n":null,"/slash":"s"}`)
	for name, want := range map[string]any{
		"/a/b/0": "x", "/a/b/1/c": true, "/a/d~1e": json.Number("1"), "/a/f~0g": json.Number("2"), "/a/": json.Number("3"), "/~1slash": "s",
		"/a/b/2": nil, "/a/b/-1": nil, "/a/b/x": nil, "/a/b/0/x": nil, "/none": nil, "none": nil, "n": nil, "a/b": nil, "": nil,
	} {
		if got := c.find(name); !reflect.DeepEqual(got, want) {
			t.Errorf("find(%q): %v, want %v", name, got, want)
		}
	}
}

func TestBoundClaims(t *testing.T) {
	t.Parallel()
	const token = `{"team":"ops","groups":["dev","ops-eu"],"n":7,"big":9007199254740993,"f":1.0,"yes":true,"o":{"in":["deep"]},"nothing":null,"empty":[]}`
	for _, c := range []struct {
		bound string
		globs bool
		want  string // of the error; "": it is bound
	}{
		{`{}`, false, ""},
		{`{"team":"ops"}`, false, ""},
		{`{"team":["x","ops"]}`, false, ""},
		{`{"team":"op*"}`, false, `claim "team" does not match`},
		{`{"team":"op*"}`, true, ""},
		{`{"team":"*p"}`, true, "does not match"},
		{`{"groups":"ops-*"}`, true, ""},
		{`{"groups":"ops-*"}`, false, "does not match"},
		{`{"groups":["none","dev"],"team":"ops"}`, false, ""},
		{`{"groups":"dev","team":"dev"}`, false, `"team" does not match`},
		{`{"n":7}`, false, ""},
		{`{"n":"7"}`, false, "does not match"},
		{`{"n":7.0}`, false, ""},
		{`{"n":8}`, false, "does not match"},
		{`{"big":9007199254740992}`, false, "does not match"},
		{`{"f":1}`, false, ""},
		{`{"yes":true}`, false, ""},
		{`{"yes":"true"}`, false, "does not match"},
		{`{"n":"*"}`, true, "does not match"},
		{`{"/o/in/0":"deep"}`, false, ""},
		{`{"/o/in":"deep"}`, false, ""},
		{`{"o":"deep"}`, false, "not a string, bool, int or list"},
		{`{"nothing":"x"}`, false, "is missing"},
		{`{"none":"x"}`, false, `claim "none" is missing`},
		{`{"empty":"x"}`, false, "does not match"},
		{`{"team":[]}`, false, "does not match"},
		{`{"team":{}}`, false, "bound claim is not"},
		{`{"Team":"ops"}`, false, "is missing"},
	} {
		err := parsed(t, token).bind(parsed(t, c.bound), c.globs)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, globs %v: %v, want %q", c.bound, c.globs, err, c.want)
		}
	}
}

// TestNumbersSurviveStorage: a number is bound as it was written, however large.
func TestNumbersSurviveStorage(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(bounds{Claims: parsed(t, `{"n":9007199254740993,"l":[1,2.5]}`)})
	if err != nil {
		t.Fatal(err)
	}
	var got bounds
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if want := (claims{"n": json.Number("9007199254740993"), "l": []any{json.Number("1"), json.Number("2.5")}}); !reflect.DeepEqual(got.Claims, want) {
		t.Errorf("got %#v, want %#v", got.Claims, want)
	}
}

func TestMappedClaims(t *testing.T) {
	t.Parallel()
	c := parsed(t, `{"email":"b@x","o":{"unit":"u"},"n":1,"l":["x"]}`)
	got, err := c.mapped(map[string]string{"email": "mail", "/o/unit": "unit", "none": "none"})
	if want := (map[string]string{"mail": "b@x", "unit": "u"}); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v %v, want %v", got, err, want)
	}
	for _, name := range []string{"n", "l", "o"} {
		if _, err := c.mapped(map[string]string{name: "x"}); err == nil || !strings.Contains(err.Error(), "error converting claim '"+name+"'") {
			t.Errorf("%s: %v, want an error that names it", name, err)
		}
	}
}

func TestClaimsAreAnObject(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "[]", `"x"`, "1", "{"} {
		if c, err := parseClaims([]byte(text)); err == nil {
			t.Errorf("%q: %v, want an error", text, c)
		}
	}
}

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"a":{"b":["x"]}}`), "/a/b/0", "x*")
	f.Add([]byte(`{"/":"~"}`), "/~1~0", "*")
	f.Fuzz(func(t *testing.T, payload []byte, name, glob string) {
		c, err := parseClaims(payload)
		if err != nil {
			return
		}
		v := c.find(name)
		if list, ok := listOf(v); ok && len(list) == 1 {
			if err := c.bind(claims{name: list[0]}, false); err != nil {
				t.Errorf("claim %q of %s is not bound to its own value: %v", name, payload, err)
			}
		}
		_ = c.bind(claims{name: glob}, true)
		_ = leeways{}.check(c, parsedTime)
	})
}
