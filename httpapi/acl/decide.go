package acl

import (
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/policy"
)

// Operation is what a request wants to do.
type Operation uint8

// The operations. Each but Help needs the capability of its name; Help is always allowed.
const (
	Create  Operation = 1
	Read    Operation = 2
	Update  Operation = 3
	Delete  Operation = 4
	List    Operation = 5
	Patch   Operation = 6
	Help    Operation = 7
	Recover Operation = 8
)

// bit is the capability that an operation needs; an unknown operation needs one that nothing grants.
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
	case Recover:
		return policy.Recover
	}
	return 0
}

// Request is what is decided.
type Request struct {
	Op   Operation
	Path string         // without /v1/; leading slashes do not count
	Data map[string]any // body or query, numbers as json.Number; read only
	// Wrapped and WrapTTL: the answer is asked for wrapped.
	Wrapped bool
	WrapTTL time.Duration
}

// Decision is what was decided.
type Decision struct {
	Allowed bool
	Root    bool // by the root policy
	Sudo    bool // the path has the sudo capability, or Root, or the operation is Help
}

// Allowed decides r. It does not allocate unless the rule has parameter constraints.
func (a *ACL) Allowed(r Request) Decision {
	if a.root {
		return Decision{Allowed: true, Root: true, Sudo: true}
	}
	if r.Op == Help {
		return Decision{Allowed: true, Sudo: true}
	}
	p := a.find(r.Path, r.Op == List)
	if p == nil || p.bits&policy.Deny != 0 {
		return Decision{}
	}
	allowed := p.bits&r.Op.bit() != 0 && p.wrapping(&r) && p.parameters(&r)
	return Decision{Allowed: allowed, Sudo: p.bits&policy.Sudo != 0}
}

// Capabilities returns the capabilities on path, sorted; ["deny"] if there are none.
func (a *ACL) Capabilities(path string) []string {
	if a.root {
		return []string{policy.Root}
	}
	var out []string
	if p := a.find(path, true); p != nil && p.bits&policy.Deny == 0 {
		for _, c := range capabilityNames {
			if p.bits&c.bit != 0 {
				out = append(out, c.name)
			}
		}
	}
	if out == nil {
		return []string{"deny"}
	}
	return out
}

// find returns the permission that rules path; nil if none does.
func (a *ACL) find(path string, list bool) *permission {
	path = strings.TrimLeft(path, "/")
	if p := a.exact[path]; p != nil {
		return p
	}
	if bare, ok := strings.CutSuffix(path, "/"); ok && list {
		if p := a.exact[bare]; p != nil {
			return p
		}
		return a.wild.findList(path)
	}
	return a.wild.find(path)
}

// wrapping reports whether the TTL of the wrapped answer is within the bounds. Merging can
// make the bounds exclude every TTL.
func (p *permission) wrapping(r *Request) bool {
	if p.max > 0 && (!r.Wrapped || r.WrapTTL > p.max) {
		return false
	}
	return p.min <= 0 || (r.Wrapped && r.WrapTTL >= p.min)
}
