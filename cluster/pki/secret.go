package pki

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"
)

// MinClusterKey is the least length of a cluster key. Who connects to a member may guess it
// offline, so that it must be random, and not a word.
const MinClusterKey = 32

// tokenPrefix starts every join token.
const tokenPrefix = "gjt."

// JoinToken lets one node into a cluster, once. It names the authority, so that the node
// knows whom it talks to.
type JoinToken struct {
	Authority Fingerprint
	secret    [32]byte
}

// NewJoinToken makes a token for the cluster of an authority.
func NewJoinToken(random io.Reader, authority Fingerprint) (JoinToken, error) {
	t := JoinToken{Authority: authority}
	if _, err := io.ReadFull(random, t.secret[:]); err != nil {
		return t, fmt.Errorf("minting a join token: %w", err)
	}
	return t, nil
}

// ParseJoinToken is the inverse of Text. Its error never repeats the token.
func ParseJoinToken(s string) (JoinToken, error) {
	var t JoinToken
	text, ok := strings.CutPrefix(strings.TrimSpace(s), tokenPrefix)
	b, err := base64.RawURLEncoding.DecodeString(text)
	if !ok || err != nil || len(b) != len(t.Authority)+len(t.secret) {
		return t, fmt.Errorf("malformed join token: want %s and %d characters", tokenPrefix, base64.RawURLEncoding.EncodedLen(len(t.Authority)+len(t.secret)))
	}
	copy(t.Authority[:], b)
	copy(t.secret[:], b[len(t.Authority):])
	return t, nil
}

// Text is what the operator carries to the new node.
func (t JoinToken) Text() string {
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(t.Authority[:], t.secret[:]...))
}

// Vouches returns the node that a member's chain names, if the authority that the token names has
// signed it.
func (t JoinToken) Vouches(chain []*x509.Certificate, now time.Time) (Name, error) {
	for _, c := range chain[1:] {
		if a := (Authority{Certificate: c}); a.Fingerprint() == t.Authority {
			n, err := NameOf(chain[0])
			if err != nil {
				return n, err
			}
			b := Bundle{Authorities: []Authority{a}}
			return b.Verify(n.Cluster, chain[0], x509.ExtKeyUsageServerAuth, now)
		}
	}
	return Name{}, fmt.Errorf("%w: it does not show the authority that the join token names; either the token is of another cluster, or of before a rotation", ErrForeign)
}

// Key is the key pair by which the bearer proves that it has the token.
func (t JoinToken) Key() ed25519.PrivateKey { return derive(t.secret[:], "join token") }

// Hash is the stored form of the token.
func (t JoinToken) Hash() [32]byte { return HashKey(t.Key().Public().(ed25519.PublicKey)) }

// ClusterKey is the key pair by which the nodes that share a cluster key prove it to each other.
func ClusterKey(secret string) (ed25519.PrivateKey, error) {
	secret = strings.TrimSpace(secret)
	if len(secret) < MinClusterKey {
		return nil, fmt.Errorf("a cluster key has at least %d characters, and is random: openssl rand -hex 32", MinClusterKey)
	}
	return derive([]byte(secret), "cluster key"), nil
}

// derive makes a key pair from a secret of high entropy.
func derive(secret []byte, purpose string) ed25519.PrivateKey {
	seed, err := hkdf.Key(sha256.New, secret, nil, "grove "+purpose, ed25519.SeedSize)
	if err != nil {
		panic(err) // the length is fixed, and short
	}
	return ed25519.NewKeyFromSeed(seed)
}

// HashKey is the stored form of a public key that a secret stands behind: who reads it can
// neither join with it nor guess the secret.
func HashKey(key ed25519.PublicKey) [32]byte { return sha256.Sum256(key) }

// Bare wraps a key pair for TLS in a certificate that says nothing: only the key counts.
func Bare(random io.Reader, key ed25519.PrivateKey) (tls.Certificate, error) {
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "grove join"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
	c, err := sign(random, t, t, key.Public().(ed25519.PublicKey), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key, Leaf: c}, nil
}

// KeyOf returns the key of a certificate that a peer has proved to hold.
func KeyOf(c *x509.Certificate) (ed25519.PublicKey, error) {
	key, ok := c.PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, errors.New("the peer's key is not an Ed25519 key")
	}
	return key, nil
}
