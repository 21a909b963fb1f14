// Package token holds the identity types of a token and its Record, the value
// that every layer passes around.
//
// Contract: the secret (ID) exists only at the edge; everything below the HTTP
// layer knows a token by its Hash. IDs, hashes and accessors are distinct types,
// so that swapping them does not compile. The package has no state and is safe
// for concurrent use.
package token

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"time"
)

// ServicePrefix starts the ID of every minted service token.
const ServicePrefix = "hvs."

// BatchPrefix starts every batch token.
const BatchPrefix = "hvb."

// AccessorLength is the number of characters of an accessor.
const AccessorLength = 24

// idLength is the number of random base62 characters after the prefix: 142 bits.
const idLength = 24

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// ID is the secret that a client sends. It is never stored, logged or replicated.
type ID string

// Accessor names a token without giving the right to use it. It is no secret.
type Accessor string

// Hash is HMAC-SHA256(cluster salt, ID): the only form in which log, snapshot
// and memory know a token. The zero Hash means "no token".
type Hash [32]byte

// Salt is the key of the hash, made once when the cluster is initialized.
type Salt [32]byte

// Instant is a point in time in Unix nanoseconds; 0 means never.
type Instant int64

// InstantOf converts a wall-clock time.
func InstantOf(t time.Time) Instant { return Instant(t.UnixNano()) }

// Time converts back to UTC.
func (i Instant) Time() time.Time { return time.Unix(0, int64(i)).UTC() }

// Add returns i moved by d.
func (i Instant) Add(d time.Duration) Instant { return i + Instant(d) }

// Sub returns the time from j to i.
func (i Instant) Sub(j Instant) time.Duration { return time.Duration(i - j) }

// Type says how a token is kept. The numbers are on disk: never reuse one.
type Type uint8

const (
	// Service tokens are stored, renewable and can have children.
	Service Type = 1
	// Batch tokens are stored nowhere: they say themselves what they are.
	Batch Type = 2
)

// String returns the name that the API shows.
func (t Type) String() string {
	switch t {
	case Service:
		return "service"
	case Batch:
		return "batch"
	}
	return fmt.Sprintf("type-%d", uint8(t))
}

// Keyed returns a new HMAC-SHA256 under s: the sum over an ID is its Hash. To reset one takes less
// time than to make one.
func (s Salt) Keyed() hash.Hash { return hmac.New(sha256.New, s[:]) }

// Hash returns the stored form of id under s.
func (s Salt) Hash(id ID) Hash {
	m := s.Keyed()
	io.WriteString(m, string(id))
	var h Hash
	m.Sum(h[:0])
	return h
}

// IsZero reports whether h is the "no token" hash.
func (h Hash) IsZero() bool { return h == Hash{} }

// String returns h in hex.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// ParseHash reads what String wrote.
func ParseHash(s string) (Hash, error) {
	var h Hash
	b, err := hex.DecodeString(s)
	if err != nil {
		return h, fmt.Errorf("token hash %q: %w", s, err)
	}
	if len(b) != len(h) {
		return h, fmt.Errorf("token hash %q: %d bytes, want %d", s, len(b), len(h))
	}
	copy(h[:], b)
	return h, nil
}

// NewID mints a service token ID from r, which must be cryptographically random.
func NewID(r io.Reader) (ID, error) {
	s, err := randomBase62(r, idLength)
	if err != nil {
		return "", fmt.Errorf("minting a token: %w", err)
	}
	return ID(ServicePrefix + s), nil
}

// NewAccessor mints an accessor from r.
func NewAccessor(r io.Reader) (Accessor, error) {
	s, err := randomBase62(r, AccessorLength)
	if err != nil {
		return "", fmt.Errorf("minting an accessor: %w", err)
	}
	return Accessor(s), nil
}

// randomBase62 returns n uniformly distributed characters: bytes of 248 and more
// are thrown away, because 248 is the largest multiple of 62 in a byte.
func randomBase62(r io.Reader, n int) (string, error) {
	out := make([]byte, 0, n)
	buf := make([]byte, n+n/4)
	for len(out) < n {
		if _, err := io.ReadFull(r, buf); err != nil {
			return "", err
		}
		for _, b := range buf {
			if b < 248 && len(out) < n {
				out = append(out, base62[b%62])
			}
		}
	}
	return string(out), nil
}
