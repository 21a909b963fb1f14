package pki

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/url"
	"time"
)

// authorityLife is how long the certificate of an authority holds. Rotation replaces it sooner.
const authorityLife = 10 * 365 * 24 * time.Hour

// backdate is how far the start of a certificate lies in the past: a peer's clock may be behind.
const backdate = time.Hour

// Fingerprint is the SHA-256 of a certificate. It names an authority, and is no secret.
type Fingerprint [sha256.Size]byte

// String is the fingerprint in hexadecimal digits.
func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

// Authority signs the certificates of a cluster's nodes. Key is nil on a node that only
// believes it.
type Authority struct {
	Certificate *x509.Certificate
	Key         ed25519.PrivateKey
}

// NewAuthority makes an authority for a cluster.
func NewAuthority(random io.Reader, cluster string, now time.Time) (Authority, error) {
	key, err := newKey(random)
	if err != nil {
		return Authority{}, err
	}
	serial, err := newSerial(random)
	if err != nil {
		return Authority{}, err
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "Grove cluster " + cluster},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(authorityLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	c, err := sign(random, t, t, key.Public().(ed25519.PublicKey), key)
	return Authority{Certificate: c, Key: key}, err
}

// Fingerprint names the authority.
func (a Authority) Fingerprint() Fingerprint { return sha256.Sum256(a.Certificate.Raw) }

// WithKey returns the authority with its key, of which seed is the stored form.
func (a Authority) WithKey(seed []byte) (Authority, error) {
	key, err := keyOfSeed(seed)
	if err == nil && !key.Public().(ed25519.PublicKey).Equal(a.Certificate.PublicKey) {
		err = errors.New("the key is not that of the certificate")
	}
	return Authority{Certificate: a.Certificate, Key: key}, err
}

// Issue makes a certificate for a node's public key. It never outlives the authority.
func (a Authority) Issue(random io.Reader, n Name, key ed25519.PublicKey, now time.Time, life time.Duration) (*x509.Certificate, error) {
	if a.Key == nil {
		return nil, errors.New("this node does not hold the key of the authority")
	}
	serial, err := newSerial(random)
	if err != nil {
		return nil, err
	}
	end := now.Add(life)
	if end.After(a.Certificate.NotAfter) {
		end = a.Certificate.NotAfter
	}
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: n.Node}, URIs: []*url.URL{n.uri()},
		NotBefore: now.Add(-backdate), NotAfter: end, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	return sign(random, t, a.Certificate, key, a.Key)
}

// Derive makes a key of n bytes for one purpose from the authority's own: everyone who holds the
// authority derives the same.
func (a Authority) Derive(cluster, purpose string, n int) ([]byte, error) {
	return hkdf.Key(sha256.New, a.Key.Seed(), []byte(cluster), "grove "+purpose, n)
}

func sign(random io.Reader, t, parent *x509.Certificate, key ed25519.PublicKey, by ed25519.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(random, t, parent, key, by)
	if err != nil {
		return nil, fmt.Errorf("signing a certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// newKey makes a key pair.
func newKey(random io.Reader) (ed25519.PrivateKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

func newSerial(random io.Reader) (*big.Int, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(random, b); err != nil {
		return nil, fmt.Errorf("numbering a certificate: %w", err)
	}
	b[0] &= 0x7f // positive
	b[15] |= 1   // not zero
	return new(big.Int).SetBytes(b), nil
}
