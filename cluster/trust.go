package cluster

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/cluster/seal"
)

// The protocols of the cluster port, chosen by ALPN. Both sides of raft and calls are members, and
// show certificates that the cluster's authority signed. On the other two a new node asks
// for one: there both sides prove a key that they derive from the cluster key, or the new node one
// that it derives from its join token, and the member its membership.
const (
	protoRaft  = "grove-raft/2"
	protoCalls = "grove-calls/2"
	protoPipe  = "grove-pipe/1"
	protoKey   = "grove-join-key/1"
	protoToken = "grove-join-token/1"
)

// sessionCache is how many peers' TLS sessions a node keeps, to resume them.
const sessionCache = 64

var (
	// errOtherNode is returned by a dial that reached another member than the one which the
	// address belongs to.
	errOtherNode = errors.New("another node answers")
	// errWrongKey is returned by a dial to a member that does not prove the cluster key.
	errWrongKey = errors.New("the peer does not prove the cluster key: it has another one, or none")
)

// trust is what a node shows to its peers, and whom it believes. Credentials change while
// links are open: a link keeps what it was made with, new ones take what is current.
type trust struct {
	dir    string
	now    func() time.Time
	random io.Reader
	life   time.Duration
	shared ed25519.PrivateKey // derived from the cluster key; nil without one
	// founding is the seal key of a cluster that this node makes; zero: a new one.
	founding seal.Key
	slots    chan struct{} // one value for each newcomer that is served
	// replaced says why a member of that name is none any more, nil if it is one. Set once, before the
	// first link.
	replaced func(pki.Name) error

	mu        sync.Mutex     // guards changes
	applicant *pki.Applicant // of this node, while it has no credentials
	spare     *pki.Authority // made by this leader, not followed yet
	current   atomic.Pointer[stance]
}

// stance is credentials, and what crypto/tls makes of them.
type stance struct {
	*pki.Credentials
	signer         string // fingerprint of the authority that has signed the certificate
	server, client *tls.Config
}

// loadTrust reads the credentials of a data directory, which has none before its node is in a
// cluster.
func loadTrust(cfg *Config, id identity) (*trust, error) {
	t := &trust{dir: cfg.DataDir, now: cfg.Now, random: cfg.Rand, life: cfg.Tune.CertificateLife, founding: cfg.SealKey, slots: make(chan struct{}, newcomers), replaced: func(pki.Name) error { return nil }}
	if cfg.Join.Key != "" {
		var err error
		if t.shared, err = pki.ClusterKey(cfg.Join.Key); err != nil {
			return nil, err
		}
	}
	c, err := pki.Load(cfg.DataDir)
	switch {
	case err != nil:
		return nil, err
	case c == nil && id.ClusterID != "" && !id.Founding:
		return nil, fmt.Errorf("data directory %s belongs to cluster %s, but has no credentials.json: put a copy back, or take the node out of the cluster and join it again with an empty data directory", cfg.DataDir, id.ClusterID)
	case c == nil:
		return t, nil
	case id.ClusterID != "" && c.Name.Cluster != id.ClusterID && !id.Founding:
		return nil, fmt.Errorf("the credentials in %s are of cluster %s, the data directory is of cluster %s", cfg.DataDir, c.Name.Cluster, id.ClusterID)
	case c.Name.Node != id.NodeID:
		return nil, fmt.Errorf("the credentials in %s are of node %s, the data directory is of node %s", cfg.DataDir, c.Name.Node, id.NodeID)
	}
	if c.Derived() {
		if err := c.Save(t.dir); err != nil {
			return nil, err
		}
	}
	if err := t.use(c); err != nil {
		return nil, err
	}
	_, err = t.renew() // it may have ended while the node was down
	return t, err
}

// found makes the cluster's authority, and the credentials of its first node, unless they are
// there: of an Init that a crash has ended.
func (t *trust) found(n pki.Name) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s := t.current.Load(); s != nil && s.Name == n {
		return nil
	}
	c, err := pki.Found(t.random, n, t.now(), t.life, t.founding)
	if err != nil {
		return err
	}
	return t.take(c)
}

// renew makes a new certificate when that is due, and reports whether it was.
func (t *trust) renew() (bool, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.current.Load()
	if s == nil || !s.Due(t.now()) {
		return false, nil
	}
	c, err := s.Renew(t.random, t.now(), t.life)
	if err != nil {
		return false, fmt.Errorf("renewing the certificate: %w", err)
	}
	return true, t.take(c)
}

// adopt takes a later bundle, with a certificate of its issuer.
func (t *trust) adopt(b pki.Bundle) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.current.Load().With(b)
	if c.Due(t.now()) {
		var err error
		if c, err = c.Renew(t.random, t.now(), t.life); err != nil {
			return fmt.Errorf("renewing the certificate: %w", err)
		}
	}
	if err := t.take(c); err != nil {
		return err
	}
	t.spare = nil
	return nil
}

// setSpare keeps an authority that the cluster does not believe yet.
func (t *trust) setSpare(a pki.Authority) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.spare = &a
}

// spareOf returns the spare authority if it has the fingerprint.
func (t *trust) spareOf(f pki.Fingerprint) (pki.Authority, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.spare == nil || t.spare.Fingerprint() != f {
		return pki.Authority{}, false
	}
	return *t.spare, true
}

// held returns all authorities that the node has the keys of.
func (t *trust) held() []pki.Authority {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := slices.Clone(t.current.Load().Bundle.Authorities)
	if t.spare != nil {
		all = append(all, *t.spare)
	}
	return all
}

// take keeps and uses new credentials. t.mu is held.
func (t *trust) take(c *pki.Credentials) error {
	if err := c.Save(t.dir); err != nil {
		return err
	}
	return t.use(c)
}

// use makes the configurations for new links. Sessions of the former ones are not resumed, so that
// nothing outlives the credentials that it was agreed under by more than its link.
func (t *trust) use(c *pki.Credentials) error {
	s := &stance{Credentials: c, signer: c.Signer().String()}
	s.client = &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.TLS()}, Time: t.now, DynamicRecordSizingDisabled: true,
		ClientSessionCache: tls.NewLRUClientSessionCache(sessionCache),
		// A peer is known by its node, not by its host: VerifyConnection looks at the chain and the name.
		InsecureSkipVerify: true,
	}
	s.server = &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.TLS()}, Time: t.now, DynamicRecordSizingDisabled: true,
		NextProtos: []string{protoRaft, protoCalls, protoPipe}, ClientAuth: tls.RequireAnyClientCert,
		VerifyConnection: func(cs tls.ConnectionState) error {
			n, err := c.Bundle.Verify(c.Name.Cluster, cs.PeerCertificates[0], x509.ExtKeyUsageClientAuth, t.now())
			if err == nil {
				err = t.replaced(n)
			}
			return err
		},
	}
	byKey, err := t.keyServer(c)
	if err != nil {
		return err
	}
	byToken := &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.Chain()}, Time: t.now,
		NextProtos: []string{protoToken}, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true,
	}
	s.server.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		switch {
		case len(h.SupportedProtos) != 1:
			return nil, errors.New("the peer names no protocol of the cluster port")
		case h.SupportedProtos[0] == protoKey:
			return byKey, nil
		case h.SupportedProtos[0] == protoToken:
			return byToken, nil
		}
		return nil, nil // a member, or refused for want of a protocol
	}
	t.current.Store(s)
	return nil
}

// keyServer is how a member serves those that have the cluster key. Without one it shows its own
// certificate, which nobody takes for the key.
func (t *trust) keyServer(c *pki.Credentials) (*tls.Config, error) {
	cfg := &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{c.TLS()}, Time: t.now,
		NextProtos: []string{protoKey}, ClientAuth: tls.RequireAnyClientCert, SessionTicketsDisabled: true,
		VerifyConnection: t.provesKey,
	}
	if t.shared != nil {
		cert, err := pki.Bare(t.random, t.shared)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{cert}
	}
	return cfg, nil
}

// provesKey reports whether the peer holds the key that is derived from the cluster key.
func (t *trust) provesKey(cs tls.ConnectionState) error {
	key, err := pki.KeyOf(cs.PeerCertificates[0])
	if err == nil && (t.shared == nil || !key.Equal(t.shared.Public())) {
		err = errWrongKey
	}
	return err
}

// outsider serves while the node is in no cluster.
var outsider = &tls.Config{
	MinVersion: tls.VersionTLS13,
	GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		return nil, errors.New("this node is in no cluster yet")
	},
}

// server is how the node takes links now.
func (t *trust) server() *tls.Config {
	if s := t.current.Load(); s != nil {
		return s.server
	}
	return outsider
}

// client is how the node dials a member: any, or the one with ID expect.
func (t *trust) client(proto, expect string) (*tls.Config, error) {
	s := t.current.Load()
	if s == nil {
		return nil, errors.New("this node is in no cluster yet")
	}
	c := s.client.Clone()
	c.NextProtos = []string{proto}
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		n, err := s.Bundle.Verify(s.Name.Cluster, cs.PeerCertificates[0], x509.ExtKeyUsageServerAuth, t.now())
		if err == nil && expect != "" && n.Node != expect {
			err = fmt.Errorf("%w: the address belongs to node %s, but node %s answers", errOtherNode, expect, n.Node)
		}
		if err == nil {
			err = t.replaced(n)
		}
		return err
	}
	return c, nil
}

// newcomer is how a node without credentials dials a member that is to let it in.
func (t *trust) newcomer(token *pki.JoinToken) (*tls.Config, error) {
	c := &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protoKey}, Time: t.now,
		// The peer is known by what it proves, not by its host: VerifyConnection looks at that.
		InsecureSkipVerify: true, VerifyConnection: t.provesKey,
	}
	key := t.shared
	if token != nil {
		key = token.Key()
		c.NextProtos = []string{protoToken}
		c.VerifyConnection = func(cs tls.ConnectionState) error {
			_, err := token.Vouches(cs.PeerCertificates, t.now())
			return err
		}
	}
	cert, err := pki.Bare(t.random, key)
	c.Certificates = []tls.Certificate{cert}
	return c, err
}

// sealKey is the seal key of the cluster, zero before the node is in one.
func (t *trust) sealKey() seal.Key {
	if s := t.current.Load(); s != nil {
		return s.Bundle.Seal
	}
	return seal.Key{}
}

// cluster is the cluster that the credentials are of, "" without any.
func (t *trust) cluster() string {
	if s := t.current.Load(); s != nil {
		return s.Name.Cluster
	}
	return ""
}

// version counts the steps of rotations that the node has followed.
func (t *trust) version() uint64 {
	if s := t.current.Load(); s != nil {
		return s.Bundle.Version
	}
	return 0
}

// apply returns the applicant that this node is: the same one at every attempt, because a join
// token that was used up lets in the key that used it.
func (t *trust) apply(node, birth string) (*pki.Applicant, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	if t.applicant == nil {
		t.applicant, err = pki.NewApplicant(t.random, node, birth)
	}
	return t.applicant, err
}

// admitted keeps and uses what a member has handed over.
func (t *trust) admitted(c *pki.Credentials) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.applicant = nil
	return t.take(c)
}
