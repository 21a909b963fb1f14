package token

import "time"

// Record is one token in full. All fields but UsesLeft, Deadline, Renewed,
// LeaseTTL and (through revoke-orphan only) Parent are fixed at creation.
//
// A Record is a value: what a reader gets shares no memory with the state.
// The CBOR keys are on disk and on the wire: never renumber or reuse one.
type Record struct {
	Hash        Hash              `cbor:"1,keyasint"`
	Accessor    Accessor          `cbor:"2,keyasint"`
	Parent      Hash              `cbor:"3,keyasint,omitzero"` // zero: no parent
	Type        Type              `cbor:"4,keyasint"`
	DisplayName string            `cbor:"5,keyasint,omitempty"`
	Meta        map[string]string `cbor:"6,keyasint,omitempty"`
	Policies    []string          `cbor:"7,keyasint,omitempty"` // sorted, no duplicates
	Path        string            `cbor:"8,keyasint,omitempty"` // where it was issued: auth/token/create
	Role        string            `cbor:"9,keyasint,omitempty"` // token role, "" if none
	BoundCIDRs  []string          `cbor:"10,keyasint,omitempty"`
	Created     Instant           `cbor:"11,keyasint"`
	TTL         time.Duration     `cbor:"12,keyasint,omitempty"` // at creation; 0 only for never-expiring root tokens
	ExplicitMax time.Duration     `cbor:"13,keyasint,omitempty"`
	Period      time.Duration     `cbor:"14,keyasint,omitempty"`
	NumUses     uint32            `cbor:"15,keyasint,omitempty"` // as created; 0: unlimited
	Renewable   bool              `cbor:"16,keyasint,omitempty"`
	UsesLeft    uint32            `cbor:"17,keyasint,omitempty"`
	Deadline    Instant           `cbor:"18,keyasint,omitempty"` // 0: never
	Renewed     Instant           `cbor:"19,keyasint,omitempty"` // last renewal, 0: never
	LeaseTTL    time.Duration     `cbor:"20,keyasint,omitempty"` // granted last; what a renewal without increment repeats
	Login       Login             `cbor:"21,keyasint,omitzero"`  // zero unless a login made the token
}

// Login is what a token remembers of the login that made it.
type Login struct {
	// Mount is the UUID of the mount: another one at the same path is another one.
	Mount string `cbor:"1,keyasint,omitempty"`
	// Entity names who logged in: the same alias of the same mount is the same entity.
	Entity string `cbor:"2,keyasint,omitempty"`
	// Data is what the login method wants to see again when the token is renewed.
	Data string `cbor:"3,keyasint,omitempty"`
}

// IsZero reports whether no login made the token.
func (l Login) IsZero() bool { return l == Login{} }

// Orphan reports whether the token has no parent.
func (r *Record) Orphan() bool { return r.Parent.IsZero() }

// Limited reports whether the token was created with a number of uses.
func (r *Record) Limited() bool { return r.NumUses > 0 }

// Expired reports whether the token's own deadline has passed at now.
func (r *Record) Expired(now Instant) bool { return r.Deadline != 0 && r.Deadline <= now }

// HasPolicy reports whether name is one of the token's policies.
func (r *Record) HasPolicy(name string) bool {
	for _, p := range r.Policies {
		if p == name {
			return true
		}
	}
	return false
}
