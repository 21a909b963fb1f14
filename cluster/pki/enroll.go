package pki

import (
	"crypto/ed25519"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Applicant is a node that asks for a certificate. Its key never leaves it.
type Applicant struct {
	Node  string
	Birth string
	key   ed25519.PrivateKey
}

// NewApplicant makes a key pair for a node.
func NewApplicant(random io.Reader, node, birth string) (*Applicant, error) {
	key, err := newKey(random)
	return &Applicant{Node: node, Birth: birth, key: key}, err
}

// Request is the certificate request that the node sends.
func (a *Applicant) Request(random io.Reader) ([]byte, error) {
	der, err := x509.CreateCertificateRequest(random, &x509.CertificateRequest{Subject: pkix.Name{CommonName: a.Node, SerialNumber: a.Birth}}, a.key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate request: %w", err)
	}
	return der, nil
}

// ParseRequest returns the node, of no cluster yet, and the key of a request, of which the node has
// proved that it holds the key.
func ParseRequest(der []byte) (node Name, key ed25519.PublicKey, err error) {
	r, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return node, nil, fmt.Errorf("certificate request: %w", err)
	}
	key, ok := r.PublicKey.(ed25519.PublicKey)
	if !ok || r.Subject.CommonName == "" {
		return node, nil, fmt.Errorf("certificate request: want an Ed25519 key and the name of a node")
	}
	return Name{Node: r.Subject.CommonName, Birth: r.Subject.SerialNumber}, key, nil
}

// Grant makes what a member hands to a new node: a certificate, and everything that members
// hold alike. It holds private keys.
func (c *Credentials) Grant(random io.Reader, node Name, key ed25519.PublicKey, now time.Time, life time.Duration) ([]byte, error) {
	n := Name{Cluster: c.Name.Cluster, Node: node.Node, Birth: node.Birth}
	cert, err := c.Bundle.Issuing().Issue(random, n, key, now, life)
	if err != nil {
		return nil, err
	}
	return json.Marshal((&Credentials{Name: n, Certificate: cert, Bundle: c.Bundle}).grant())
}

// Accept makes credentials of what a member has handed over.
func (a *Applicant) Accept(grant []byte) (*Credentials, error) {
	var g grantJSON
	err := json.Unmarshal(grant, &g)
	if err == nil && (g.NodeID != a.Node || g.Birth != a.Birth) {
		err = fmt.Errorf("it is for node %q", g.NodeID)
	}
	var c *Credentials
	if err == nil {
		c, err = g.credentials(a.key.Seed())
	}
	if err != nil {
		return nil, fmt.Errorf("what the member handed over: %w", err)
	}
	return c, nil
}
