package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Limits of a client. It tries again when the server says 503: nothing happened then.
const (
	clientTimeout = 60 * time.Second
	clientRetries = 3
	longestWait   = 30 * time.Second
	maxAnswer     = 512 << 20
)

// client talks to one server.
type client struct {
	addr, token string
	http        *http.Client
	key         string // sent as Idempotency-Key with every write; "": none
}

// answer is a response of the server.
type answer struct {
	status int
	raw    map[string]any // numbers are json.Number
	body   []byte
	wait   time.Duration // before the next try, for a 503
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
	fmt.Fprintf(&b, "Error making API request.\n\nURL: %s %s\nCode: %d. Errors:\n", e.method, e.url, e.status)
	for _, t := range e.texts {
		fmt.Fprintf(&b, "\n* %s", t)
	}
	return b.String()
}

func newHTTPClient(t *tls.Config) *http.Client {
	return &http.Client{Timeout: clientTimeout, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: t}}
}

// call sends one request below /v1/, again for a while when the server is unavailable
// and says that nothing happened. An error answer is an *apiError inside an *exitError of 2.
func (c *client) call(ctx context.Context, method, path string, query url.Values, body any) (*answer, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
	}
	target, err := c.url(path, query)
	if err != nil {
		return nil, err
	}
	for try := 0; ; try++ {
		a, err := c.once(ctx, method, target, payload)
		if a == nil || a.status != http.StatusServiceUnavailable || try == clientRetries {
			return a, err
		}
		select {
		case <-time.After(a.wait):
		case <-ctx.Done():
			return a, err
		}
	}
}

func (c *client) url(path string, query url.Values) (string, error) {
	u, err := url.Parse(c.addr)
	if err != nil {
		return "", fmt.Errorf("address %q: %w", c.addr, err)
	}
	u.Path = strings.TrimRight(u.Path, "/") + "/v1/" + strings.TrimPrefix(path, "/")
	u.RawQuery = query.Encode()
	return u.String(), nil
}

func (c *client) once(ctx context.Context, method, target string, payload []byte) (*answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(payload))
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("X-Vault-Request", "true")
	if c.token != "" {
		req.Header.Set("X-Vault-Token", c.token)
	}
	if c.key != "" && method != http.MethodGet && method != "LIST" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	if len(payload) > 0 {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, &exitError{2, unreachable(err)}
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode, wait: retryAfter(resp.Header)}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return nil, &exitError{2, fmt.Errorf("reading the answer: %w", err)}
	}
	known := a.decode()
	switch {
	case a.status >= 400:
		return a, &exitError{2, a.failure(method, target)}
	case !known:
		return nil, &exitError{2, fmt.Errorf("%s %s: the answer is no JSON object: is it a Grove server?", method, target)}
	}
	return a, nil
}

// decode reports whether the body is empty or a JSON object.
func (a *answer) decode() bool {
	d := json.NewDecoder(bytes.NewReader(a.body))
	d.UseNumber()
	return len(bytes.TrimSpace(a.body)) == 0 || d.Decode(&a.raw) == nil
}

func (a *answer) failure(method, target string) *apiError {
	e := &apiError{method: method, url: target, status: a.status}
	list, ok := a.raw["errors"].([]any)
	for _, t := range list {
		e.texts = append(e.texts, fmt.Sprint(t))
	}
	if text := strings.TrimSpace(string(a.body)); !ok && text != "" {
		e.texts = []string{text}
	}
	return e
}

// data is what most answers hold their content in.
func (a *answer) data() map[string]any {
	data, _ := a.raw["data"].(map[string]any)
	return data
}

func retryAfter(h http.Header) time.Duration {
	n, err := strconv.Atoi(h.Get("Retry-After"))
	if err != nil || n < 0 {
		return time.Second
	}
	return min(time.Duration(n)*time.Second, longestWait)
}

// unreachable adds what to do to the errors that newcomers meet.
func unreachable(err error) error {
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &record), strings.Contains(err.Error(), "server gave HTTP response to HTTPS client"): // no type for that
		return fmt.Errorf("cannot reach the server: %w\n\nIt speaks plain HTTP: use -address=http://… or VAULT_ADDR=http://…", err)
	}
	return fmt.Errorf("cannot reach the server: %w", err)
}
