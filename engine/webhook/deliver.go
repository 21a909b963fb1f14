package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/tokengrove/grove/engine"
)

// maxClients bounds the clients that are kept; beyond it, all are made anew.
const maxClients = 256

// clientKey says what a client was made for.
type clientKey struct {
	ca     string
	public bool
}

// notice is the body of a call. A repetition differs in Attempt alone.
type notice struct {
	ID       string          `json:"id"` // of the lease: the same in every repetition
	Event    string          `json:"event"`
	Resource string          `json:"resource,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Issued   time.Time       `json:"issue_time"`
	Attempt  int             `json:"attempt"`
}

// Sign is what X-Grove-Signature holds: the HMAC-SHA256 under a mount's secret of X-Grove-Timestamp, a dot and the body.
// A receiver compares it in constant time, and refuses old timestamps.
func Sign(secret []byte, timestamp string, body []byte) string {
	m := hmac.New(sha256.New, secret)
	io.WriteString(m, timestamp+".")
	m.Write(body)
	return "v1=" + hex.EncodeToString(m.Sum(nil))
}

// deliver calls the URL of a hook once.
func (h *hooks) deliver(ctx context.Context, rq *engine.Request, c *config, k *hook, l *engine.Lease, to target) error {
	secret, err := rq.Open(configKey, c.Secret)
	if err != nil {
		return err
	}
	body, err := json.Marshal(notice{ID: l.ID, Event: "lease.revoked", Resource: k.Resource, Data: k.Data, Issued: l.Issued.Time(), Attempt: l.Attempt})
	if err != nil {
		return fmt.Errorf("encoding a notice: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout())
	defer cancel()
	call, err := http.NewRequestWithContext(ctx, k.Method, to.url.String(), bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("calling the webhook: %w", err)
	}
	timestamp := strconv.FormatInt(h.now().Unix(), 10)
	call.Header.Set("Content-Type", "application/json")
	call.Header.Set("User-Agent", "grove-webhook")
	call.Header.Set("X-Grove-Id", l.ID)
	call.Header.Set("X-Grove-Timestamp", timestamp)
	call.Header.Set("X-Grove-Signature", Sign(secret, timestamp, body))
	rs, err := h.client(clientKey{c.CA, to.public}).Do(call)
	if err != nil {
		return plainly(err)
	}
	defer rs.Body.Close()
	io.Copy(io.Discard, io.LimitReader(rs.Body, 4<<10)) // so that the connection can be used again
	if rs.StatusCode < 200 || rs.StatusCode > 299 {
		return fmt.Errorf("the receiver answered %d, any 2xx is wanted", rs.StatusCode)
	}
	return nil
}

// plainly takes the URL out of an error: its query may be a secret, and operators see the text.
func plainly(err error) error {
	if u := new(url.Error); errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("calling the receiver: %w", err)
}

// client returns the client for a set of authorities.
func (h *hooks) client(k clientKey) *http.Client {
	h.mu.Lock()
	defer h.mu.Unlock()
	if c := h.clients[k]; c != nil {
		return c
	}
	if len(h.clients) >= maxClients {
		for _, c := range h.clients { // order: all go
			c.CloseIdleConnections()
		}
		clear(h.clients)
	}
	c := newClient(k)
	h.clients[k] = c
	return c
}

// newClient makes a client that goes where it is told and nowhere else: through no proxy, and after no redirect.
func newClient(k clientKey) *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	if k.public {
		dialer.Control = onlyPublic
	}
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if k.ca != "" {
		conf.RootCAs = x509.NewCertPool()
		conf.RootCAs.AppendCertsFromPEM([]byte(k.ca))
	}
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: conf, TLSHandshakeTimeout: 5 * time.Second, ForceAttemptHTTP2: true,
			MaxIdleConnsPerHost: 4, MaxIdleConns: 64, IdleConnTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
	}
}
