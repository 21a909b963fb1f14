package webhook

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
)

const (
	configKey    = "config"
	usualTimeout = 10 * time.Second
	maxTimeout   = 20 * time.Second
	// minSecret is the length of the shortest secret in bytes.
	minSecret = 16
)

var configFields = engine.Fields{
	"allowed_urls": engine.Strings, "allowed_hosts": engine.Strings, "ca_pem": engine.Text, "timeout": engine.Seconds, "secret": engine.Text,
}

// config is what a mount is configured with.
type config struct {
	// AllowedURLs are URLs at or below which calls are made; AllowedHosts are hosts, with a port unless it is the
	// usual one, of https URLs. Without either, https URLs of public addresses are called.
	AllowedURLs  []string      `json:"allowed_urls,omitempty"`
	AllowedHosts []string      `json:"allowed_hosts,omitempty"`
	CA           string        `json:"ca_pem,omitempty"` // of the receivers; "": those of the system
	Timeout      time.Duration `json:"timeout,omitempty"`
	Secret       []byte        `json:"secret"` // sealed
}

func configured(rq *engine.Request) bool {
	_, ok := rq.Storage.Find(configKey)
	return ok
}

// loadConfig returns the mount's configuration.
func loadConfig(rq *engine.Request) (*config, error) {
	c := &config{}
	ok, err := rq.Storage.Load(configKey, c)
	if err == nil && !ok {
		err = engine.Invalid("this mount is not configured: write %sconfig first", rq.Mount.Path)
	}
	return c, err
}

func readConfig(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	c := &config{}
	ok, err := rq.Storage.Load(configKey, c)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, engine.ErrNotFound
	}
	return &engine.Response{Data: map[string]any{
		"allowed_urls": orEmpty(c.AllowedURLs), "allowed_hosts": orEmpty(c.AllowedHosts), "ca_pem": c.CA, "timeout": int64(c.timeout() / time.Second),
	}}, nil
}

func orEmpty(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func (c *config) timeout() time.Duration {
	if c.Timeout == 0 {
		return usualTimeout
	}
	return c.Timeout
}

// writeConfig changes what was sent. The first write mints a secret, and shows it once, unless one was sent.
func writeConfig(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	c := &config{}
	if _, err := rq.Storage.Load(configKey, c); err != nil {
		return nil, err
	}
	if rq.Has("allowed_urls") {
		c.AllowedURLs = rq.Strings("allowed_urls")
	}
	if rq.Has("allowed_hosts") {
		c.AllowedHosts = rq.Strings("allowed_hosts")
	}
	if rq.Has("ca_pem") {
		c.CA = rq.Text("ca_pem")
	}
	if rq.Has("timeout") {
		c.Timeout = rq.Seconds("timeout")
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	minted, err := c.setSecret(rq)
	if err != nil {
		return nil, err
	}
	if err := rq.Storage.Save(configKey, c); err != nil {
		return nil, err
	}
	if minted == "" {
		return nil, nil
	}
	return &engine.Response{Data: map[string]any{"secret": minted}}, nil
}

// check refuses what cannot be meant.
func (c *config) check() error {
	for _, u := range c.AllowedURLs {
		if _, err := parseURL(u); err != nil {
			return err
		}
	}
	for _, h := range c.AllowedHosts {
		if h == "" || strings.ContainsAny(h, "/@?#*") {
			return engine.Invalid("allowed_hosts: %q is no host: a name or an address is allowed, with a port unless that is 443", h)
		}
	}
	if c.CA != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(c.CA)) {
		return engine.Invalid("ca_pem has no certificate: certificates in PEM are allowed")
	}
	if c.Timeout > maxTimeout {
		return engine.Invalid("timeout %s is too long: at most %s are allowed", c.Timeout, maxTimeout)
	}
	return nil
}

// setSecret seals the secret that was sent, or mints the first one and returns it.
func (c *config) setSecret(rq *engine.Request) (minted string, err error) {
	secret := rq.Text("secret")
	switch {
	case rq.Has("secret") && len(secret) < minSecret:
		return "", engine.Invalid("a secret has at least %d bytes", minSecret)
	case !rq.Has("secret") && c.Secret != nil:
		return "", nil
	case !rq.Has("secret"):
		var b [32]byte
		if _, err := io.ReadFull(rq.Rand, b[:]); err != nil {
			return "", fmt.Errorf("minting a secret: %w", err)
		}
		secret = base64.RawURLEncoding.EncodeToString(b[:])
		minted = secret
	}
	c.Secret, err = rq.Seal(configKey, []byte(secret))
	return minted, err
}

func deleteConfig(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	rq.Storage.Delete(configKey)
	return nil, nil
}
