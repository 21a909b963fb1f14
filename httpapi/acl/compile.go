package acl

import (
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/policy"
)

// ACL decides requests by the rules of a set of policies.
type ACL struct {
	root  bool
	exact map[string]*permission
	wild  wildcards
}

// permission is what all policies together say of one pattern.
type permission struct {
	bits     policy.Capability
	min, max time.Duration
	allowed  constraints
	denied   constraints
	required []string
}

// Compile merges the rules of ps, whatever their order: capabilities add up, deny wins and
// takes everything else of its pattern with it; parameter lists add up, an empty list (any
// value) wins; the shorter wrapping bounds win. A policy named root allows everything.
func Compile(ps []policy.Policy) *ACL {
	a := &ACL{exact: map[string]*permission{}}
	plain, wild := map[string]*draft{}, map[string]*draft{}
	for i := range ps {
		if ps[i].Name == policy.Root {
			a.root = true
		}
		for j := range ps[i].Rules {
			r := &ps[i].Rules[j]
			switch {
			case strings.Contains(r.Path, "{{"): // a template: nobody has an identity to fill in
			case r.Segments || r.Glob:
				merge(wild, written(r), r)
			default:
				merge(plain, r.Path, r)
			}
		}
	}
	for path, d := range plain {
		a.exact[path] = d.permission()
	}
	a.wild = newWildcards(wild)
	return a
}

// written returns the pattern of r as it was written.
func written(r *policy.Rule) string {
	if r.Glob {
		return r.Path + "*"
	}
	return r.Path
}

// draft is a permission while rules are merged into it.
type draft struct {
	policy.Rule
	allowed, denied map[string][]string
}

func merge(into map[string]*draft, pattern string, r *policy.Rule) {
	d := into[pattern]
	switch {
	case d == nil:
		d = &draft{Rule: policy.Rule{Path: r.Path, Glob: r.Glob, Segments: r.Segments}}
		into[pattern] = d
	case d.Capabilities&policy.Deny != 0:
		return
	}
	if r.Capabilities&policy.Deny != 0 {
		*d = draft{Rule: policy.Rule{Path: r.Path, Glob: r.Glob, Segments: r.Segments, Capabilities: policy.Deny}}
		return
	}
	d.Capabilities |= r.Capabilities
	d.MinWrappingTTL = lesser(d.MinWrappingTTL, r.MinWrappingTTL)
	d.MaxWrappingTTL = lesser(d.MaxWrappingTTL, r.MaxWrappingTTL)
	d.allowed = mergeParameters(d.allowed, r.AllowedParameters)
	d.denied = mergeParameters(d.denied, r.DeniedParameters)
	for _, k := range r.RequiredParameters {
		if !slices.Contains(d.RequiredParameters, k) {
			d.RequiredParameters = append(d.RequiredParameters, k)
		}
	}
}

// lesser returns the shorter bound; what is not positive is no bound.
func lesser(a, b time.Duration) time.Duration {
	if b > 0 && (a <= 0 || b < a) {
		return b
	}
	return max(a, 0)
}

// mergeParameters adds b to a, which it owns.
func mergeParameters(a, b map[string][]string) map[string][]string {
	if a == nil && len(b) > 0 {
		a = make(map[string][]string, len(b))
	}
	for k, vs := range b {
		old, ok := a[k]
		if len(vs) == 0 || (ok && len(old) == 0) {
			a[k] = nil
		} else {
			a[k] = slices.Concat(old, vs)
		}
	}
	return a
}

func (d *draft) permission() *permission {
	return &permission{
		bits: d.Capabilities, min: d.MinWrappingTTL, max: d.MaxWrappingTTL,
		allowed: newConstraints(d.allowed), denied: newConstraints(d.denied), required: d.RequiredParameters,
	}
}
