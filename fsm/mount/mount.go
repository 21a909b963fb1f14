// Package mount holds the bookkeeping of what is mounted where: path, type,
// accessor and what is tuned for it.
package mount

import (
	"strings"
	"time"
)

// Mount is one entry of the mount table. Path ends in a slash and starts with
// "auth/" for login methods; any other is that of a secret engine. No path is the beginning of
// another one. The CBOR keys are on disk: never reuse one.
type Mount struct {
	Path        string        `cbor:"1,keyasint"`
	Type        string        `cbor:"2,keyasint"`
	Accessor    string        `cbor:"3,keyasint"`
	UUID        string        `cbor:"4,keyasint"` // of this mount; another one at the same path has another
	Description string        `cbor:"5,keyasint,omitempty"`
	DefaultTTL  time.Duration `cbor:"6,keyasint,omitempty"` // 0: the system's
	MaxTTL      time.Duration `cbor:"7,keyasint,omitempty"` // 0: the system's
	TokenType   string        `cbor:"8,keyasint,omitempty"`
	Visibility  string        `cbor:"9,keyasint,omitempty"` // "", unauth or hidden
	Tuning      Tuning        `cbor:"10,keyasint,omitzero"` // not in PutMount and Initialize
}

// Tuning is what few mounts have set.
type Tuning struct {
	Options             map[string]string `cbor:"1,keyasint,omitempty"`
	AuditRequestKeys    []string          `cbor:"2,keyasint,omitempty"` // shown by audit devices as they are
	AuditResponseKeys   []string          `cbor:"3,keyasint,omitempty"`
	PassthroughHeaders  []string          `cbor:"4,keyasint,omitempty"`
	AllowedHeaders      []string          `cbor:"5,keyasint,omitempty"`
	Lockout             Lockout           `cbor:"6,keyasint,omitzero"`
	SealWrap            bool              `cbor:"7,keyasint,omitempty"` // kept and shown, without effect
	ExternalEntropy     bool              `cbor:"8,keyasint,omitempty"` // likewise
	ForceNoCache        bool              `cbor:"9,keyasint,omitempty"` // likewise
	DelegatedAccessors  []string          `cbor:"10,keyasint,omitempty"`
	IdentityTokenKey    string            `cbor:"11,keyasint,omitempty"`
	TrimTrailingSlashes bool              `cbor:"12,keyasint,omitempty"`
}

// Lockout is when logins of a user are refused because too many have failed. Zero values
// are the usual ones.
type Lockout struct {
	Threshold uint32        `cbor:"1,keyasint,omitempty"` // failures that lock; 0: 5
	Duration  time.Duration `cbor:"2,keyasint,omitempty"` // from the last failure on; 0: 15 min
	Reset     time.Duration `cbor:"3,keyasint,omitempty"` // without a failure, after which counting starts anew; 0: 15 min
	Disabled  bool          `cbor:"4,keyasint,omitempty"`
}

// The usual values of a Lockout.
const (
	UsualThreshold = 5
	UsualLockout   = 15 * time.Minute
)

// Resolved returns l with the usual values for what is not set.
func (l Lockout) Resolved() Lockout {
	if l.Threshold == 0 {
		l.Threshold = UsualThreshold
	}
	if l.Duration == 0 {
		l.Duration = UsualLockout
	}
	if l.Reset == 0 {
		l.Reset = UsualLockout
	}
	return l
}

// Reserved are paths at and below which nothing can be mounted.
var Reserved = []string{"sys/", "cubbyhole/", "identity/"}

// Auth reports whether the mount is that of a login method.
func (m *Mount) Auth() bool { return strings.HasPrefix(m.Path, "auth/") }

// Conflict reports whether two paths exclude each other: equal, or one below the other.
func Conflict(a, b string) bool { return strings.HasPrefix(a, b) || strings.HasPrefix(b, a) }
