// Package role holds token roles: templates that `auth/token/create/<role>` applies.
package role

import "time"

// Role is a named template for tokens. The CBOR keys are on disk: never reuse one.
type Role struct {
	Name                   string        `cbor:"1,keyasint"`
	AllowedPolicies        []string      `cbor:"2,keyasint,omitempty"`
	DisallowedPolicies     []string      `cbor:"3,keyasint,omitempty"`
	AllowedPoliciesGlob    []string      `cbor:"4,keyasint,omitempty"`
	DisallowedPoliciesGlob []string      `cbor:"5,keyasint,omitempty"`
	Orphan                 bool          `cbor:"6,keyasint,omitempty"`
	Renewable              bool          `cbor:"7,keyasint,omitempty"`
	PathSuffix             string        `cbor:"8,keyasint,omitempty"`
	AllowedEntityAliases   []string      `cbor:"9,keyasint,omitempty"`
	TokenType              string        `cbor:"10,keyasint,omitempty"` // default-service, default-batch, service, batch
	TokenBoundCIDRs        []string      `cbor:"11,keyasint,omitempty"`
	TokenNumUses           uint32        `cbor:"12,keyasint,omitempty"`
	TokenPeriod            time.Duration `cbor:"13,keyasint,omitempty"`
	TokenExplicitMaxTTL    time.Duration `cbor:"14,keyasint,omitempty"`
	TokenNoDefaultPolicy   bool          `cbor:"15,keyasint,omitempty"`
	// The deprecated spellings are kept apart, because a read shows both.
	Period         time.Duration `cbor:"16,keyasint,omitempty"`
	ExplicitMaxTTL time.Duration `cbor:"17,keyasint,omitempty"`
	BoundCIDRs     []string      `cbor:"18,keyasint,omitempty"`
}
