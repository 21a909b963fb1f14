package fsm

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// maxJoinTokens bounds the join tokens that are open at the same time.
const maxJoinTokens = 1000

// MaxJoinTTL is the longest life of a join token.
const MaxJoinTTL = 24 * time.Hour

// JoinHash is the stored form of a join token: the SHA-256 of the public key that the token's
// bearer proves to hold. The token cannot be told from it.
type JoinHash [32]byte

// String shows the hash in hexadecimal digits.
func (h JoinHash) String() string { return hex.EncodeToString(h[:]) }

// NodeKey is the SHA-256 of a node's public key.
type NodeKey [32]byte

// JoinToken lets one node into the cluster until its deadline.
type JoinToken struct {
	Hash     JoinHash      `cbor:"1,keyasint"`
	Deadline token.Instant `cbor:"2,keyasint"`
	// UsedBy is the key of the node that came with it, zero before: that node may ask again,
	// because an answer can get lost; nobody else may.
	UsedBy NodeKey `cbor:"3,keyasint,omitzero"`
}

// Trust is which authorities the nodes of a cluster believe, as far as a rotation has said
// so. The keys of the authorities are not in it.
type Trust struct {
	// Version counts the changes; 0: none yet, the nodes believe the authority of the first of
	// them.
	Version uint64 `cbor:"1,keyasint"`
	// Authorities are certificates in DER.
	Authorities [][]byte `cbor:"2,keyasint,omitempty"`
	// Issuer is the index of the one that signs.
	Issuer uint32 `cbor:"3,keyasint,omitempty"`
}

// admission is who may become a node of the cluster.
type admission struct {
	tokens map[JoinHash]JoinToken
	trust  Trust
}

func newAdmission() admission { return admission{tokens: map[JoinHash]JoinToken{}} }

// forget drops the tokens that are over.
func (a *admission) forget(at token.Instant) {
	for h, t := range a.tokens { // order: each is judged by itself
		if t.Deadline <= at {
			delete(a.tokens, h)
		}
	}
}

// rows returns the tokens in the order of their hashes.
func (a *admission) rows() []JoinToken {
	rows := make([]JoinToken, 0, len(a.tokens))
	for _, t := range a.tokens { // order: sorted below
		rows = append(rows, t)
	}
	slices.SortFunc(rows, func(x, y JoinToken) int { return slices.Compare(x.Hash[:], y.Hash[:]) })
	return rows
}

// trustRows is the trust as a list of at most one row.
func (a *admission) trustRows() []Trust {
	if a.trust.Version == 0 {
		return nil
	}
	return []Trust{a.trust}
}

// restoreTrust takes the one row that there may be.
func (a *admission) restoreTrust(t Trust) error {
	if a.trust.Version != 0 {
		return errors.New("a second trust")
	}
	a.trust = t
	return nil
}

func (a *admission) check() error {
	if len(a.tokens) > maxJoinTokens {
		return fmt.Errorf("%d join tokens, at most %d", len(a.tokens), maxJoinTokens)
	}
	for h, t := range a.tokens { // order: any failure will do
		if t.Hash != h || t.Deadline == 0 {
			return fmt.Errorf("join token %s with deadline %d is stored as %s", t.Hash, t.Deadline, h)
		}
	}
	return a.trust.check()
}

func (t *Trust) check() error {
	switch {
	case t.Version == 0 && len(t.Authorities) == 0 && t.Issuer == 0:
		return nil
	case t.Version == 0 || len(t.Authorities) == 0 || int64(t.Issuer) >= int64(len(t.Authorities)):
		return fmt.Errorf("trust of version %d in %d authorities, of which number %d signs", t.Version, len(t.Authorities), t.Issuer)
	}
	return nil
}

// Trust returns which authorities a rotation has made the nodes believe.
func (m *Machine) Trust() Trust { return m.joining.trust }

// JoinToken returns the join token with hash h, used or not, that is not over at time now.
func (m *Machine) JoinToken(h JoinHash, now token.Instant) (JoinToken, bool) {
	t, ok := m.joining.tokens[h]
	return t, ok && t.Deadline > m.Now(now)
}
