package acl

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tokengrove/grove/fsm/policy"
)

func seeds(f *testing.F) {
	for _, text := range []string{
		DefaultPolicyText, "",
		`{"path":[{"kv/a":{"capabilities":["read"]}}]}`,
		`path "a/+/b*" { capabilities = ["read"] allowed_parameters = { "x" = [1, "b", [true]] } }`,
		`path "{{identity.entity.id}}" { policy = "write" min_wrapping_ttl = "1m" max_wrapping_ttl = 1.5e3 }`,
		"path \"a\" { comment = <<E\nE\n required_parameters = [\"\\xff\"] }",
		`path "a" { control_group = { factor "f" { identity { group_names = ["g"] approvals = 1 } } } }`,
	} {
		f.Add(text)
	}
}

// FuzzParse requires that no text panics, and that what is accepted may go to the machine
// and be compiled.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("p", text)
		if err != nil {
			return
		}
		if p.Text != text {
			t.Fatal("the text was changed")
		}
		for _, r := range p.Rules {
			checkUTF8(t, r.Path)
			for _, m := range []map[string][]string{r.AllowedParameters, r.DeniedParameters} {
				for k, vs := range m {
					checkUTF8(t, k)
					for _, v := range vs {
						checkUTF8(t, v)
						if !json.Valid([]byte(v)) {
							t.Fatalf("%q is not JSON", v)
						}
					}
				}
			}
			for _, k := range r.RequiredParameters {
				checkUTF8(t, k)
			}
		}
		a := Compile([]policy.Policy{p})
		for _, r := range p.Rules {
			a.Allowed(Request{Op: Update, Path: r.Path, Data: map[string]any{"x": "b"}})
			a.Capabilities(r.Path)
		}
	})
}

func checkUTF8(t *testing.T, s string) {
	t.Helper()
	if !utf8.ValidString(s) {
		t.Fatalf("%q is not valid UTF-8", s)
	}
}

// FuzzFormat requires that what is formatted means the same, and is formatted.
func FuzzFormat(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, text string) {
		out, err := Format(text)
		if err != nil {
			return
		}
		if _, err := Parse("p", out); err != nil {
			t.Fatalf("%q became %q: %v", text, out, err)
		}
	})
}

// FuzzAllowed compares decisions about any path with the naive evaluator.
func FuzzAllowed(f *testing.F) {
	f.Add("kv/+/x*", "kv/a*", "kv/a", "kv/a/x", uint8(1), "ttl", "5m")
	f.Add("+", "*", "/", "", uint8(5), "policies", "A,b")
	f.Fuzz(func(t *testing.T, p1, p2, p3, path string, op uint8, key, value string) {
		var rs []policy.Rule
		for i, text := range []string{p1, p2, p3} {
			if r, err := parsePattern(text); err == nil && !strings.Contains(text, "{{") {
				r.Capabilities = []policy.Capability{policy.Read | policy.List, policy.Deny, policy.Update}[i]
				rs = append(rs, r)
			}
		}
		a := Compile([]policy.Policy{{Name: "p", Rules: rs}})
		for len(path) > 0 && path[0] == '/' {
			path = path[1:]
		}
		var got policy.Capability
		if p := a.find(path, true); p != nil {
			got = p.bits
		}
		if want := naive(rs).capabilities(path, true); got != want {
			t.Fatalf("%q on %q: got %b, want %b", []string{p1, p2, p3}, path, got, want)
		}
		for i := range rs {
			rs[i].AllowedParameters = map[string][]string{key: {`"` + value, `"5*"`}}
			rs[i].MinWrappingTTL = time.Second
		}
		a = Compile([]policy.Policy{{Name: "p", Rules: rs}})
		a.Allowed(Request{Op: Operation(op), Path: path, Data: map[string]any{key: value}, Wrapped: true, WrapTTL: time.Second})
	})
}
