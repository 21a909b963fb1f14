package acl

import (
	"fmt"
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm/policy"
)

// big returns a policy of n paths, written by path(i).
func big(n int, path func(i int) string) policy.Policy {
	p := policy.Policy{Name: "big"}
	for i := range n {
		r, err := parsePattern(path(i))
		if err != nil {
			panic(err)
		}
		r.Capabilities = policy.Read
		p.Rules = append(p.Rules, r)
	}
	return p
}

const many = 10_000

var decisions = []struct {
	name  string
	rules func(i int) string
	path  string
}{
	{"exact", func(i int) string { return fmt.Sprintf("kv/%d/x", i) }, "kv/7777/x"},
	{"prefix", func(i int) string { return fmt.Sprintf("kv/%d/*", i) }, "kv/7777/some/secret"},
	{"segments, own heads", func(i int) string { return fmt.Sprintf("kv/%d/+/x", i) }, "kv/7777/some/x"},
	{"segments, one head", func(i int) string { return fmt.Sprintf("+/%d/x", i) }, "some/7777/x"},
	{"segments, no match", func(i int) string { return fmt.Sprintf("+/%d/+/x/*", i) }, "some/where/else/x/y"},
	{"nested prefixes", func(i int) string { return strings.Repeat("a", i%1000) + fmt.Sprint(i/1000) + "*" }, strings.Repeat("a", 2000)},
	{"chain of prefixes", func(i int) string { return strings.Repeat("a", i/10) + "*" }, strings.Repeat("a", 500) + "b"},
}

func BenchmarkAllowed(b *testing.B) {
	for _, bb := range decisions {
		b.Run(bb.name, func(b *testing.B) {
			a := Compile([]policy.Policy{big(many, bb.rules)})
			r := Request{Op: Read, Path: bb.path}
			b.ReportAllocs()
			for b.Loop() {
				a.Allowed(r)
			}
		})
	}
	b.Run("list", func(b *testing.B) {
		a := Compile([]policy.Policy{big(many, func(i int) string { return fmt.Sprintf("kv/%d/*", i) })})
		b.ReportAllocs()
		for b.Loop() {
			a.Allowed(Request{Op: List, Path: "kv/7777/some/"})
		}
	})
	b.Run("default policy", func(b *testing.B) {
		a := mustCompile(b, DefaultPolicyText)
		b.ReportAllocs()
		for b.Loop() {
			a.Allowed(Request{Op: Read, Path: "auth/token/lookup-self"})
		}
	})
	b.Run("parameters", func(b *testing.B) {
		a := mustCompile(b, `path "k" { capabilities = ["update"] allowed_parameters = { "*" = [] "ttl" = ["5m"] } denied_parameters = { "num_uses" = [] } }`)
		r := Request{Op: Update, Path: "k", Data: map[string]any{"ttl": "5m", "meta": nil, "policies": []any{"a"}}}
		b.ReportAllocs()
		for b.Loop() {
			a.Allowed(r)
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, many} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ps := []policy.Policy{big(n, func(i int) string { return []string{"kv/%d/x", "kv/%d/*", "kv/%d/+/x"}[i%3] })}
			for i := range ps[0].Rules {
				ps[0].Rules[i].Path = fmt.Sprintf(ps[0].Rules[i].Path, i)
			}
			b.ReportAllocs()
			for b.Loop() {
				Compile(ps)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	for i := range many {
		text.WriteString(rules(fmt.Sprintf("kv/%d/* read,list", i)))
	}
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("p", text.String()); err != nil {
			b.Fatal(err)
		}
	}
}

func TestAllowedDoesNotAllocate(t *testing.T) {
	a := mustCompile(t, DefaultPolicyText, rules("kv/+/x read,list", "kv/a/* list"))
	denies := mustCompile(t, `path "k" { capabilities = ["update"] denied_parameters = { "ttl" = [] } }`)
	body := map[string]any{"policies": []any{"a"}, "num_uses": 1}
	if n := testing.AllocsPerRun(100, func() {
		a.Allowed(Request{Op: Read, Path: "auth/token/lookup-self"})
		a.Allowed(Request{Op: Read, Path: "kv/a/x"})
		a.Allowed(Request{Op: List, Path: "kv/a/"})
		a.Allowed(Request{Op: Read, Path: "/cubbyhole/a"})
		a.Allowed(Request{Op: Read, Path: "nowhere"})
		denies.Allowed(Request{Op: Update, Path: "k", Data: body})
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}
