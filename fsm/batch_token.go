package fsm

import (
	"fmt"
	"time"

	"github.com/tokengrove/grove/fsm/ban"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// MaxBatchTTL is the longest life of a batch token: afterwards the machine forgets what could have killed it.
const MaxBatchTTL = 365 * 24 * time.Hour

// Bounds of what a batch token says of itself, which is sent with every request.
const (
	MaxBatchBytes = 4096        // encoded
	MaxBatchPath  = ban.MaxPath // of its source path
)

// BatchToken is what a batch token says of itself. It is stored nowhere: the client has it, sealed. The CBOR keys are in the
// hands of clients: never reuse one.
type BatchToken struct {
	// Parent is the accessor of its parent, "" without one. An accessor is never used again, so that the
	// token cannot outlive its parent under another's name.
	Parent      token.Accessor    `cbor:"1,keyasint,omitempty"`
	Policies    []string          `cbor:"2,keyasint,omitempty"`
	Path        string            `cbor:"3,keyasint"`
	DisplayName string            `cbor:"4,keyasint,omitempty"`
	Meta        map[string]string `cbor:"5,keyasint,omitempty"`
	BoundCIDRs  []string          `cbor:"6,keyasint,omitempty"`
	Created     token.Instant     `cbor:"7,keyasint"`
	TTL         time.Duration     `cbor:"8,keyasint"`
	Role        string            `cbor:"9,keyasint,omitempty"`
	// Issued is the state on which it was issued.
	Issued ban.Point   `cbor:"10,keyasint"`
	Login  token.Login `cbor:"11,keyasint,omitzero"`
}

// EncodeBatchToken returns the bytes that are sealed.
func EncodeBatchToken(b *BatchToken) ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	out, err := encMode.Marshal(b)
	switch {
	case err != nil:
		return nil, fmt.Errorf("encoding a batch token: %w", err)
	case len(out) > MaxBatchBytes:
		return nil, Errorf(Invalid, "a batch token holds at most %d bytes of policies, metadata, names and paths, this one would hold %d: use fewer, or a service token", MaxBatchBytes, len(out))
	}
	return out, nil
}

// DecodeBatchToken is the inverse of EncodeBatchToken.
func DecodeBatchToken(body []byte) (*BatchToken, error) {
	b := new(BatchToken)
	if len(body) > MaxBatchBytes {
		return nil, fmt.Errorf("a batch token of %d bytes, at most %d", len(body), MaxBatchBytes)
	}
	if err := decMode.Unmarshal(body, b); err != nil {
		return nil, fmt.Errorf("decoding a batch token: %w", err)
	}
	return b, b.check()
}

// check refuses what cannot be a batch token.
func (b *BatchToken) check() error {
	switch {
	case b.Path == "" || len(b.Path) > MaxBatchPath:
		return Errorf(Invalid, "a batch token has a source path of 1 to %d bytes, this one has %d", MaxBatchPath, len(b.Path))
	case b.Created <= 0 || b.TTL <= 0 || b.TTL > MaxBatchTTL:
		return Errorf(Invalid, "a batch token lives for at most %s, and not for ever", MaxBatchTTL)
	case len(b.Parent) > maxAccessor:
		return Errorf(Invalid, "an accessor has at most %d bytes", maxAccessor)
	}
	for _, p := range b.Policies {
		if p == policy.Root {
			return Errorf(Invalid, "batch tokens cannot be root tokens")
		}
	}
	return nil
}

// deadline is when it dies at the latest.
func (b *BatchToken) deadline() token.Instant { return b.Created.Add(b.TTL) }

// Record returns the token as others are shown. h is the hash of its ID; its parent's is not known to it, and
// is the hash of nothing: only that there is one counts.
func (b *BatchToken) Record(h token.Hash) token.Record {
	rec := token.Record{
		Hash: h, Type: token.Batch, DisplayName: b.DisplayName, Meta: b.Meta, Policies: b.Policies, Path: b.Path, Role: b.Role,
		BoundCIDRs: b.BoundCIDRs, Created: b.Created, TTL: b.TTL, Deadline: b.deadline(), Login: b.Login,
	}
	if b.Parent != "" {
		rec.Parent = token.Hash{1}
	}
	return rec
}

// BatchAlive reports whether a batch token lives: its deadline has not come, its parent lives, and its path was not
// revoked since it was issued.
func (m *Machine) BatchAlive(b *BatchToken, now token.Instant) bool {
	now = m.Now(now)
	if b.deadline() <= now || m.bans.Kills(b.Path, b.Issued) {
		return false
	}
	if b.Parent == "" {
		return true
	}
	ref := m.forest.FindAccessor(b.Parent)
	return ref != 0 && m.forest.Alive(ref, now)
}

// Point is where in its history the state is now.
func (m *Machine) Point() ban.Point {
	return ban.Point{Restores: m.upkeep.lineage.StoreEpoch, Index: m.index}
}

// ban kills the batch tokens that were issued at path or below it.
func (m *Machine) ban(path string) {
	m.bans.Add(ban.Ban{Prefix: path, Point: m.Point(), At: m.at})
}
