package acl

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/policy"
)

// ACL decides requests by the rules of a set of policies.
type ACL struct {
	root     bool
	exact    map[string]*permission
	prefixes map[string]*permission
	lengths  []int      // of the prefixes, longest first
	segments []*segment // in falling priority
}

// permission is what all policies together say of one pattern.
type permission struct {
	bits     policy.Capability
	min, max time.Duration
	allowed  map[string][]string
	denied   map[string][]string
	required []string
}

// segment is a pattern with "+" in it.
type segment struct {
	pattern string
	parts   []string
	glob    bool
	plus    int
	first   int // position of the first wildcard
	*permission
}

// Compile merges the rules of ps. Capabilities add up, deny wins; parameter lists add up,
// an empty list (any value) wins; the shortest wrapping bounds win.
func Compile(ps []policy.Policy) *ACL {
	a := &ACL{exact: map[string]*permission{}, prefixes: map[string]*permission{}}
	segments := map[string]*permission{}
	for _, p := range ps {
		if p.Name == policy.Root {
			a.root = true
		}
		for i := range p.Rules {
			r := &p.Rules[i]
			switch {
			case r.Segments:
				key := r.Path
				if r.Glob {
					key += "*"
				}
				merge(segments, key, r)
			case r.Glob:
				merge(a.prefixes, r.Path, r)
			default:
				merge(a.exact, r.Path, r)
			}
		}
	}
	for n := range a.prefixes {
		a.lengths = append(a.lengths, len(n))
	}
	slices.SortFunc(a.lengths, func(x, y int) int { return y - x })
	a.lengths = slices.Compact(a.lengths)
	for k, p := range segments {
		a.segments = append(a.segments, newSegment(k, p))
	}
	slices.SortFunc(a.segments, func(x, y *segment) int { return -x.compare(y) })
	return a
}

func newSegment(pattern string, p *permission) *segment {
	path, glob := strings.CutSuffix(pattern, "*")
	s := &segment{pattern: pattern, parts: strings.Split(path, "/"), glob: glob, first: strings.IndexByte(pattern, '+'), permission: p}
	for _, part := range s.parts {
		if part == "+" {
			s.plus++
		}
	}
	return s
}

// compare orders patterns by the reference's priority: the first wildcard later, no glob at
// the end, fewer "+", longer, lexicographically greater.
func (s *segment) compare(o *segment) int {
	if c := cmp.Compare(s.first, o.first); c != 0 {
		return c
	}
	if s.glob != o.glob {
		if s.glob {
			return -1
		}
		return 1
	}
	if c := cmp.Compare(o.plus, s.plus); c != 0 {
		return c
	}
	if c := cmp.Compare(len(s.pattern), len(o.pattern)); c != 0 {
		return c
	}
	return cmp.Compare(s.pattern, o.pattern)
}

func (s *segment) matches(path string) bool {
	for i, part := range s.parts {
		last := i == len(s.parts)-1
		got, rest, more := strings.Cut(path, "/")
		switch {
		case last && s.glob && part != "+":
			return strings.HasPrefix(path, part)
		case part != "+" && part != got:
			return false
		case last:
			return !more || s.glob
		case !more:
			return false
		}
		path = rest
	}
	return false
}

func merge(into map[string]*permission, key string, r *policy.Rule) {
	p := into[key]
	if p == nil {
		p = &permission{}
		into[key] = p
	}
	if p.bits&policy.Deny != 0 {
		return
	}
	if r.Capabilities&policy.Deny != 0 {
		*p = permission{bits: policy.Deny}
		return
	}
	p.bits |= r.Capabilities
	p.min = lesser(p.min, r.MinWrappingTTL)
	p.max = lesser(p.max, r.MaxWrappingTTL)
	p.allowed = mergeParameters(p.allowed, r.AllowedParameters)
	p.denied = mergeParameters(p.denied, r.DeniedParameters)
	for _, k := range r.RequiredParameters {
		if !slices.Contains(p.required, k) {
			p.required = append(p.required, k)
		}
	}
}

func lesser(a, b time.Duration) time.Duration {
	if a == 0 || (b != 0 && b < a) {
		return b
	}
	return a
}

func mergeParameters(a, b map[string][]string) map[string][]string {
	if len(b) == 0 {
		return a
	}
	if len(a) == 0 {
		return maps.Clone(b)
	}
	for k, vs := range b {
		old, ok := a[k]
		switch {
		case !ok || len(vs) == 0:
			a[k] = vs
		case len(old) > 0:
			a[k] = slices.Concat(old, vs)
		}
	}
	return a
}
