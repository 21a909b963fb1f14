package acl

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm/policy"
)

// naive is the specification, written to be read: it looks at every rule for every request.
type naive []policy.Rule

// candidate is a pattern that matches, with all that policies say of it.
type candidate struct {
	pattern string // without its "*"
	first   int    // position of the first wildcard
	plus    int
	glob    bool
	bits    policy.Capability
}

func (n naive) capabilities(path string, list bool) policy.Capability {
	if bits, ok := n.exact(path); ok {
		return bits
	}
	folder := list && strings.HasSuffix(path, "/")
	if folder {
		if bits, ok := n.exact(strings.TrimSuffix(path, "/")); ok {
			return bits
		}
	}
	cs := n.candidates(path)
	if folder {
		cs = append(cs, n.candidates(strings.TrimSuffix(path, "/"))...)
	}
	if len(cs) == 0 {
		return 0
	}
	slices.SortStableFunc(cs, func(a, b candidate) int {
		switch {
		case a.beats(b):
			return -1
		case b.beats(a):
			return 1
		}
		return 0
	})
	if folder {
		for _, c := range cs {
			if c.bits&(policy.List|policy.Deny) != 0 {
				return c.bits
			}
		}
	}
	return cs[0].bits
}

func (n naive) exact(path string) (policy.Capability, bool) {
	return n.bits(func(r policy.Rule) bool { return !r.Glob && !r.Segments && r.Path == path })
}

func (n naive) bits(is func(policy.Rule) bool) (bits policy.Capability, found bool) {
	for _, r := range n {
		if is(r) {
			found = true
			bits |= r.Capabilities
		}
	}
	if bits&policy.Deny != 0 {
		bits = policy.Deny
	}
	return bits, found
}

// candidates returns the patterns with "+" that match path, and the longest prefix.
func (n naive) candidates(path string) []candidate {
	var out []candidate
	longest := -1
	for _, r := range n {
		switch {
		case r.Segments && matchSegments(r, path):
			bits, _ := n.bits(func(o policy.Rule) bool { return o.Segments && o.Path == r.Path && o.Glob == r.Glob })
			plus := 0
			for _, s := range strings.Split(r.Path, "/") {
				if s == "+" {
					plus++
				}
			}
			out = append(out, candidate{r.Path, strings.Index(r.Path, "+"), plus, r.Glob, bits})
		case !r.Segments && r.Glob && strings.HasPrefix(path, r.Path):
			longest = max(longest, len(r.Path))
		}
	}
	if longest >= 0 {
		prefix := path[:longest]
		bits, _ := n.bits(func(o policy.Rule) bool { return !o.Segments && o.Glob && o.Path == prefix })
		out = append(out, candidate{prefix, longest, 0, true, bits})
	}
	return out
}

func matchSegments(r policy.Rule, path string) bool {
	ps, xs := strings.Split(r.Path, "/"), strings.Split(path, "/")
	if len(xs) < len(ps) || (!r.Glob && len(xs) != len(ps)) {
		return false
	}
	for i, p := range ps {
		if p == "+" || p == xs[i] || (r.Glob && i == len(ps)-1 && strings.HasPrefix(xs[i], p)) {
			continue
		}
		return false
	}
	return true
}

// beats is the documented order of priority.
func (c candidate) beats(o candidate) bool {
	switch {
	case c.first != o.first:
		return c.first > o.first
	case c.glob != o.glob:
		return o.glob
	case c.plus != o.plus:
		return c.plus < o.plus
	case len(c.pattern) != len(o.pattern):
		return len(c.pattern) > len(o.pattern)
	}
	return c.pattern > o.pattern
}

// TestAgainstNaive compares the compiled form with the naive one, on random rules and paths.
func TestAgainstNaive(t *testing.T) {
	t.Parallel()
	rounds := 20_000
	if testing.Short() {
		rounds = 2_000
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range rounds {
		var texts []string
		var all naive
		for range 1 + r.IntN(3) {
			text := randomRules(r)
			texts = append(texts, text)
			for _, p := range mustParse(t, text) {
				all = append(all, p.Rules...)
			}
		}
		a := mustCompile(t, texts...)
		for range 20 {
			path := randomPath(r)
			for _, list := range []bool{false, true} {
				var got policy.Capability
				if p := a.find(path, list); p != nil {
					got = p.bits
				}
				if want := all.capabilities(path, list); got != want {
					t.Fatalf("%s\n%q (list: %v): got %b, want %b", strings.Join(texts, "--\n"), path, list, got, want)
				}
			}
		}
	}
}

func randomRules(r *rand.Rand) string {
	caps := []string{"read", "update", "delete", "list", "create", "sudo", "patch", "read,list", "deny", "list"}
	var b strings.Builder
	for range 1 + r.IntN(6) {
		var segments []string
		for range 1 + r.IntN(3) {
			segments = append(segments, []string{"a", "b", "ab", "+", "+", "", "+a", "a+"}[r.IntN(8)])
		}
		p := strings.Join(segments, "/")
		if r.IntN(2) == 0 && !strings.HasSuffix(p, "+") {
			p += []string{"*", "/*"}[r.IntN(2)]
		}
		fmt.Fprint(&b, rules(p+" "+caps[r.IntN(len(caps))]))
	}
	return b.String()
}

func randomPath(r *rand.Rand) string {
	var segments []string
	for range 1 + r.IntN(4) {
		segments = append(segments, []string{"a", "b", "ab", "c", "", "+a", "a+"}[r.IntN(7)])
	}
	return strings.TrimLeft(strings.Join(segments, "/"), "/")
}
