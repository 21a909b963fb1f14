package pki

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/tokengrove/grove/cluster/seal"
)

// formatVersion is that of the file.
const formatVersion = 1

// Credentials are what a node shows to its peers, and what it shares with them.
type Credentials struct {
	Name        Name
	Key         ed25519.PrivateKey
	Certificate *x509.Certificate
	Bundle      Bundle
	// derived: the file or grant has no seal key, because an earlier build wrote it.
	derived bool
}

// Found makes the credentials of the first node of a cluster, the cluster's authority, and its seal key, unless one
// is given.
func Found(random io.Reader, n Name, now time.Time, life time.Duration, given seal.Key) (*Credentials, error) {
	a, err := NewAuthority(random, n.Cluster, now)
	if err != nil {
		return nil, err
	}
	if given.IsZero() {
		if given, err = seal.NewKey(random); err != nil {
			return nil, err
		}
	}
	return (&Credentials{Name: n, Bundle: Bundle{Authorities: []Authority{a}, Seal: given}}).Renew(random, now, life)
}

// Renew returns c with a new key and a new certificate from the authority that signs. Every
// member holds that authority, so that it need not ask anyone.
func (c *Credentials) Renew(random io.Reader, now time.Time, life time.Duration) (*Credentials, error) {
	key, err := newKey(random)
	if err != nil {
		return nil, err
	}
	cert, err := c.Bundle.Issuing().Issue(random, c.Name, key.Public().(ed25519.PublicKey), now, life)
	if err != nil {
		return nil, err
	}
	return &Credentials{Name: c.Name, Key: key, Certificate: cert, Bundle: c.Bundle}, nil
}

// With returns c with another bundle, and the same key and certificate.
func (c *Credentials) With(b Bundle) *Credentials {
	return &Credentials{Name: c.Name, Key: c.Key, Certificate: c.Certificate, Bundle: b}
}

// Signer is the authority that has signed the certificate: its fingerprint, zero if it is not
// believed any more.
func (c *Credentials) Signer() Fingerprint {
	for _, a := range c.Bundle.Authorities {
		if c.Certificate.CheckSignatureFrom(a.Certificate) == nil {
			return a.Fingerprint()
		}
	}
	return Fingerprint{}
}

// Due reports whether two thirds of the certificate's life are over, or the authority that
// signs is another than the one that has signed it.
func (c *Credentials) Due(now time.Time) bool {
	if c.Certificate.CheckSignatureFrom(c.Bundle.Issuing().Certificate) != nil {
		return true
	}
	start, end := c.Certificate.NotBefore.Add(backdate), c.Certificate.NotAfter
	return now.After(start.Add(end.Sub(start) * 2 / 3))
}

// TLS is the certificate as other members are shown it: they know the authorities.
func (c *Credentials) TLS() tls.Certificate {
	return tls.Certificate{Certificate: [][]byte{c.Certificate.Raw}, PrivateKey: c.Key, Leaf: c.Certificate}
}

// Chain is TLS with the authorities, among which the bearer of a join token looks for the one that
// the token names.
func (c *Credentials) Chain() tls.Certificate {
	t := c.TLS()
	for _, a := range c.Bundle.Authorities {
		t.Certificate = append(t.Certificate, a.Certificate.Raw)
	}
	return t
}

// The stored form. Certificates are DER, keys are Ed25519 seeds; both are in base64.
type (
	authorityJSON struct {
		Certificate []byte `json:"certificate"`
		Key         []byte `json:"key,omitempty"`
	}
	grantJSON struct {
		Format      int             `json:"format_version"`
		ClusterID   string          `json:"cluster_id"`
		NodeID      string          `json:"node_id"`
		Birth       string          `json:"birth,omitempty"`
		Certificate []byte          `json:"certificate"`
		Version     uint64          `json:"trust_version"`
		Authorities []authorityJSON `json:"authorities"`
		Issuer      int             `json:"issuer"`
		Seal        []byte          `json:"seal_key,omitempty"`
	}
	fileJSON struct {
		grantJSON
		Key []byte `json:"key"`
	}
)

// grant is the stored form of c without the node's key.
func (c *Credentials) grant() grantJSON {
	g := grantJSON{
		Format: formatVersion, ClusterID: c.Name.Cluster, NodeID: c.Name.Node, Birth: c.Name.Birth, Certificate: c.Certificate.Raw,
		Version: c.Bundle.Version, Issuer: c.Bundle.Issuer, Seal: c.Bundle.Seal[:],
	}
	for _, a := range c.Bundle.Authorities {
		j := authorityJSON{Certificate: a.Certificate.Raw}
		if a.Key != nil {
			j.Key = a.Key.Seed()
		}
		g.Authorities = append(g.Authorities, j)
	}
	return g
}

// credentials is the inverse of grant, with the node's key.
func (g grantJSON) credentials(seed []byte) (*Credentials, error) {
	if g.Format > formatVersion {
		return nil, fmt.Errorf("format version %d, this build knows up to %d: written by a newer Grove", g.Format, formatVersion)
	}
	c := &Credentials{Name: Name{g.ClusterID, g.NodeID, g.Birth}, Bundle: Bundle{Version: g.Version, Issuer: g.Issuer}}
	var err error
	if c.Key, err = keyOfSeed(seed); err != nil {
		return nil, fmt.Errorf("key: %w", err)
	}
	if c.Certificate, err = x509.ParseCertificate(g.Certificate); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	for i, j := range g.Authorities {
		var a Authority
		if a.Certificate, err = x509.ParseCertificate(j.Certificate); err != nil {
			return nil, fmt.Errorf("authority %d: certificate: %w", i, err)
		}
		if len(j.Key) > 0 {
			if a, err = a.WithKey(j.Key); err != nil {
				return nil, fmt.Errorf("authority %d: key: %w", i, err)
			}
		}
		c.Bundle.Authorities = append(c.Bundle.Authorities, a)
	}
	if err := c.check(); err != nil {
		return c, err
	}
	return c, c.takeSeal(g.Seal)
}

// sealPurpose is what the seal key of a cluster of an earlier build is derived for.
const sealPurpose = "seal key"

// takeSeal takes the stored seal key. Where an earlier build has stored none, all members derive the same one from the
// authority that signs; it is stored then, and outlives that authority.
func (c *Credentials) takeSeal(stored []byte) error {
	var err error
	if len(stored) == 0 {
		c.derived = true
		stored, err = c.Bundle.Issuing().Derive(c.Name.Cluster, sealPurpose, seal.KeyLength)
	}
	if err == nil && len(stored) != seal.KeyLength {
		err = fmt.Errorf("%d bytes, want %d", len(stored), seal.KeyLength)
	}
	if err != nil {
		return fmt.Errorf("seal key: %w", err)
	}
	c.Bundle.Seal = seal.Key(stored)
	return nil
}

// Derived reports whether the seal key was not stored, so that it must be saved.
func (c *Credentials) Derived() bool { return c.derived }

func keyOfSeed(seed []byte) (ed25519.PrivateKey, error) {
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%d bytes, want %d", len(seed), ed25519.SeedSize)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// check reports what does not fit together. An expired certificate is none of that: it
// is renewed.
func (c *Credentials) check() error {
	if c.Bundle.Issuer < 0 || c.Bundle.Issuer >= len(c.Bundle.Authorities) {
		return errors.New("no authority that signs")
	}
	if c.Bundle.Issuing().Key == nil {
		return errors.New("the key of the authority that signs is missing")
	}
	if !c.Key.Public().(ed25519.PublicKey).Equal(c.Certificate.PublicKey) {
		return errors.New("the key is not that of the certificate")
	}
	n, err := c.Bundle.Verify(c.Name.Cluster, c.Certificate, x509.ExtKeyUsageServerAuth, c.Certificate.NotBefore)
	if err == nil && n != c.Name {
		err = fmt.Errorf("the certificate is of node %q of cluster %q, want %q of %q", n.Node, n.Cluster, c.Name.Node, c.Name.Cluster)
	}
	return err
}

// file is where credentials are in a data directory.
func file(dir string) string { return filepath.Join(dir, "credentials.json") }

// Load reads the credentials in a data directory; nil if there are none. It refuses a file that
// others may read or write, and one that is damaged.
func Load(dir string) (*Credentials, error) {
	name := file(dir)
	st, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("credentials: %s has mode %04o, so that others may use the keys in it: want 0600", name, mode)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	var f fileJSON
	err = json.Unmarshal(b, &f)
	var c *Credentials
	if err == nil {
		c, err = f.credentials(f.Key)
	}
	if err != nil {
		return nil, fmt.Errorf("credentials: %s is damaged (put a copy back, or take the node out of the cluster and join it again with an empty data directory): %w", name, err)
	}
	return c, nil
}

// Save writes the file whole or not at all, readable by its owner only.
func (c *Credentials) Save(dir string) error {
	b, err := json.MarshalIndent(fileJSON{grantJSON: c.grant(), Key: c.Key.Seed()}, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding credentials: %w", err)
	}
	return WriteFile(file(dir), append(b, '\n'))
}
