package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeCert writes a self-signed certificate of 127.0.0.1 and its key, and returns the files.
func writeCert(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "grove"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestCertificateIsReadAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writeCert(t, dir, 1)
	c, pair, err := (&tlsBlock{CertFile: cert, KeyFile: key}).config()
	if err != nil {
		t.Fatal(err)
	}
	serial := func() int64 {
		got, err := c.GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.SerialNumber.Int64()
	}
	writeCert(t, dir, 2)
	if got := serial(); got != 1 {
		t.Errorf("serial %d before load, want 1", got)
	}
	if err := pair.load(); err != nil || serial() != 2 {
		t.Errorf("serial %d after load (%v), want 2", serial(), err)
	}
	if err := os.WriteFile(cert, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := pair.load(); err == nil || serial() != 2 {
		t.Errorf("a bad file: error %v, serial %d; want an error and the old certificate", err, serial())
	}
}

func TestTLSVersions(t *testing.T) {
	t.Parallel()
	cert, key := writeCert(t, t.TempDir(), 1)
	for _, c := range []struct {
		block      tlsBlock
		client     uint16 // the client's only version
		handshakes bool
	}{
		{tlsBlock{}, tls.VersionTLS11, false},
		{tlsBlock{}, tls.VersionTLS12, true},
		{tlsBlock{}, tls.VersionTLS13, true},
		{tlsBlock{MinVersion: "tls13"}, tls.VersionTLS12, false},
		{tlsBlock{MaxVersion: "tls12"}, tls.VersionTLS13, false},
		{tlsBlock{RequireClient: true}, tls.VersionTLS12, false},
	} {
		c.block.CertFile, c.block.KeyFile = cert, key
		server, _, err := c.block.config()
		if err != nil {
			t.Fatal(err)
		}
		pool, err := poolOf(cert)
		if err != nil {
			t.Fatal(err)
		}
		client := &tls.Config{MinVersion: c.client, MaxVersion: c.client, RootCAs: pool, ServerName: "127.0.0.1"}
		if err := handshake(server, client); (err == nil) != c.handshakes {
			t.Errorf("%+v with a client of version %#x: %v, want success %v", c.block, c.client, err, c.handshakes)
		}
	}
}

// handshake returns the server's error.
func handshake(server, client *tls.Config) error {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	go func() {
		defer b.Close()
		c := tls.Client(b, client)
		if c.Handshake() == nil {
			c.Read(make([]byte, 1)) // an alert, or the end
		}
	}()
	return tls.Server(a, server).Handshake()
}

func TestJoinTransportTrusts(t *testing.T) {
	t.Parallel()
	cert, key := writeCert(t, t.TempDir(), 1)
	c, _, err := (&tlsBlock{CertFile: cert, KeyFile: key}).config()
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", c)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: time.Second}
	go s.Serve(l)
	defer s.Close()
	url := "https://" + l.Addr().String()
	ask := func(j joinBlock) error {
		j.APIAddr = url
		client, err := (&storageBlock{Joins: []joinBlock{{APIAddr: "https://other:1"}, j}}).httpClient()
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.Get(url)
		if err == nil {
			resp.Body.Close()
		}
		return err
	}
	if err := ask(joinBlock{CAFile: cert}); err != nil {
		t.Errorf("with the CA: %v", err)
	}
	if err := ask(joinBlock{}); err == nil {
		t.Error("without the CA the server was trusted")
	}
	if err := ask(joinBlock{CAFile: cert, ServerName: "other.example"}); err == nil {
		t.Error("another name than the certificate's was trusted")
	}
}
