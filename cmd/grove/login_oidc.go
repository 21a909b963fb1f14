package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// oidcWait is how long a user has to log in at the provider.
	oidcWait = 2 * time.Minute
	// oidcPort is where the browser comes back to, as with the reference's CLI: providers know this redirect URI.
	oidcPort     = "8250"
	oidcCallback = "/oidc/callback"
)

// browserLogin is a login by browser under way. The browser comes back to a listener of its own.
type browserLogin struct {
	s            *session
	at           string // "auth/oidc"
	nonce, state string
	done         chan browserResult // of one
}

type browserResult struct {
	a   *answer
	err error
}

// loginOIDC shows the URL at which the user logs in, and waits until the browser comes back. role=… says as what; listenaddress=,
// port=, callbackhost=, callbackport= and callbackmethod= are those of the reference's CLI.
func loginOIDC(s *session, at string, fields map[string]any) (*answer, error) {
	for name, v := range fields { // order: any will do
		if _, ok := v.(string); !ok {
			return nil, fmt.Errorf("%s=… is given more than once, or is no text", name)
		}
	}
	text := func(name, usual string) string {
		if v, ok := fields[name].(string); ok && v != "" {
			return v
		}
		return usual
	}
	l, err := net.Listen("tcp", net.JoinHostPort(text("listenaddress", "localhost"), text("port", oidcPort)))
	if err != nil {
		return nil, fmt.Errorf("listening for the browser (port=… takes another port): %w", plainly(err))
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return nil, err
	}
	back := url.URL{
		Scheme: text("callbackmethod", "http"), Host: net.JoinHostPort(text("callbackhost", "localhost"), text("callbackport", port)), Path: oidcCallback,
	}
	b := &browserLogin{s: s, at: at, nonce: rand.Text(), done: make(chan browserResult, 1)}
	target, err := b.begin(text("role", ""), back.String())
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(s.env.stderr, "Complete the login via your OIDC provider. Open this link in your browser:\n\n    %s\n\nWaiting for the login to complete…\n", target)
	return b.wait(l)
}

// begin asks the server for the URL.
func (b *browserLogin) begin(role, back string) (string, error) {
	body := map[string]any{"role": role, "redirect_uri": back, "client_nonce": b.nonce}
	a, err := b.s.put("asking where to log in", b.at+"/oidc/auth_url", body)
	if err != nil {
		return "", err
	}
	target, _ := a.data()["auth_url"].(string)
	if target == "" {
		return "", fmt.Errorf("the server gives no URL to log in at: the role %q must be of type oidc and have %s among its allowed_redirect_uris", role, back)
	}
	u, err := url.Parse(target)
	if err != nil {
		return "", fmt.Errorf("the URL to log in at: %w", err)
	}
	b.state = u.Query().Get("state")
	return target, nil
}

// wait serves the browser until the login is complete, or nobody has come.
func (b *browserLogin) wait(l net.Listener) (*answer, error) {
	mux := http.NewServeMux()
	mux.HandleFunc(oidcCallback, b.serve)
	srv := &http.Server{Handler: mux, ReadTimeout: clientTimeout, WriteTimeout: 2 * clientTimeout, MaxHeaderBytes: maxHeaderBytes}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout) // the browser still reads its page
		defer cancel()
		if srv.Shutdown(ctx) != nil {
			srv.Close()
		}
	}()
	late := time.NewTimer(oidcWait)
	defer late.Stop()
	select {
	case r := <-b.done:
		return r.a, r.err
	case err := <-failed:
		return nil, fmt.Errorf("listening for the browser: %w", err)
	case <-late.C:
		return nil, fmt.Errorf("no browser has come back within %s", oidcWait)
	case <-b.s.ctx.Done():
		return nil, b.s.ctx.Err()
	}
}

// serve takes what the provider gives to the browser. What is not of this login is refused, and waiting goes on.
func (b *browserLogin) serve(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil || r.Form.Get("state") != b.state {
		b.page(w, http.StatusBadRequest, "Login failed", "This is not the login that is waited for.")
		return
	}
	a, err := b.finish(r)
	if err == nil {
		b.page(w, http.StatusOK, "You are logged in", "You can close this window, and go on in the terminal.")
	} else {
		b.page(w, http.StatusBadRequest, "Login failed", err.Error())
	}
	select {
	case b.done <- browserResult{a, err}:
	default: // it was complete before
	}
}

// finish hands what came on to the server. What was posted is posted first.
func (b *browserLogin) finish(r *http.Request) (*answer, error) {
	q := url.Values{"client_nonce": {b.nonce}}
	for _, name := range []string{"state", "code", "error", "error_description"} {
		if v := r.Form.Get(name); v != "" {
			q.Set(name, v)
		}
	}
	if r.Method == http.MethodPost {
		if err := b.post(r.Form); err != nil {
			return nil, err
		}
	}
	return b.s.do(request{what: "authenticating", method: http.MethodGet, path: b.at + "/oidc/callback", query: q})
}

// post is answered with a page, not with JSON.
func (b *browserLogin) post(form url.Values) error {
	target, err := b.s.c.url(b.at+"/oidc/callback", nil)
	if err != nil {
		return err
	}
	rq, err := http.NewRequestWithContext(b.s.ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("request: %w", err)
	}
	rq.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rs, err := b.s.c.http.Do(rq)
	if err != nil {
		return &exitError{2, unreachable(err)}
	}
	defer rs.Body.Close()
	if rs.StatusCode >= 400 {
		return &exitError{2, fmt.Errorf("the server refuses what the provider posted: %s", rs.Status)}
	}
	if _, err := io.Copy(io.Discard, io.LimitReader(rs.Body, 1<<20)); err != nil {
		return &exitError{2, errors.Join(errors.New("reading the answer"), err)}
	}
	return nil
}

var browserPage = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="UTF-8"><title>{{.Title}}</title></head>
<body><h1>{{.Title}}</h1><pre>{{.Text}}</pre></body></html>
`))

func (b *browserLogin) page(w http.ResponseWriter, status int, title, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	w.WriteHeader(status)
	if err := browserPage.Execute(w, struct{ Title, Text string }{title, text}); err != nil {
		fmt.Fprintf(b.s.env.stderr, "the browser left before its page: %v\n", err)
	}
}
