package jwt

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/remote"
)

// Bounds of what is asked outside.
const (
	askWait      = 5 * time.Second // one question, with its redirects
	maxAnswer    = 1 << 20         // bytes, as they are after decompression
	maxRedirects = 3
)

// newClient makes a client that waits, reads and follows within bounds. caPEM are the authorities that it trusts; "": those of the
// system.
func newClient(caPEM string) (*http.Client, error) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 4, MaxConnsPerHost: 16, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: askWait, ResponseHeaderTimeout: askWait, MaxResponseHeaderBytes: 64 << 10,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if caPEM != "" {
		t.TLSClientConfig.RootCAs = x509.NewCertPool()
		if !t.TLSClientConfig.RootCAs.AppendCertsFromPEM([]byte(caPEM)) {
			return nil, errors.New("could not parse CA PEM value successfully")
		}
	}
	return &http.Client{Transport: bounded{t}, Timeout: askWait, CheckRedirect: follow}, nil
}

// bounded cuts answers that are too long.
type bounded struct{ *http.Transport }

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	rs, err := b.Transport.RoundTrip(r)
	if err == nil {
		rs.Body = http.MaxBytesReader(nil, rs.Body, maxAnswer)
	}
	return rs, err
}

// follow allows some redirects of a GET, none of them from HTTPS to plain HTTP. What was posted, a client secret among it, goes nowhere else.
func follow(r *http.Request, via []*http.Request) error {
	last := via[len(via)-1]
	switch {
	case last.Method != http.MethodGet:
		return http.ErrUseLastResponse
	case len(via) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case last.URL.Scheme == "https" && r.URL.Scheme != "https":
		return errors.New("a redirect from HTTPS to plain HTTP")
	}
	return nil
}

// fetch gets a document.
func fetch(ctx context.Context, c *http.Client, from string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	rs, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer rs.Body.Close()
	if rs.StatusCode != http.StatusOK {
		return nil, statusError(rs.StatusCode)
	}
	return io.ReadAll(rs.Body)
}

// statusError is an answer that is none.
type statusError int

// Error implements error.
func (e statusError) Error() string { return fmt.Sprintf("answers with status %d", int(e)) }

// unreachable is the answer when something outside cannot be asked: 503, and the client may try again. Whoever tries to log in
// reads it, so it tells the kind of the failure, and no addresses.
func unreachable(what string, err error) error {
	var transport *url.Error
	var status statusError
	switch {
	case errors.Is(err, errCrowded):
		return err
	case errors.As(err, &status):
		return engine.Unreachable("%s: the server %v", what, status)
	case errors.As(err, &transport), errors.Is(err, context.DeadlineExceeded):
		return engine.Unreachable("%s: the server %s", what, remote.Reason(err))
	}
	return engine.Unreachable("%s: the server does not answer as it should", what)
}

// plainly is for who may configure: what an error says, without the URL in front of it, but with its host, and not at any length.
func plainly(err error) string {
	var u *url.Error
	if !errors.As(err, &u) {
		return short(err.Error())
	}
	text := u.Err.Error()
	if at, e := url.Parse(u.URL); e == nil {
		text = at.Host + " does not answer: " + text
	}
	return short(text)
}

// checkURL refuses what no client can ask. plain: it is asked in clear.
func checkURL(name, text string) (plain bool, err error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return false, engine.Invalid("%s is no URL of the form https://host/path", name)
	}
	return u.Scheme == "http", nil
}
