package pki

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/tokengrove/grove/cluster/seal"
)

// ErrForeign is wrapped by every error about a certificate that no authority of the cluster has
// signed, or that names another cluster.
var ErrForeign = errors.New("the peer is not a node of this cluster")

// Bundle is what all members of a cluster hold alike: whom they believe, and who signs.
type Bundle struct {
	// Version counts the changes that the cluster has agreed on; 0 before the first rotation.
	Version     uint64
	Authorities []Authority
	Issuer      int // of Authorities: the one that signs
	// Seal is the key under which the cluster's data keys are sealed. No rotation changes it.
	Seal seal.Key
}

// Issuing returns the authority that signs.
func (b *Bundle) Issuing() Authority { return b.Authorities[b.Issuer] }

// Find returns the authority that a fingerprint names.
func (b *Bundle) Find(f Fingerprint) (Authority, bool) {
	for _, a := range b.Authorities {
		if a.Fingerprint() == f {
			return a, true
		}
	}
	return Authority{}, false
}

// Follow returns the bundle of a later version. Of authorities that b does not hold, the keys are
// missing.
func (b *Bundle) Follow(version uint64, certificates [][]byte, issuer int) (Bundle, error) {
	next := Bundle{Version: version, Issuer: issuer, Seal: b.Seal}
	for _, der := range certificates {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return next, fmt.Errorf("certificate of an authority: %w", err)
		}
		a := Authority{Certificate: c}
		if held, ok := b.Find(a.Fingerprint()); ok {
			a = held
		}
		next.Authorities = append(next.Authorities, a)
	}
	if issuer < 0 || issuer >= len(next.Authorities) {
		return next, fmt.Errorf("number %d of %d authorities signs", issuer, len(next.Authorities))
	}
	return next, nil
}

// Verify returns the node of cluster that a peer's certificate names. usage is what the peer does
// with it: serve or call.
func (b *Bundle) Verify(cluster string, leaf *x509.Certificate, usage x509.ExtKeyUsage, now time.Time) (Name, error) {
	roots := x509.NewCertPool()
	for _, a := range b.Authorities {
		roots.AddCert(a.Certificate)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
	var stranger x509.UnknownAuthorityError
	switch {
	case errors.As(err, &stranger):
		return Name{}, fmt.Errorf("%w: its certificate is not signed by the cluster's authority", ErrForeign)
	case err != nil:
		return Name{}, fmt.Errorf("the peer's certificate: %w", err)
	}
	n, err := NameOf(leaf)
	if err == nil && n.Cluster != cluster {
		err = fmt.Errorf("%w: its certificate is of cluster %s", ErrForeign, n.Cluster)
	}
	return n, err
}
