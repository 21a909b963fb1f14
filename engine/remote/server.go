package remote

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
	"net/url"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
)

const (
	wait      = 10 * time.Second // of one call
	maxAnswer = 2 << 20          // bytes
	atOnce    = 32               // calls of one server
	redirects = 3
)

// Server is one server and the connections to it. It is safe for concurrent use.
type Server struct {
	name     string // for error texts
	base, ca string
	http     *http.Client
	turns    chan struct{}
}

// newServer makes a client that trusts the authorities in ca, or those of the system.
func newServer(name, base, ca string) (*Server, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" {
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM([]byte(ca)) {
			return nil, errors.New("there is no certificate in PEM form")
		}
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig, t.MaxIdleConnsPerHost, t.MaxResponseHeaderBytes = conf, atOnce, 1<<16
	return &Server{
		name: name, base: base, ca: ca, turns: make(chan struct{}, atOnce),
		http: &http.Client{Transport: t, Timeout: wait, CheckRedirect: sameServer},
	}, nil
}

var errRedirect = errors.New("redirected to another server")

func sameServer(to *http.Request, via []*http.Request) error {
	from := via[0].URL
	if to.URL.Scheme != from.Scheme || to.URL.Host != from.Host || len(via) > redirects {
		return errRedirect
	}
	return nil
}

// Call is one request. Sending it twice must do what sending it once does.
type Call struct {
	Method, Path string // below the server's base
	Query        url.Values
	Bearer       string // "": none
	Accept       string // "": JSON
	Body         any    // as JSON; nil: none
}

// Answer is what came back, whatever its status.
type Answer struct {
	Status int
	Header http.Header
	name   string
	body   []byte
}

// Do asks the server. An error is engine.Unreachable.
func (s *Server) Do(ctx context.Context, c Call) (*Answer, error) {
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	default:
		return nil, engine.Unreachable("%s is slow, and %d requests wait for it already: try again later", s.name, atOnce)
	}
	rq, err := s.request(ctx, c)
	if err != nil {
		return nil, err
	}
	rs, err := s.http.Do(rq)
	if err != nil {
		return nil, engine.Unreachable("%s %s", s.name, Reason(err))
	}
	defer rs.Body.Close()
	body, err := io.ReadAll(io.LimitReader(rs.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, engine.Unreachable("%s %s", s.name, Reason(err))
	case len(body) > maxAnswer:
		return nil, engine.Unreachable("%s answers with more than %d bytes", s.name, maxAnswer)
	}
	return &Answer{Status: rs.StatusCode, Header: rs.Header, name: s.name, body: body}, nil
}

func (s *Server) request(ctx context.Context, c Call) (*http.Request, error) {
	var body io.Reader
	if c.Body != nil {
		b, err := json.Marshal(c.Body)
		if err != nil {
			return nil, fmt.Errorf("encoding a request to %s: %w", s.name, err)
		}
		body = bytes.NewReader(b)
	}
	to := s.base + c.Path
	if len(c.Query) > 0 {
		to += "?" + c.Query.Encode()
	}
	rq, err := http.NewRequestWithContext(ctx, c.Method, to, body)
	if err != nil {
		return nil, fmt.Errorf("a request to %s: %w", s.name, err)
	}
	// Not sent: it lets the client try again when the server has just closed an idle connection.
	rq.Header["Idempotency-Key"] = nil
	rq.Header.Set("User-Agent", "grove")
	rq.Header.Set("Accept", "application/json")
	if c.Accept != "" {
		rq.Header.Set("Accept", c.Accept)
	}
	if c.Body != nil {
		rq.Header.Set("Content-Type", "application/json")
	}
	if c.Bearer != "" {
		rq.Header.Set("Authorization", "Bearer "+c.Bearer)
	}
	return rq, nil
}

// OK reports whether the status is one of success.
func (a *Answer) OK() bool { return a.Status >= 200 && a.Status < 300 }

// Into decodes the answer, unless its status is none of success.
func (a *Answer) Into(v any) error {
	if !a.OK() {
		return engine.Unreachable("%s answers with status %d", a.name, a.Status)
	}
	if err := json.Unmarshal(a.body, v); err != nil {
		return engine.Unreachable("%s answers with something else than the JSON that was asked for", a.name)
	}
	return nil
}

// ParseBase checks the address of an API, and returns it without a slash at its end. One without a scheme is of HTTPS.
func ParseBase(text string) (string, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "https://" + text
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "":
		return "", errors.New("want https://host[:port][/path]")
	case u.Scheme != "https" && u.Scheme != "http":
		return "", fmt.Errorf("want https:// or http://, not %s://", u.Scheme)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("want https://host[:port][/path], without user, query and fragment")
	}
	return strings.TrimRight(text, "/"), nil
}
