package acl

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/policy"
)

// Operation is what a request wants to do.
type Operation uint8

// The operations, each of which needs the capability of its name.
const (
	Create Operation = 1
	Read   Operation = 2
	Update Operation = 3
	Delete Operation = 4
	List   Operation = 5
	Patch  Operation = 6
)

// bit is the capability that an operation needs.
func (o Operation) bit() policy.Capability {
	switch o {
	case Create:
		return policy.Create
	case Read:
		return policy.Read
	case Update:
		return policy.Update
	case Delete:
		return policy.Delete
	case List:
		return policy.List
	case Patch:
		return policy.Patch
	}
	return policy.Deny
}

// Request is what is decided.
type Request struct {
	Op   Operation
	Path string // without /v1/ and without a leading slash
	Data map[string]any
	// Wrapped and WrapTTL: the answer is asked for wrapped.
	Wrapped bool
	WrapTTL time.Duration
}

// Decision is what was decided.
type Decision struct {
	Allowed bool
	Root    bool // by the root policy
	Sudo    bool // the path has the sudo capability, or Root
}

// Allowed decides r.
func (a *ACL) Allowed(r Request) Decision {
	if a.root {
		return Decision{Allowed: true, Root: true, Sudo: true}
	}
	p := a.find(r.Path, r.Op == List)
	if p == nil || p.bits&policy.Deny != 0 {
		return Decision{}
	}
	d := Decision{Sudo: p.bits&policy.Sudo != 0}
	d.Allowed = p.bits&r.Op.bit() != 0 && p.wrapping(&r) && p.parameters(&r)
	return d
}

// Capabilities returns the capabilities on path, sorted; ["deny"] if there are none.
func (a *ACL) Capabilities(path string) []string {
	if a.root {
		return []string{policy.Root}
	}
	p := a.find(path, true)
	if p == nil || p.bits&policy.Deny != 0 || p.bits == 0 {
		return []string{"deny"}
	}
	var out []string
	for n, bit := range names {
		if p.bits&bit != 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	return out
}

// find returns the permission that rules path: the exact one, or the one with the highest
// priority of those with wildcards.
func (a *ACL) find(path string, list bool) *permission {
	if p := a.exact[path]; p != nil {
		return p
	}
	if bare, ok := strings.CutSuffix(path, "/"); ok && list {
		if p := a.exact[bare]; p != nil {
			return p
		}
	}
	prefix, length := a.longestPrefix(path)
	for _, s := range a.segments {
		if !s.matches(path) {
			continue
		}
		// A plain prefix is a pattern whose first wildcard is at its end.
		if prefix != nil && (length > s.first || (length == s.first && !s.beats(length))) {
			return prefix
		}
		return s.permission
	}
	return prefix
}

// beats reports whether s wins over a plain prefix whose glob is where the first "+" of s is.
func (s *segment) beats(length int) bool {
	if !s.glob {
		return true
	}
	return s.plus == 0 && len(s.pattern) > length
}

func (a *ACL) longestPrefix(path string) (*permission, int) {
	for _, n := range a.lengths {
		if n <= len(path) {
			if p := a.prefixes[path[:n]]; p != nil {
				return p, n
			}
		}
	}
	return nil, 0
}

func (p *permission) wrapping(r *Request) bool {
	if p.max > 0 && (!r.Wrapped || r.WrapTTL > p.max) {
		return false
	}
	return p.min == 0 || (r.Wrapped && r.WrapTTL >= p.min)
}

// parameters checks the request's data against required, denied and allowed parameters.
func (p *permission) parameters(r *Request) bool {
	if r.Op == Delete || r.Op == List || (p.required == nil && p.allowed == nil && p.denied == nil) {
		return true
	}
	for _, k := range p.required {
		if _, ok := r.Data[k]; !ok {
			return false
		}
	}
	if len(r.Data) == 0 {
		return true
	}
	if len(p.denied) > 0 {
		if _, all := p.denied["*"]; all {
			return false
		}
		for k, v := range r.Data {
			if vs, ok := p.denied[strings.ToLower(k)]; ok && listed(v, vs) {
				return false
			}
		}
	}
	if len(p.allowed) == 0 {
		return true
	}
	_, all := p.allowed["*"]
	for k, v := range r.Data {
		vs, ok := p.allowed[strings.ToLower(k)]
		if (!ok && !all) || (ok && !listed(v, vs)) {
			return false
		}
	}
	return true
}

// listed reports whether v is one of the values, which are JSON; strings may have globs.
// An empty list takes any value.
func listed(v any, values []string) bool {
	if len(values) == 0 {
		return true
	}
	own, err := json.Marshal(v)
	if err != nil {
		return false
	}
	s, isString := v.(string)
	for _, w := range values {
		var pattern string
		if isString && json.Unmarshal([]byte(w), &pattern) == nil {
			if Glob(pattern, s) {
				return true
			}
		} else if w == string(own) {
			return true
		}
	}
	return false
}

// Glob reports whether s matches pattern, in which "*" at either end stands for anything.
func Glob(pattern, s string) bool {
	inner, suffix := strings.CutPrefix(pattern, "*")
	inner, prefix := strings.CutSuffix(inner, "*")
	switch {
	case pattern == "*":
		return true
	case prefix && suffix:
		return strings.Contains(s, inner)
	case prefix:
		return strings.HasPrefix(s, inner)
	case suffix:
		return strings.HasSuffix(s, inner)
	}
	return s == pattern
}
