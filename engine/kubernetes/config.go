package kubernetes

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/remote"
)

// config is what is stored of a cluster.
type config struct {
	Host        string   `json:"kubernetes_host"` // as it was written
	CA          string   `json:"kubernetes_ca_cert,omitempty"`
	Reviewer    []byte   `json:"token_reviewer_jwt,omitempty"` // sealed
	Keys        []string `json:"pem_keys,omitempty"`
	Issuer      string   `json:"issuer,omitempty"`
	CheckIssuer bool     `json:"check_issuer,omitempty"`
	NotLocal    bool     `json:"disable_local_ca_jwt,omitempty"`
}

const (
	configKey     = "config"
	reviewerPlace = "config/token_reviewer_jwt"
	usualIssuer   = "kubernetes/serviceaccount"
	maxToken      = 16 << 10 // bytes of a service account's token
	maxKeys       = 16
)

// loadConfig reads the configuration; nil if there is none.
func loadConfig(rq *engine.Request) (*config, error) {
	c := new(config)
	ok, err := rq.Storage.Load(configKey, c)
	if err != nil || !ok {
		return nil, err
	}
	return c, nil
}

func readConfig(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	c, err := loadConfig(rq)
	if err == nil && c == nil {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	keys := c.Keys
	if keys == nil {
		keys = []string{}
	}
	return &engine.Response{Data: map[string]any{
		"kubernetes_host": c.Host, "kubernetes_ca_cert": c.CA, "token_reviewer_jwt_set": len(c.Reviewer) > 0, "pem_keys": keys, "issuer": c.Issuer,
		"disable_iss_validation": !c.CheckIssuer, "disable_local_ca_jwt": c.NotLocal, "use_annotations_as_alias_metadata": false,
	}}, nil
}

// writeConfig replaces the configuration: what is not sent is as if it was never set, as in the reference.
func (m *method) writeConfig(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	c := &config{
		Host: rq.Text("kubernetes_host"), CA: rq.Text("kubernetes_ca_cert"), Keys: rq.Strings("pem_keys"), Issuer: rq.Text("issuer"),
		CheckIssuer: rq.Has("disable_iss_validation") && !rq.Boolean("disable_iss_validation"), NotLocal: rq.Boolean("disable_local_ca_jwt"),
	}
	if err := m.check(c); err != nil {
		return nil, err
	}
	if rq.Boolean("use_annotations_as_alias_metadata") {
		return nil, engine.Invalid("use_annotations_as_alias_metadata must be false: there are no identities to keep metadata of yet")
	}
	if reviewer := strings.TrimSpace(rq.Text("token_reviewer_jwt")); reviewer != "" {
		if len(reviewer) > maxToken || !printable(reviewer) {
			return nil, engine.Invalid("token_reviewer_jwt is no bearer token: at most %d visible ASCII characters are allowed", maxToken)
		}
		var err error
		if c.Reviewer, err = rq.Seal(reviewerPlace, []byte(reviewer)); err != nil {
			return nil, err
		}
	}
	return nil, rq.Storage.Save(configKey, c)
}

// check refuses what no login could work with.
func (m *method) check(c *config) error {
	if c.Host == "" {
		return engine.Invalid("no host provided")
	}
	base, err := remote.ParseBase(c.Host)
	if err != nil {
		return engine.Invalid("kubernetes_host: %v", err)
	}
	if _, err := m.clusters.At(base, c.CA); err != nil {
		return engine.Invalid("kubernetes_ca_cert: %v", err)
	}
	if len(c.Keys) > maxKeys {
		return engine.Invalid("pem_keys has at most %d keys, not %d", maxKeys, len(c.Keys))
	}
	_, err = c.publicKeys()
	return err
}

// printable reports whether s can be sent in a header.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// publicKeys are the keys by which tokens must be signed; none: whoever reviews them knows.
func (c *config) publicKeys() ([]crypto.PublicKey, error) {
	var keys []crypto.PublicKey
	for i, text := range c.Keys {
		k, err := parseKey(text)
		if err != nil {
			return nil, engine.Invalid("pem_keys: key %d: %v", i+1, err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// parseKey reads a public key, or that of a certificate, in PEM.
func parseKey(text string) (crypto.PublicKey, error) {
	none := errors.New("data does not contain any valid RSA or ECDSA public keys")
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, none
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		cert, e := x509.ParseCertificate(block.Bytes)
		if e != nil {
			return nil, none
		}
		key = cert.PublicKey
	}
	switch key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey:
		return key, nil
	}
	return nil, none
}

// cluster is where tokens are reviewed, and the token that gives the right to it; "": the one that is reviewed.
func (m *method) cluster(rq *engine.Request, c *config) (*remote.Server, string, error) {
	ca, reviewer := c.CA, ""
	if len(c.Reviewer) > 0 {
		plain, err := rq.Open(reviewerPlace, c.Reviewer)
		if err != nil {
			return nil, "", err
		}
		reviewer = string(plain)
	}
	if !c.NotLocal {
		var err error
		if ca, err = m.local(ca, "ca.crt"); err != nil {
			return nil, "", err
		}
		if reviewer, err = m.local(reviewer, "token"); err != nil {
			return nil, "", err
		}
	}
	base, err := remote.ParseBase(c.Host)
	if err != nil {
		return nil, "", fmt.Errorf("the stored kubernetes_host: %w", err)
	}
	s, err := m.clusters.At(base, ca)
	if err != nil {
		return nil, "", engine.Unreachable("the certificate of the Kubernetes API's authority: %v", err)
	}
	return s, reviewer, nil
}

// local is text, or else what the pod's service account has in a file; "" outside of a pod. It is read each time, because Kubernetes
// renews it.
func (m *method) local(text, name string) (string, error) {
	if text != "" {
		return text, nil
	}
	b, err := os.ReadFile(filepath.Join(m.pod, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("the service account of this pod: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
