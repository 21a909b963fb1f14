package acl

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/policy"
)

func mustParse(t testing.TB, texts ...string) []policy.Policy {
	t.Helper()
	var ps []policy.Policy
	for i, text := range texts {
		p, err := Parse(fmt.Sprintf("p%d", i), text)
		if err != nil {
			t.Fatal(err)
		}
		ps = append(ps, p)
	}
	return ps
}

func TestCapabilities(t *testing.T) {
	const read, update = `capabilities = ["read"]`, `capabilities = ["update"]`
	tests := []struct {
		name  string
		texts []string
		want  map[string]string
	}{
		{"exact", []string{`path "kv/a" { ` + read + ` }`}, map[string]string{"kv/a": "read", "kv/ab": "deny", "kv/a/b": "deny", "kv": "deny"}},
		{"leading slash", []string{`path "/kv/a" { ` + read + ` }`}, map[string]string{"kv/a": "read"}},
		{"prefix", []string{`path "kv/a*" { ` + read + ` }`}, map[string]string{"kv/a": "read", "kv/ab": "read", "kv/a/b": "read", "kv/b": "deny"}},
		{"everything", []string{`path "*" { ` + read + ` }`}, map[string]string{"x": "read", "x/y": "read"}},
		{"prefix needs its slash", []string{`path "kv/a/*" { ` + read + ` }`}, map[string]string{"kv/a/": "read", "kv/a/b": "read", "kv/a": "deny"}},
		{"exact beats prefix", []string{`path "kv/*" { ` + read + ` } path "kv/a" { ` + update + ` }`}, map[string]string{"kv/a": "update", "kv/b": "read"}},
		{"longest prefix", []string{`path "kv/*" { ` + read + ` } path "kv/a/*" { ` + update + ` }`}, map[string]string{"kv/a/b": "update", "kv/b": "read"}},
		{"union", []string{`path "k" { ` + read + ` }`, `path "k" { ` + update + ` }`}, map[string]string{"k": "read,update"}},
		{"deny wins", []string{`path "k" { ` + read + ` }`, `path "k" { capabilities = ["deny"] }`}, map[string]string{"k": "deny"}},
		{"deny in a list", []string{`path "k" { capabilities = ["read", "deny"] }`}, map[string]string{"k": "deny"}},
		{"allow under a denied prefix", []string{`path "k/*" { policy = "deny" } path "k/a" { ` + read + ` }`}, map[string]string{"k/a": "read", "k/b": "deny"}},
		{"old policies", []string{`path "r" { policy = "read" } path "w" { policy = "write" } path "s" { policy = "sudo" }`}, map[string]string{"r": "list,read", "w": "create,delete,list,read,update", "s": "create,delete,list,read,sudo,update"}},
		{"one segment", []string{`path "kv/+/x" { ` + read + ` }`}, map[string]string{"kv/a/x": "read", "kv/a/b/x": "deny", "kv/x": "deny"}},
		{"segment at the end", []string{`path "kv/+" { ` + read + ` }`}, map[string]string{"kv/a": "read", "kv/a/b": "deny", "kv": "deny"}},
		{"segment alone", []string{`path "+" { ` + read + ` }`}, map[string]string{"kv": "read", "kv/a": "deny"}},
		{"several segments", []string{`path "+/+/c" { ` + read + ` }`}, map[string]string{"a/b/c": "read", "b/c": "deny", "a/b/c/d": "deny"}},
		{"segment and glob", []string{`path "kv/+/x/*" { ` + read + ` }`}, map[string]string{"kv/a/x/y": "read", "kv/a/x/y/z": "read", "kv/a/x": "deny", "kv/a/b/x/y": "deny"}},
		{"segment and part glob", []string{`path "kv/+/x*" { ` + read + ` }`}, map[string]string{"kv/a/xy": "read", "kv/a/x/y": "read", "kv/a/y": "deny"}},
		{"later wildcard wins", []string{`path "kv/+/x" { ` + read + ` } path "kv/a/*" { ` + update + ` }`}, map[string]string{"kv/a/x": "update", "kv/b/x": "read"}},
		{"no glob at the end wins", []string{`path "kv/+/x" { ` + read + ` } path "kv/+/*" { ` + update + ` }`}, map[string]string{"kv/a/x": "read", "kv/a/y": "update"}},
		{"plus beats a glob at its place", []string{`path "kv/*" { ` + read + ` } path "kv/+" { ` + update + ` }`}, map[string]string{"kv/a": "update", "kv/a/b": "read"}},
		{"fewer plus wins", []string{`path "+/+/c" { ` + read + ` } path "+/b/c" { ` + update + ` }`}, map[string]string{"a/b/c": "update", "a/x/c": "read"}},
		{"list falls back to the bare path", []string{`path "kv/a" { capabilities = ["list"] }`}, map[string]string{"kv/a/": "list"}},
		{"templates never match", []string{`path "id/{{identity.entity.id}}" { ` + read + ` }`}, map[string]string{"id/x": "deny"}},
		{"empty", []string{``}, map[string]string{"x": "deny"}},
		{"JSON", []string{`{"path":{"kv/a":{"capabilities":["read"]}}}`}, map[string]string{"kv/a": "read"}},
		{"JSON list", []string{`{"path":[{"kv/a":{"capabilities":["read"]}},{"kv/b":{"policy":"deny"}}]}`}, map[string]string{"kv/a": "read", "kv/b": "deny"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a := Compile(mustParse(t, tt.texts...))
			for path, want := range tt.want {
				if got := strings.Join(a.Capabilities(path), ","); got != want {
					t.Errorf("%s: %s, want %s", path, got, want)
				}
			}
		})
	}
	root := Compile([]policy.Policy{{Name: policy.Root}})
	if got := root.Capabilities("any"); !slices.Equal(got, []string{"root"}) {
		t.Errorf("root: %v", got)
	}
}

func TestParseErrors(t *testing.T) {
	for text, want := range map[string]string{
		`path "x" { capabilities = ["bogus"] }`: `path "x": invalid capability "bogus"`,
		`path "x" { policy = "admin" }`:         `path "x": invalid policy "admin"`,
		`garbage {{`:                            `expected`,
		`path "x+*" { policy = "read" }`:        `'+*' is forbidden`,
		`path "x" { nonsense = 1 }`:             `invalid key "nonsense" on line 1`,
		`other = 1`:                             `invalid key "other"`,
		`path "x" { capabilities = ["read"] min_wrapping_ttl = "5m" max_wrapping_ttl = "1m" }`: `max_wrapping_ttl cannot be less`,
		`path "x" { capabilities = ["read"] min_wrapping_ttl = "soon" }`:                       `min_wrapping_ttl`,
		`path "x" { capabilities = "read" allowed_parameters = 5 }`:                            ``,
		`path = 5`:                     ``,
		strings.Repeat("#", MaxText+1): `at most`,
		`path "x" { capabilities = ["read"] allowed_parameters = { "a" = ["b"] } denied_parameters = "x" }`: ``,
	} {
		if _, err := Parse("p", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want an error with %q", text, err, want)
		}
	}
}

func TestParameters(t *testing.T) {
	a := Compile(mustParse(t, `
path "allow" { capabilities = ["update"] allowed_parameters = { "TTL" = ["5m", "1*"] "name" = [] "n" = [5] } }
path "deny" { capabilities = ["update"] denied_parameters = { "ttl" = [] "name" = ["bad", "*evil"] } }
path "deny-all" { capabilities = ["update"] denied_parameters = { "*" = [] } }
path "star" { capabilities = ["update"] allowed_parameters = { "*" = [] "ttl" = ["1m"] } }
path "need" { capabilities = ["update", "delete"] required_parameters = ["A"] }
path "wrap" { capabilities = ["update"] min_wrapping_ttl = 60 max_wrapping_ttl = "1h" }`))
	type data = map[string]any
	tests := []struct {
		path string
		data data
		want bool
	}{
		{"allow", data{"ttl": "5m"}, true}, {"allow", data{"ttl": "10m"}, true}, {"allow", data{"ttl": "20m"}, false},
		{"allow", data{"name": "any"}, true}, {"allow", data{"other": 1}, false}, {"allow", nil, true}, {"allow", data{"n": 5}, true}, {"allow", data{"n": 6}, false},
		{"deny", data{"ttl": "1"}, false}, {"deny", data{"name": "bad"}, false}, {"deny", data{"name": "very evil"}, false}, {"deny", data{"name": "good"}, true}, {"deny", data{"x": 1}, true},
		{"deny-all", data{"x": 1}, false}, {"deny-all", nil, true},
		{"star", data{"x": 1}, true}, {"star", data{"ttl": "1m"}, true}, {"star", data{"ttl": "2m"}, false},
		{"need", data{"a": 1}, true}, {"need", data{"b": 1}, false}, {"need", nil, false},
	}
	for _, tt := range tests {
		if got := a.Allowed(Request{Op: Update, Path: tt.path, Data: tt.data}).Allowed; got != tt.want {
			t.Errorf("%s %v: %v, want %v", tt.path, tt.data, got, tt.want)
		}
	}
	if !a.Allowed(Request{Op: Delete, Path: "need"}).Allowed {
		t.Error("a delete was asked for parameters")
	}
	for ttl, want := range map[time.Duration]bool{0: false, 30 * time.Second: false, time.Minute: true, time.Hour: true, 2 * time.Hour: false} {
		if got := a.Allowed(Request{Op: Update, Path: "wrap", Wrapped: ttl > 0, WrapTTL: ttl}).Allowed; got != want {
			t.Errorf("wrap for %s: %v, want %v", ttl, got, want)
		}
	}
}

func TestSudo(t *testing.T) {
	a := Compile(mustParse(t, `path "s" { capabilities = ["sudo"] } path "b" { capabilities = ["sudo", "update"] }`))
	if d := a.Allowed(Request{Op: Update, Path: "s"}); d.Allowed || !d.Sudo {
		t.Errorf("sudo alone: %+v", d)
	}
	if d := a.Allowed(Request{Op: Update, Path: "b"}); !d.Allowed || !d.Sudo || d.Root {
		t.Errorf("sudo and update: %+v", d)
	}
}

// TestAgainstNaive compares the compiled form with one that tries every rule by the
// documented priority, on random rules and paths.
func TestAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	parts := []string{"a", "b", "ab", "+"}
	for range 3000 {
		var text strings.Builder
		for i := range 1 + r.IntN(6) {
			var segs []string
			for range 1 + r.IntN(3) {
				segs = append(segs, parts[r.IntN(len(parts))])
			}
			p := strings.Join(segs, "/")
			if r.IntN(2) == 0 && !strings.HasSuffix(p, "+") {
				p += []string{"*", "/*"}[r.IntN(2)]
			}
			fmt.Fprintf(&text, "path %q { capabilities = [%q] }\n", p, []string{"read", "update", "delete", "list", "create", "sudo"}[i])
		}
		ps := mustParse(t, text.String())
		a := Compile(ps)
		for range 20 {
			var segs []string
			for range 1 + r.IntN(4) {
				segs = append(segs, []string{"a", "b", "ab", "c"}[r.IntN(4)])
			}
			path := strings.Join(segs, "/")
			if got, want := a.Capabilities(path), naive(ps[0].Rules, path); !slices.Equal(got, want) {
				t.Fatalf("%s\npath %s: %v, want %v", text.String(), path, got, want)
			}
		}
	}
}

func naive(rules []policy.Rule, path string) []string {
	best, bits := "", policy.Capability(0)
	for _, r := range rules {
		p := r.Path
		if r.Glob {
			p += "*"
		}
		if !naiveMatch(p, path) {
			continue
		}
		switch {
		case best == "" || naiveBeats(p, best):
			best, bits = p, r.Capabilities
		case p == best:
			bits |= r.Capabilities
		}
	}
	var out []string
	for n, b := range names {
		if bits&b != 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	if out == nil {
		return []string{"deny"}
	}
	return out
}

func naiveMatch(pattern, path string) bool {
	if !strings.ContainsAny(pattern, "+*") {
		return pattern == path
	}
	pat, glob := strings.CutSuffix(pattern, "*")
	ps, xs := strings.Split(pat, "/"), strings.Split(path, "/")
	if len(xs) < len(ps) || (!glob && len(xs) != len(ps)) {
		return false
	}
	for i, p := range ps {
		if glob && i == len(ps)-1 {
			return strings.HasPrefix(xs[i], p)
		}
		if p != "+" && p != xs[i] {
			return false
		}
	}
	return true
}

func naiveBeats(a, b string) bool {
	wild := func(s string) int {
		if i := strings.IndexAny(s, "+*"); i >= 0 {
			return i
		}
		return 1 << 20
	}
	if x, y := wild(a), wild(b); x != y {
		return x > y
	}
	if x, y := strings.HasSuffix(a, "*"), strings.HasSuffix(b, "*"); x != y {
		return y
	}
	if x, y := strings.Count(a, "+"), strings.Count(b, "+"); x != y {
		return x < y
	}
	if len(a) != len(b) {
		return len(a) > len(b)
	}
	return a > b
}

func TestFormat(t *testing.T) {
	got, err := Format(`path "x" {capabilities=["read"]}`)
	if err != nil || !strings.Contains(got, "capabilities = [\"read\"]") {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := Format(`{{`); err == nil {
		t.Error("nonsense was formatted")
	}
	if _, err := Parse("default", DefaultPolicyText); err != nil {
		t.Errorf("the built-in default policy: %v", err)
	}
}

func TestAllowedDoesNotAllocate(t *testing.T) {
	a := Compile(mustParse(t, DefaultPolicyText, `path "kv/+/x" { policy = "read" }`))
	if n := testing.AllocsPerRun(100, func() {
		a.Allowed(Request{Op: Read, Path: "auth/token/lookup-self"})
		a.Allowed(Request{Op: Read, Path: "kv/a/x"})
		a.Allowed(Request{Op: Read, Path: "cubbyhole/a"})
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(DefaultPolicyText)
	f.Add(`{"path":[{"kv/a":{"capabilities":["read"]}}]}`)
	f.Add(`path "a" { allowed_parameters = { "x" = [1, "b"] } }`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse("p", text)
		if err != nil {
			return
		}
		a := Compile([]policy.Policy{p})
		for _, r := range p.Rules {
			a.Allowed(Request{Op: Update, Path: r.Path, Data: map[string]any{"x": "b"}})
			a.Capabilities(r.Path)
		}
		Format(text)
	})
}

func BenchmarkAllowed(b *testing.B) {
	var text strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&text, "path \"kv/%d/*\" { capabilities = [\"read\"] }\n", i)
	}
	a := Compile(mustParse(b, text.String()))
	b.ReportAllocs()
	for b.Loop() {
		a.Allowed(Request{Op: Read, Path: "kv/7777/some/secret"})
	}
}
