// Package policy holds named ACL policies as the machine stores them: the text
// that an operator wrote and the rules that the edge parsed out of it.
//
// Contract: the machine never parses text. Whoever proposes a policy has parsed
// it, and the rules travel with the text, so that every replica holds equal bytes.
package policy

import "time"

// Names that are built in.
const (
	Root    = "root"    // allows everything; has no text; cannot be changed
	Default = "default" // given to tokens unless they ask not to; can be edited, not deleted
)

// Capability is a set of rights on a path, as a bit mask.
// The numbers are on disk: never renumber or reuse one.
type Capability uint32

// The capabilities of the reference API.
const (
	Deny      Capability = 1
	Create    Capability = 2
	Read      Capability = 4
	Update    Capability = 8
	Delete    Capability = 16
	List      Capability = 32
	Sudo      Capability = 64
	Patch     Capability = 128
	Subscribe Capability = 256
	Recover   Capability = 512
)

// Rule is one path stanza of a policy.
type Rule struct {
	// Path is the pattern without a leading slash and, for globs, without the trailing "*".
	// One with "{{" is a template, and matches nothing while nobody has an identity.
	Path string `cbor:"1,keyasint"`
	// Glob says that Path is a prefix.
	Glob bool `cbor:"2,keyasint,omitempty"`
	// Segments says that Path has "+" segments.
	Segments           bool                `cbor:"3,keyasint,omitempty"`
	Capabilities       Capability          `cbor:"4,keyasint"`
	MinWrappingTTL     time.Duration       `cbor:"5,keyasint,omitempty"`
	MaxWrappingTTL     time.Duration       `cbor:"6,keyasint,omitempty"`
	AllowedParameters  map[string][]string `cbor:"7,keyasint,omitempty"` // values as canonical JSON; empty list: any value
	DeniedParameters   map[string][]string `cbor:"8,keyasint,omitempty"`
	RequiredParameters []string            `cbor:"9,keyasint,omitempty"`
}

// Policy is a named policy.
type Policy struct {
	Name  string `cbor:"1,keyasint"`
	Text  string `cbor:"2,keyasint,omitempty"`
	Rules []Rule `cbor:"3,keyasint,omitempty"`
}
