package fsm

import (
	"time"

	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
)

// Kind numbers a command on the wire and on disk: never renumber or reuse one.
type Kind uint16

// Command is one imperative of the catalogue. It is plain data: everything that
// is random or comes from a clock was minted by the proposer.
type Command interface {
	Kind() Kind
	// apply makes the command happen. It runs on the machine's only writer, must be
	// deterministic, and reports a refusal as a Result, never as a panic.
	apply(m *Machine, c *applyContext) Result
}

// Caller is who asks. Apply checks that the token is alive and that nothing which the
// decision relied on has changed since Epoch, and charges one use of a limited token, in the
// same step as the effect.
// A zero Caller is the system itself (expiry, sessions, login).
type Caller struct {
	Token token.Hash `cbor:"1,keyasint,omitzero"`
	Epoch uint64     `cbor:"2,keyasint,omitempty"`
}

// Target names the token that a command is about: by hash, or by accessor.
type Target struct {
	Token    token.Hash     `cbor:"1,keyasint,omitzero"`
	Accessor token.Accessor `cbor:"2,keyasint,omitempty"`
}

// Initialize makes the cluster: its identity, the salt, the built-in policies and
// mounts, and the first root token. It succeeds once.
type Initialize struct {
	ClusterID   string          `cbor:"1,keyasint"`
	ClusterName string          `cbor:"2,keyasint"`
	Salt        token.Salt      `cbor:"3,keyasint"`
	Root        token.Record    `cbor:"4,keyasint"`
	Policies    []policy.Policy `cbor:"5,keyasint,omitempty"`
	Mounts      []mount.Mount   `cbor:"6,keyasint,omitempty"`
}

// OpenSession registers an edge session, under which proposals are applied once.
type OpenSession struct {
	Session SessionID `cbor:"1,keyasint"`
	Node    string    `cbor:"2,keyasint"`
}

// Tick does nothing but move the machine's time and take one reclaim step. A new
// leader proposes one to commit an entry of its own term.
type Tick struct{}

// ExpireTokens revokes tokens whose deadline is not after the machine's time, at
// most Limit, in (deadline, hash) order.
type ExpireTokens struct {
	Limit uint32 `cbor:"1,keyasint"`
}

// AnnounceMember records where a node can be reached; a node that is already
// recorded is overwritten. Removed drops the record.
type AnnounceMember struct {
	Member  Member `cbor:"1,keyasint"`
	Removed bool   `cbor:"2,keyasint,omitempty"`
}

// CreateToken adds a token. Hash and accessor were minted by the proposer. Parent is
// either the caller or zero. Created, Deadline, UsesLeft and LeaseTTL are set by apply.
type CreateToken struct {
	Caller Caller       `cbor:"1,keyasint,omitzero"`
	Token  token.Record `cbor:"2,keyasint"`
	// Elevated lifts the rule that a child's policies are a subset of its parent's: the
	// edge found sudo on the path, or a role with allowed policies.
	Elevated bool `cbor:"3,keyasint,omitempty"`
}

// UseToken charges one use of the caller and does nothing else: a read, or a
// request that was denied, by a limited token.
type UseToken struct {
	Caller Caller `cbor:"1,keyasint"`
	// AnyEpoch: a denial is charged whatever the epoch is.
	AnyEpoch bool `cbor:"2,keyasint,omitempty"`
}

// RenewToken moves the deadline of a token. DefaultTTL and MaxTTL are the mount's.
type RenewToken struct {
	Caller     Caller        `cbor:"1,keyasint"`
	Target     Target        `cbor:"2,keyasint"`
	Increment  time.Duration `cbor:"3,keyasint,omitempty"`
	DefaultTTL time.Duration `cbor:"4,keyasint"`
	MaxTTL     time.Duration `cbor:"5,keyasint"`
	// Period and ExplicitMax are those of the token's role as it is now, 0 without one.
	Period      time.Duration `cbor:"6,keyasint,omitempty"`
	ExplicitMax time.Duration `cbor:"7,keyasint,omitempty"`
}

// RevokeToken kills a token and all its descendants. An unknown target is no error
// (Result.Count is 0): revoking is idempotent.
type RevokeToken struct {
	Caller Caller `cbor:"1,keyasint"`
	Target Target `cbor:"2,keyasint"`
}

// RevokeOrphan kills one token; its children become orphans and live on.
type RevokeOrphan struct {
	Caller Caller `cbor:"1,keyasint"`
	Target Target `cbor:"2,keyasint"`
}

// RevokePrefix kills every token whose source path is Prefix or lies below it, with their
// trees: "auth/ci" covers "auth/ci/login", and not "auth/cix". Slashes at the end do not
// matter. The empty prefix is refused.
type RevokePrefix struct {
	Caller Caller `cbor:"1,keyasint"`
	Prefix string `cbor:"2,keyasint"`
}

// PutPolicy writes a policy and bumps the epoch.
type PutPolicy struct {
	Caller Caller        `cbor:"1,keyasint"`
	Policy policy.Policy `cbor:"2,keyasint"`
}

// DeletePolicy deletes a policy, if it is there, and bumps the epoch.
type DeletePolicy struct {
	Caller Caller `cbor:"1,keyasint"`
	Name   string `cbor:"2,keyasint"`
}

// PutRole writes a token role and bumps the epoch.
type PutRole struct {
	Caller Caller    `cbor:"1,keyasint"`
	Role   role.Role `cbor:"2,keyasint"`
}

// DeleteRole deletes a token role, if it is there, and bumps the epoch.
type DeleteRole struct {
	Caller Caller `cbor:"1,keyasint"`
	Name   string `cbor:"2,keyasint"`
}

// PutMount writes a mount entry and bumps the epoch.
type PutMount struct {
	Caller Caller      `cbor:"1,keyasint"`
	Mount  mount.Mount `cbor:"2,keyasint"`
}

// Member is a node of the cluster as its peers and clients reach it.
type Member struct {
	ID          string `cbor:"1,keyasint"`
	APIAddr     string `cbor:"2,keyasint"`
	ClusterAddr string `cbor:"3,keyasint"`
	Version     string `cbor:"4,keyasint"`
	Hostname    string `cbor:"5,keyasint,omitempty"`
}
