package acl

import (
	"encoding/json"
	"testing"
	"time"
)

type data = map[string]any

func TestParameters(t *testing.T) {
	t.Parallel()
	const caps = `capabilities = ["create", "read", "update", "patch", "recover", "delete", "list"] `
	path := func(body string) string { return `path "k" { ` + caps + body + ` }` }
	tests := []struct {
		name  string
		texts []string
		yes   []data
		no    []data
	}{
		{"no constraint", []string{path(``)}, []data{nil, {}, {"a": 1}}, nil},
		{"allowed", []string{path(`allowed_parameters = { "TTL" = ["5m", "1*"] "name" = [] }`)},
			[]data{nil, {"ttl": "5m"}, {"TtL": "5m"}, {"ttl": "10m"}, {"name": "any"}, {"name": nil}, {"name": 7}, {"name": "x", "ttl": "1"}},
			[]data{{"ttl": "20m"}, {"ttl": "5M"}, {"other": "x"}, {"ttl": "5m", "other": "x"}, {"ttl": nil}, {"ttl": true}}},
		{"allowed, the rest too", []string{path(`allowed_parameters = { "*" = [] "ttl" = ["1m"] }`)},
			[]data{{"x": 1}, {"ttl": "1m"}, {"ttl": "1m", "x": "y"}}, []data{{"ttl": "2m"}, {"ttl": "2m", "x": "y"}}},
		{"allowed, everything", []string{path(`allowed_parameters = { "*" = [] }`)}, []data{{"x": 1}}, nil},
		{"allowed, everything has no values", []string{path(`allowed_parameters = { "*" = ["a"] }`)}, []data{{"x": "b"}, {"*": "b"}}, nil},
		{"allowed, nothing listed", []string{path(`allowed_parameters = {}`)}, []data{{"x": 1}}, nil},
		{"denied", []string{path(`denied_parameters = { "ttl" = [] "Name" = ["bad", "*evil", "x*", "*in*"] }`)},
			[]data{nil, {"x": 1}, {"name": "good"}, {"name": nil}, {"name": ""}},
			[]data{{"ttl": "1"}, {"TTL": nil}, {"name": "bad"}, {"NAME": "bad"}, {"name": "very evil"}, {"name": "xyz"}, {"name": "min"}}},
		{"denied, everything", []string{path(`denied_parameters = { "*" = [] }`)}, []data{nil, {}}, []data{{"x": 1}}},
		{"denied before allowed", []string{path(`denied_parameters = { "a" = ["x"] } allowed_parameters = { "a" = [] }`)}, []data{{"a": "y"}}, []data{{"a": "x"}, {"b": "x"}}},
		{"required", []string{path(`required_parameters = ["A", "b"]`)}, []data{{"a": 1, "b": nil}, {"a": 1, "b": 2, "c": 3}}, []data{nil, {"a": 1}, {"A": 1, "b": 2}}},
		{"required and allowed", []string{path(`required_parameters = ["a"] allowed_parameters = { "a" = ["x"] }`)}, []data{{"a": "x"}}, []data{nil, {"a": "y"}, {"b": "x"}}},

		{"types", []string{path(`allowed_parameters = { "a" = [true, "1", 2, ["x", "y"], [], { k = "v" }] }`)},
			[]data{{"a": true}, {"a": "1"}, {"a": []any{"x", "y"}}, {"a": []any{}}},
			[]data{{"a": false}, {"a": "true"}, {"a": "2"}, {"a": json.Number("2")}, {"a": json.Number("1")}, {"a": []any{"x"}}, {"a": []any{"y", "x"}}, {"a": data{"k": "v"}}, {"a": nil}}},
		{"a star alone is a letter", []string{path(`allowed_parameters = { "a" = ["*"] }`)}, []data{{"a": "*"}}, []data{{"a": "x"}}},
		{"two stars are anything", []string{path(`allowed_parameters = { "a" = ["**"] }`)}, []data{{"a": "x"}, {"a": ""}}, []data{{"a": true}}},
		{"an inner star is a letter", []string{path(`allowed_parameters = { "a" = ["x*y"] }`)}, []data{{"a": "x*y"}}, []data{{"a": "xzy"}}},
		{"no pattern in the request", []string{path(`allowed_parameters = { "a" = ["xyz"] }`)}, []data{{"a": "xyz"}}, []data{{"a": "x*"}}},

		{"allowed lists: every element", []string{path(`allowed_parameters = { "a" = ["x*", "y"] }`)},
			[]data{{"a": []any{"x1", "y"}}, {"a": []string{"x1", "y"}}, {"a": []any{}}, {"a": "x1,y"}, {"a": " y , x2"}, {"a": ""}},
			[]data{{"a": []any{"x", "z"}}, {"a": []any{"y", nil}}, {"a": "y,z"}, {"a": "y,"}, {"a": []any{[]any{"y"}}}}},
		{"denied lists: any element", []string{path(`denied_parameters = { "a" = ["x*", "y"] }`)},
			[]data{{"a": []any{"z", nil}}, {"a": []any{}}, {"a": "z, u"}, {"a": ""}},
			[]data{{"a": []any{"z", "x1"}}, {"a": []string{"z", "x1"}}, {"a": "z, y"}, {"a": "u,y"}}},
		{"policies in lower case", []string{path(`denied_parameters = { "policies" = ["admin"] "token_policies" = ["admin"] "other" = ["admin"] }`)},
			[]data{{"policies": "user"}, {"other": "Admin"}, {"policies": []any{nil, true}}},
			[]data{{"policies": "Admin"}, {"policies": []string{"Admin"}}, {"Policies": []any{"ADMIN"}}, {"token_policies": "user,aDmin"}}},

		{"merge: values add up", []string{path(`allowed_parameters = { "a" = ["x"] }`), path(`allowed_parameters = { "a" = ["y"] "b" = ["z"] }`)}, []data{{"a": "x"}, {"a": "y"}, {"b": "z"}}, []data{{"a": "z"}, {"c": "x"}}},
		{"merge: any value wins", []string{path(`allowed_parameters = { "a" = [] }`), path(`allowed_parameters = { "a" = ["y"] }`), path(`allowed_parameters = { "a" = ["x"] }`)}, []data{{"a": "z"}}, nil},
		{"merge: any value wins, last", []string{path(`denied_parameters = { "a" = ["y"] }`), path(`denied_parameters = { "a" = [] }`)}, nil, []data{{"a": "z"}}},
		{"merge: no constraint takes none away", []string{path(`allowed_parameters = { "a" = [] }`), path(``)}, []data{{"a": 1}}, []data{{"b": 1}}},
		{"merge: required add up", []string{path(`required_parameters = ["a"]`), path(`required_parameters = ["b", "a"]`)}, []data{{"a": 1, "b": 1}}, []data{{"a": 1}, {"b": 1}}},
		{"merge: deny takes all", []string{path(`allowed_parameters = { "a" = [] }`), path(`policy = "deny"`), path(``)}, nil, []data{nil, {"a": 1}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := mustCompile(t, tt.texts...)
			for _, op := range []Operation{Create, Read, Update, Patch, Recover} {
				for _, d := range tt.yes {
					if !a.Allowed(Request{Op: op, Path: "k", Data: d}).Allowed {
						t.Errorf("%d %v was denied", op, d)
					}
				}
				for _, d := range tt.no {
					if a.Allowed(Request{Op: op, Path: "k", Data: d}).Allowed {
						t.Errorf("%d %v was allowed", op, d)
					}
				}
			}
		})
	}
	a := mustCompile(t, path(`denied_parameters = { "*" = [] } required_parameters = ["a"]`))
	for _, op := range []Operation{Delete, List} {
		if !a.Allowed(Request{Op: op, Path: "k", Data: data{"b": 1}}).Allowed {
			t.Errorf("parameters of operation %d were checked", op)
		}
	}
}

// TestParametersAreNotChanged: a request's data belongs to its caller.
func TestParametersAreNotChanged(t *testing.T) {
	t.Parallel()
	a := mustCompile(t, `path "k" { capabilities = ["update"] denied_parameters = { "policies" = ["x"] } }`)
	list := []any{"A"}
	a.Allowed(Request{Op: Update, Path: "k", Data: data{"policies": list}})
	if list[0] != "A" {
		t.Error("the data was changed")
	}
}

// TestCompileKeepsPolicies: the policies belong to the machine.
func TestCompileKeepsPolicies(t *testing.T) {
	t.Parallel()
	ps := mustParse(t,
		`path "k" { capabilities = ["update"] allowed_parameters = { "a" = ["x"] } required_parameters = ["a"] }`,
		`path "k" { capabilities = ["read"] allowed_parameters = { "a" = [] "b" = [] } required_parameters = ["b"] }`,
	)
	Compile(ps)
	first := ps[0].Rules[0]
	if len(first.AllowedParameters) != 1 || len(first.AllowedParameters["a"]) != 1 || len(first.RequiredParameters) != 1 {
		t.Errorf("changed: %+v", first)
	}
}

func TestWrapping(t *testing.T) {
	t.Parallel()
	both := `path "k" { capabilities = ["update"] min_wrapping_ttl = 60 max_wrapping_ttl = "1h" }`
	tests := []struct {
		name    string
		texts   []string
		yes, no []time.Duration // 0: not wrapped
	}{
		{"none", []string{rules("k update")}, []time.Duration{0, 1, time.Hour}, nil},
		{"both", []string{both}, []time.Duration{time.Minute, time.Hour}, []time.Duration{0, 59 * time.Second, time.Hour + 1}},
		{"min", []string{`path "k" { capabilities = ["update"] min_wrapping_ttl = "1m" }`}, []time.Duration{time.Minute, 99 * time.Hour}, []time.Duration{0, time.Second}},
		{"max", []string{`path "k" { capabilities = ["update"] max_wrapping_ttl = "1m" }`}, []time.Duration{1, time.Minute}, []time.Duration{0, 2 * time.Minute}},
		{"negative is none", []string{`path "k" { capabilities = ["update"] min_wrapping_ttl = -1 }`}, []time.Duration{0, 1}, nil},
		{"merge: the shorter", []string{both, `path "k" { capabilities = ["update"] min_wrapping_ttl = 10 max_wrapping_ttl = "2h" }`}, []time.Duration{10 * time.Second, time.Hour}, []time.Duration{0, 9 * time.Second, 2 * time.Hour}},
		{"merge: nothing is left", []string{`path "k" { capabilities = ["update"] min_wrapping_ttl = "2h" }`, `path "k" { capabilities = ["update"] max_wrapping_ttl = "1h" }`}, nil, []time.Duration{0, time.Hour, 90 * time.Minute, 2 * time.Hour}},
	}
	for _, tt := range tests {
		a := mustCompile(t, tt.texts...)
		for want, ttls := range map[bool][]time.Duration{true: tt.yes, false: tt.no} {
			for _, ttl := range ttls {
				if got := a.Allowed(Request{Op: Update, Path: "k", Wrapped: ttl > 0, WrapTTL: ttl}).Allowed; got != want {
					t.Errorf("%s: for %s: %v, want %v", tt.name, ttl, got, want)
				}
			}
		}
	}
}
