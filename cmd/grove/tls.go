package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// tlsVersions are the allowed ones. Older versions are not.
var tlsVersions = map[string]uint16{"": 0, "tls12": tls.VersionTLS12, "tls13": tls.VersionTLS13}

// check looks at what can be checked without opening a file.
func (t *tlsBlock) check() error {
	if t.Disable {
		return nil
	}
	if t.CertFile == "" || t.KeyFile == "" {
		return errors.New("tls_cert_file and tls_key_file are needed, or tls_disable = true")
	}
	least, ok := tlsVersions[t.MinVersion]
	if !ok {
		return fmt.Errorf("tls_min_version %q: tls12 and tls13 are allowed", t.MinVersion)
	}
	most, ok := tlsVersions[t.MaxVersion]
	if !ok {
		return fmt.Errorf("tls_max_version %q: tls12 and tls13 are allowed", t.MaxVersion)
	}
	if most != 0 && most < least {
		return fmt.Errorf("tls_max_version %q is below tls_min_version %q", t.MaxVersion, t.MinVersion)
	}
	if t.RequireClient && t.NoClient {
		return errors.New("tls_require_and_verify_client_cert and tls_disable_client_certs exclude each other")
	}
	_, err := cipherSuites(t.CipherSuites)
	return err
}

func cipherSuites(names []string) ([]uint16, error) {
	known := map[string]uint16{}
	for _, s := range tls.CipherSuites() {
		known[s.Name] = s.ID
	}
	var ids []uint16
	for _, name := range names {
		id, ok := known[name]
		if !ok {
			return nil, fmt.Errorf("tls_cipher_suites: %q is unknown or insecure", name)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// keyPair is a listener's certificate, which can be read again while it is in use.
type keyPair struct {
	certFile, keyFile string
	current           atomic.Pointer[tls.Certificate]
}

// load reads the files; after an error the former certificate stays. It never gives way to one that
// has ended.
func (k *keyPair) load() error {
	cert, err := tls.LoadX509KeyPair(k.certFile, k.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", k.certFile, k.keyFile, err)
	}
	if end := cert.Leaf.NotAfter; k.current.Load() != nil && time.Now().After(end) {
		return fmt.Errorf("certificate %s has ended at %s", k.certFile, end.Format(time.RFC3339))
	}
	k.current.Store(&cert)
	return nil
}

// config returns nil for a listener without TLS.
func (t *tlsBlock) config() (*tls.Config, *keyPair, error) {
	if t.Disable {
		return nil, nil, nil
	}
	k := &keyPair{certFile: t.CertFile, keyFile: t.KeyFile}
	if err := k.load(); err != nil {
		return nil, nil, err
	}
	suites, err := cipherSuites(t.CipherSuites)
	if err != nil {
		return nil, nil, err
	}
	c := &tls.Config{
		MinVersion: max(tlsVersions[t.MinVersion], tls.VersionTLS12), MaxVersion: tlsVersions[t.MaxVersion], CipherSuites: suites,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return k.current.Load(), nil },
		NextProtos:     []string{"h2", "http/1.1"},
	}
	if t.ClientCAFile != "" {
		if c.ClientCAs, err = poolOf(t.ClientCAFile); err != nil {
			return nil, nil, fmt.Errorf("tls_client_ca_file: %w", err)
		}
		c.ClientAuth = tls.VerifyClientCertIfGiven
	}
	switch {
	case t.RequireClient:
		c.ClientAuth = tls.RequireAndVerifyClientCert
	case t.NoClient:
		c.ClientAuth = tls.NoClientCert
	}
	return c, k, nil
}

// poolOf reads a PEM file of certificates.
func poolOf(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("no certificate in %s", file)
	}
	return pool, nil
}
