package cluster

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/cluster/seal"
)

// TestPlainConnectionsAreRefused: whatever is not TLS 1.3 with a protocol of the cluster port and a
// certificate of the cluster never gets the byte that says yes.
func TestPlainConnectionsAreRefused(t *testing.T) {
	t.Parallel()
	n := single(t)
	for _, text := range []string{"R\x01\x03one", "G\x01\x03one", "GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff", strings.Repeat("x", 4096)} {
		conn, err := net.Dial("tcp", n.Addr())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) { // the node has hung up already
			t.Fatal(err)
		}
		got, err := io.ReadAll(conn)
		if len(got) > 0 && got[0] == linkOK {
			t.Errorf("%.10q was answered with %q, %v", text, got, err)
		}
		conn.Close()
	}
}

// attempt dials n as cfg says, and returns what becomes of it.
func attempt(n *Node, cfg *tls.Config) error {
	conn, err := n.links.secure(n.Addr(), 5*time.Second, cfg)
	if err == nil {
		conn.Close()
	}
	return err
}

// careless is a client that takes any server.
func careless(proto string, certs ...tls.Certificate) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: []string{proto}, Certificates: certs}
}

func TestCertificatesOfMembers(t *testing.T) {
	t.Parallel()
	n, other := single(t), single(t)
	own := n.trust.current.Load()
	bare, err := pki.Bare(rand.Reader, own.Key)
	if err != nil {
		t.Fatal(err)
	}
	rogue, err := pki.Found(rand.Reader, own.Name, time.Now(), time.Hour, seal.Key{}) // the same names, another authority
	if err != nil {
		t.Fatal(err)
	}
	late, err := own.Bundle.Issuing().Issue(rand.Reader, own.Name, own.Certificate.PublicKey.(ed25519.PublicKey), time.Now().Add(-3*time.Hour), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	expired := tls.Certificate{Certificate: [][]byte{late.Raw}, PrivateKey: own.Key}
	tls12 := careless(protoCalls, own.TLS())
	tls12.MaxVersion = tls.VersionTLS12
	two := careless(protoCalls, own.TLS())
	two.NextProtos = []string{protoCalls, protoRaft}
	none := careless("", own.TLS())
	none.NextProtos = nil
	for name, c := range map[string]struct {
		cfg *tls.Config
		ok  bool
	}{
		"a member":                        {careless(protoCalls, own.TLS()), true},
		"a member's pipe":                 {careless(protoPipe, own.TLS()), true},
		"a pipe without certificate":      {careless(protoPipe), false},
		"a member, for Raft":              {careless(protoRaft, own.TLS()), true},
		"no certificate":                  {careless(protoCalls), false},
		"no certificate, for Raft":        {careless(protoRaft), false},
		"its own certificate":             {careless(protoCalls, bare), false},
		"another cluster":                 {careless(protoCalls, other.trust.current.Load().TLS()), false},
		"another authority of that name":  {careless(protoCalls, rogue.TLS()), false},
		"an expired certificate":          {careless(protoCalls, expired), false},
		"TLS 1.2":                         {tls12, false},
		"no protocol":                     {none, false},
		"two protocols":                   {two, false},
		"an unknown protocol":             {careless("h2", own.TLS()), false},
		"the former version":              {careless("grove-calls/1", own.TLS()), false},
		"a join without certificate":      {careless(protoToken), false},
		"a join key that the node lacks":  {careless(protoKey, bare), false},
		"a member that joins by its cert": {careless(protoKey, own.TLS()), false},
	} {
		if err := attempt(n, c.cfg); (err == nil) != c.ok {
			t.Errorf("%s: %v, want it taken: %v", name, err, c.ok)
		}
	}
}

// TestForeignNodes: two clusters refuse each other in both directions, and a node refuses another
// member than the one that it dials.
func TestForeignNodes(t *testing.T) {
	t.Parallel()
	a, b := single(t), single(t)
	for from, to := range map[*Node]*Node{a: b, b: a} {
		if _, err := from.links.dial(protoCalls, to.Addr(), time.Second); !errors.Is(err, pki.ErrForeign) {
			t.Errorf("dialing another cluster: %v, want ErrForeign", err)
		}
		if _, err := from.calls.do(context.Background(), to.Addr(), callInfo, nil); !certain(err) {
			t.Errorf("a call to another cluster: %v, want one that certainly did nothing", err)
		}
	}
	cfg, err := a.trust.client(protoCalls, "somebody")
	if err != nil {
		t.Fatal(err)
	}
	if err := attempt(a, cfg); !errors.Is(err, errOtherNode) || !strings.Contains(err.Error(), "belongs to node somebody") {
		t.Errorf("another member at the address: %v, want errOtherNode", err)
	}
	outside, err := Open(Config{DataDir: t.TempDir(), ClusterAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	if _, err := outside.links.dial(protoCalls, a.Addr(), time.Second); err == nil || !strings.Contains(err.Error(), "in no cluster") {
		t.Errorf("a node without a cluster dials: %v", err)
	}
	if _, err := a.links.dial(protoCalls, outside.Addr(), time.Second); err == nil {
		t.Error("a node without a cluster takes links")
	}
}

// TestSessionsAreResumed: a link that is made again costs no certificates, and one that was agreed
// under other credentials is made anew.
func TestSessionsAreResumed(t *testing.T) {
	t.Parallel()
	n := single(t)
	resumed := func() bool {
		conn, err := n.links.dial(protoRaft, n.Addr(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.(*tls.Conn).ConnectionState().DidResume
	}
	if resumed() {
		t.Error("the first link was resumed")
	}
	if !resumed() {
		t.Error("the second link was not resumed")
	}
	c, err := n.trust.current.Load().Renew(rand.Reader, time.Now(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.trust.admitted(c); err != nil {
		t.Fatal(err)
	}
	if resumed() {
		t.Error("a link was resumed that was made with the former certificate")
	}
}

// TestRenewal: a certificate that is about to end is replaced while the node runs, and one that has
// ended while it was down at the start.
func TestRenewal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := func(now func() time.Time) *Node {
		n, err := Open(Config{DataDir: dir, NodeID: "n", ClusterAddr: "127.0.0.1:0", Now: now, Tune: Tuning{NoGossip: true, CertificateLife: 3 * time.Second}})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	n := open(nil)
	if _, err := n.found("one"); err != nil {
		t.Fatal(err)
	}
	first := n.trust.current.Load().Certificate
	deadline := time.Now().Add(30 * time.Second)
	for !n.trust.current.Load().Certificate.NotAfter.After(first.NotAfter) && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	second := n.trust.current.Load().Certificate
	if second.Equal(first) || !second.NotAfter.After(first.NotAfter) {
		t.Error("the certificate was not renewed while the node ran")
	}
	n.Close()
	n = open(func() time.Time { return time.Now().Add(48 * time.Hour) })
	defer n.Close()
	if third := n.trust.current.Load().Certificate; third.NotAfter.Sub(second.NotAfter) < 47*time.Hour {
		t.Errorf("the certificate was not renewed at the start: until %v", third.NotAfter)
	}
	if _, err := n.links.dial(protoCalls, n.Addr(), time.Second); err != nil {
		t.Errorf("a link with the renewed certificate: %v", err)
	}
}

// TestCredentialsAtStart: a node does not start with keys that others can read, with a damaged
// file, with another node's, or without one.
func TestCredentialsAtStart(t *testing.T) {
	t.Parallel()
	n := single(t)
	n.Close()
	dir, id := n.cfg.DataDir, n.ID()
	name := filepath.Join(dir, "credentials.json")
	good, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what, want string) {
		t.Helper()
		n, err := Open(Config{DataDir: dir, ClusterAddr: "127.0.0.1:0"})
		if err == nil {
			n.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want an error with %q", what, err, want)
		}
	}
	write := func(b []byte) {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	refused("readable for all", "mode 0644")
	if err := os.Chmod(name, 0o600); err != nil {
		t.Fatal(err)
	}
	write(good[:len(good)/2])
	refused("cut off", "is damaged")
	write(bytes.Replace(good, []byte(id), []byte("another"), 1))
	refused("of another node", "is damaged")
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	refused("gone", "no credentials.json")
	write(good)
	again, err := Open(Config{DataDir: dir, ClusterAddr: "127.0.0.1:0", Tune: Tuning{NoGossip: true}})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if c := again.trust.current.Load(); !c.Certificate.Equal(n.trust.current.Load().Certificate) || !c.Key.Equal(n.trust.current.Load().Key) {
		t.Error("the node came back with another identity")
	}
	if cert := again.trust.current.Load().Certificate; cert.ExtKeyUsage[0] != x509.ExtKeyUsageServerAuth {
		t.Errorf("usage %v", cert.ExtKeyUsage)
	}
}
