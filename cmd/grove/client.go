package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// defaultAddress is where a client looks when nothing else is said, as the reference's.
const defaultAddress = "https://127.0.0.1:8200"

// Retries of a client when the server says 503.
const (
	clientTimeout = 60 * time.Second
	clientRetries = 3
	maxAnswer     = 512 << 20
)

// client talks to one server.
type client struct {
	addr, token string
	http        *http.Client
}

// answer is a response of the server.
type answer struct {
	status int
	raw    map[string]any
	body   []byte
}

func (a *answer) rawBool(key string) (value, ok bool) {
	if a == nil {
		return false, false
	}
	value, ok = a.raw[key].(bool)
	return value, ok
}

// apiError is an error answer, shown as the reference's CLI shows it.
type apiError struct {
	method, url string
	status      int
	texts       []string
}

// Error implements error.
func (e *apiError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Error making API request.\n\nURL: %s %s\nCode: %d.", e.method, e.url, e.status)
	if len(e.texts) > 0 {
		b.WriteString(" Errors:\n")
		for _, t := range e.texts {
			fmt.Fprintf(&b, "\n* %s", t)
		}
	}
	return b.String()
}

func newHTTPClient(t *tls.Config) *http.Client {
	return &http.Client{Timeout: clientTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: t}}
}

// clientFlags are what every client command takes.
type clientFlags struct {
	address, format, field string
	caCert, servern        string
	skipVerify             bool
}

func (f *clientFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.StringVar(&f.address, "address", "", "server, also GROVE_ADDR or VAULT_ADDR (default "+defaultAddress+")")
	fl.StringVar(&f.format, "format", "", "table, json or yaml; also GROVE_FORMAT or VAULT_FORMAT")
	fl.StringVar(&f.field, "field", "", "print this field only, without anything around it")
	fl.StringVar(&f.caCert, "ca-cert", "", "PEM file of the CA; also GROVE_CACERT or VAULT_CACERT")
	fl.StringVar(&f.servern, "tls-server-name", "", "name to expect in the server's certificate; also VAULT_TLS_SERVER_NAME")
	fl.BoolVar(&f.skipVerify, "tls-skip-verify", false, "do not verify the server's certificate; also VAULT_SKIP_VERIFY")
}

// setting is the flag, or GROVE_name, or VAULT_name.
func setting(env *environment, flag, name string) string {
	if flag != "" {
		return flag
	}
	if v := env.getenv("GROVE_" + name); v != "" {
		return v
	}
	return env.getenv("VAULT_" + name)
}

// client makes the client that flags and environment ask for.
func (f *clientFlags) client(env *environment) (*client, error) {
	c := &client{addr: strings.TrimRight(setting(env, f.address, "ADDR"), "/")}
	if c.addr == "" {
		c.addr = defaultAddress
	}
	if !strings.HasPrefix(c.addr, "http://") && !strings.HasPrefix(c.addr, "https://") {
		return nil, fmt.Errorf("address %q: want http://… or https://…", c.addr)
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: setting(env, f.servern, "TLS_SERVER_NAME")}
	skip, err := strconv.ParseBool(setting(env, "", "SKIP_VERIFY"))
	t.InsecureSkipVerify = f.skipVerify || (err == nil && skip)
	if file := setting(env, f.caCert, "CACERT"); file != "" {
		pem, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("CA certificate: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("CA certificate: no certificate in %s", file)
		}
	}
	c.http = newHTTPClient(t)
	c.token, err = findToken(env)
	return c, err
}

// tokenFiles are where `login` leaves the token, and where the reference's CLI does.
var tokenFiles = []string{".grove-token", ".vault-token"}

func findToken(env *environment) (string, error) {
	if t := setting(env, "", "TOKEN"); t != "" {
		return t, nil
	}
	home := env.getenv("HOME")
	if home == "" {
		return "", nil
	}
	for _, name := range tokenFiles {
		b, err := os.ReadFile(filepath.Join(home, name))
		if err == nil {
			return strings.TrimSpace(string(b)), nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", fmt.Errorf("token file: %w", err)
		}
	}
	return "", nil
}

// call sends one request below /v1/, again for a while when the server is unavailable
// and says that nothing happened. An error answer is an *apiError inside an *exitError of 2.
func (c *client) call(ctx context.Context, method, path string, body any) (*answer, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
	}
	for try := 0; ; try++ {
		a, wait, err := c.once(ctx, method, path, payload)
		if a == nil || a.status != http.StatusServiceUnavailable || try == clientRetries {
			return a, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return a, err
		}
	}
}

func (c *client) once(ctx context.Context, method, path string, payload []byte) (*answer, time.Duration, error) {
	url := c.addr + "/v1/" + strings.TrimPrefix(path, "/")
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(payload))
	if err != nil {
		return nil, 0, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("X-Vault-Request", "true")
	if c.token != "" {
		req.Header.Set("X-Vault-Token", c.token)
	}
	if len(payload) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, 0, &exitError{2, fmt.Errorf("cannot reach the server: %w", err)}
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return nil, 0, &exitError{2, fmt.Errorf("reading the answer: %w", err)}
	}
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	if len(a.body) > 0 && d.Decode(&a.raw) != nil {
		a.raw = map[string]any{"errors": []any{strings.TrimSpace(string(a.body))}}
	}
	if resp.StatusCode < 400 {
		return a, 0, nil
	}
	wait := time.Second
	if n, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && n >= 0 && n < 30 {
		wait = time.Duration(n) * time.Second
	}
	e := &apiError{method: method, url: url, status: resp.StatusCode}
	list, _ := a.raw["errors"].([]any)
	for _, t := range list {
		e.texts = append(e.texts, fmt.Sprint(t))
	}
	return a, wait, &exitError{2, e}
}
