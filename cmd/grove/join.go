package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
)

// joinTimeout bounds one question to a retry_join address.
const joinTimeout = 5 * time.Second

// joinTransport asks each retry_join address with the trust that its block names.
type joinTransport map[string]*http.Transport // by host:port of the URL

// RoundTrip implements http.RoundTripper.
func (t joinTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if tr, ok := t[r.URL.Host]; ok {
		return tr.RoundTrip(r)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// httpClient returns the client that looks for a cluster at the retry_join addresses.
func (s *storageBlock) httpClient() (*http.Client, error) {
	t := joinTransport{}
	for _, j := range s.Joins {
		u, err := url.Parse(j.APIAddr)
		if err != nil {
			return nil, fmt.Errorf("leader_api_addr: %w", err)
		}
		c, err := j.tls()
		if err != nil {
			return nil, fmt.Errorf("retry_join %s: %w", j.APIAddr, err)
		}
		t[u.Host] = &http.Transport{TLSClientConfig: c, TLSHandshakeTimeout: joinTimeout, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true}
	}
	return &http.Client{Timeout: joinTimeout, Transport: t}, nil
}

func (j *joinBlock) tls() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: j.ServerName}
	var err error
	switch {
	case j.CAFile != "":
		if c.RootCAs, err = poolOf(j.CAFile); err != nil {
			return nil, fmt.Errorf("leader_ca_cert_file: %w", err)
		}
	case j.CAText != "":
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(j.CAText)) {
			return nil, errors.New("leader_ca_cert: no certificate in it")
		}
	}
	switch {
	case j.CertFile != "" || j.KeyFile != "":
		cert, err := tls.LoadX509KeyPair(j.CertFile, j.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("leader_client_cert_file: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	case j.CertText != "" || j.KeyText != "":
		cert, err := tls.X509KeyPair([]byte(j.CertText), []byte(j.KeyText))
		if err != nil {
			return nil, fmt.Errorf("leader_client_cert: %w", err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return c, nil
}

// key is the cluster key, from its file if it has one.
func (j *joinSecrets) key(log hclog.Logger) (string, error) {
	if j.KeyFile == "" {
		return j.Key, nil
	}
	b, err := os.ReadFile(j.KeyFile)
	if err != nil {
		return "", fmt.Errorf("cluster_key_file: %w", err)
	}
	if st, err := os.Stat(j.KeyFile); err == nil && st.Mode().Perm()&0o007 != 0 {
		log.Warn("everybody on this machine may read the cluster key", "file", j.KeyFile, "mode", fmt.Sprintf("%04o", st.Mode().Perm()))
	}
	key := strings.TrimSpace(string(b))
	if key == "" {
		return "", fmt.Errorf("cluster_key_file: %s is empty", j.KeyFile)
	}
	return key, nil
}
