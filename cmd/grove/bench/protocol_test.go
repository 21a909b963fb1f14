package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestAnswer(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		raw, body string
		status    int
		keep      bool
		err       bool
	}{
		"with length":      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nhi", "hi", 200, true, false},
		"other case":       {"HTTP/1.1 200\r\ncontent-length:2\r\n\r\nhi", "hi", 200, true, false},
		"chunked":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\nT: x\r\n\r\n", "hi", 200, true, false},
		"no content":       {"HTTP/1.1 204 No Content\r\n\r\n", "", 204, true, false},
		"continued":        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "", 403, true, false},
		"closes":           {"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nhi", "hi", 200, false, false},
		"to the end":       {"HTTP/1.1 200 OK\r\n\r\nhi", "hi", 200, false, false},
		"old":              {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", 200, false, false},
		"nothing":          {"", "", 0, false, true},
		"other protocol":   {"SSH-2.0-x\r\n", "", 0, false, true},
		"bad status":       {"HTTP/1.1 2x0 OK\r\n\r\n", "", 0, false, true},
		"long status":      {"HTTP/1.1 2000 OK\r\n\r\n", "", 0, false, true},
		"field of no name": {"HTTP/1.1 200 OK\r\nabc\r\n\r\n", "", 0, false, true},
		"bad length":       {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n", "", 0, false, true},
		"great length":     {"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "", 0, false, true},
		"cut head":         {"HTTP/1.1 200 OK\r\nContent-Le", "", 0, false, true},
		"cut body":         {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", "", 0, false, true},
		"cut chunks":       {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi", "", 0, false, true},
		"endless line":     {"HTTP/1.1 200 " + strings.Repeat("x", 9000), "", 0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := answer{in: bufio.NewReaderSize(strings.NewReader(c.raw), 8<<10)}
			err := a.read()
			if c.err {
				if err == nil {
					t.Errorf("got %d %q, want an error", a.status, a.body)
				}
				return
			}
			if err != nil || a.status != c.status || string(a.body) != c.body || a.keep != c.keep {
				t.Errorf("got %d %q, keep %v, %v; want %d %q, keep %v", a.status, a.body, a.keep, err, c.status, c.body, c.keep)
			}
			if rest, _ := io.ReadAll(a.in); len(rest) > 0 {
				t.Errorf("%q is left for the next answer", rest)
			}
		})
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n0\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a := answer{in: bufio.NewReader(bytes.NewReader(raw))}
		if err := a.read(); err == nil && (a.status < 200 || a.status > 999 || len(a.body) > len(raw)) {
			t.Errorf("status %d with %d bytes out of %d", a.status, len(a.body), len(raw))
		}
	})
}

func TestTextOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ body, want string }{
		{`{"auth":{"client_token":"a.b"}}`, "a.b"},
		{"{\"client_token\" :\n\t\"a\"}", "a"},
		{`{"meta":{"x":"client_token","y":"\"client_token\":\"no\""},"client_token":"a"}`, "a"},
		{`{"x":{"client_token":null},"client_token":"a"}`, "a"},
		{`{"\"client_token":"no","client_token":"a"}`, "a"},
		{`{"client_token":""}`, ""},
		{`{"client_token":"a\u0041"}`, ""},
		{`{"client_token":"a b"}`, ""},
		{`{"client_token":7}`, ""},
		{`{"client_token":"a`, ""},
		{`{"client_token"`, ""},
		{`{"token":"a"}`, ""},
		{``, ""},
	} {
		got, ok := textOf([]byte(c.body), []byte(`"client_token"`))
		if string(got) != c.want || ok != (c.want != "") {
			t.Errorf("%s: got %q, %v; want %q", c.body, got, ok, c.want)
		}
	}
}

// FuzzTextOf: whatever stands in other fields, the field is found.
func FuzzTextOf(f *testing.F) {
	f.Add("k", `"client_token":"x"`)
	f.Add(`"client_token`, `\":"client_token"`)
	f.Fuzz(func(t *testing.T, key, value string) {
		if key == "client_token" {
			return // that would be another such field
		}
		body, err := json.Marshal(struct {
			Meta  map[string]string `json:"a"`
			Token string            `json:"client_token"`
		}{map[string]string{key: value}, "the.one"})
		if err != nil {
			t.Skip(err)
		}
		if got, ok := textOf(body, []byte(`"client_token"`)); !ok || string(got) != "the.one" {
			t.Errorf("%s: got %q, %v", body, got, ok)
		}
	})
}

func TestReason(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"errors":["a","b\n c"]}`:  "a; b c",
		`{"errors":[]}`:             `{"errors":[]}`,
		"<html>\n no":               "<html> no",
		strings.Repeat("long ", 99): strings.Repeat("long ", 40) + "…",
	} {
		if got := reason([]byte(body)); got != want {
			t.Errorf("%q: got %q, want %q", body, got, want)
		}
	}
}

// ask sends one GET to a server.
func ask(t *testing.T, k *conn) (int, string, error) {
	t.Helper()
	status, body, err := k.do(t.Context(), time.Minute, &request{method: "GET", path: "/v1/x", token: "t"})
	return status, string(body), err
}

func mustNode(t *testing.T, address string, c *tls.Config) *node {
	t.Helper()
	n, err := newNode(address, c)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestConnectionIsKept(t *testing.T) {
	t.Parallel()
	var peers sync.Map
	connections := func() (n int) {
		peers.Range(func(any, any) bool { n++; return true })
		return n
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peers.Store(r.RemoteAddr, true)
		if r.URL.Query().Has("close") {
			w.Header().Set("Connection", "close")
		}
		b, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("X-Vault-Token") != "t" || r.Header.Get("X-Vault-Request") != "true" {
			t.Errorf("request with header %v: %v", r.Header, err)
		}
		io.WriteString(w, r.Method+" "+r.URL.Path+" "+string(b))
	}))
	defer s.Close()
	k := newConn(mustNode(t, s.URL+"/base/", nil))
	defer k.close()
	for _, c := range []struct {
		q     request
		want  string
		peers int
	}{
		{request{method: "GET", path: "/v1/x", token: "t"}, "GET /base/v1/x ", 1},
		{request{method: "POST", path: "/v1/y", token: "t", body: []byte(`{"a":1}`)}, `POST /base/v1/y {"a":1}`, 1},
		{request{method: "POST", path: "/v1/z", token: "t"}, "POST /base/v1/z ", 1},
		{request{method: "GET", path: "/v1/x?close", token: "t"}, "GET /base/v1/x ", 1},
		{request{method: "GET", path: "/v1/x", token: "t"}, "GET /base/v1/x ", 2},
	} {
		status, body, err := k.do(t.Context(), time.Minute, &c.q)
		if err != nil || status != 200 || string(body) != c.want || connections() != c.peers {
			t.Errorf("%s %s: %d %q, %v on %d connections; want %q on %d", c.q.method, c.q.path, status, body, err, connections(), c.want, c.peers)
		}
	}
	k.used = k.used.Add(-longestIdle - time.Second)
	if _, _, err := ask(t, k); err != nil || connections() != 3 {
		t.Errorf("an idle connection was used again: %v, %d connections", err, connections())
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of every handshake that a client refuses
	s.StartTLS()
	defer s.Close()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	for name, c := range map[string]struct {
		tls *tls.Config
		ok  bool
	}{
		"trusted":   {&tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, true},
		"unchecked": {&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, true},
		"unknown":   {nil, false},
		"misnamed":  {&tls.Config{RootCAs: pool, ServerName: "other.test", MinVersion: tls.VersionTLS12}, false},
	} {
		k := newConn(mustNode(t, s.URL, c.tls))
		_, body, err := ask(t, k)
		k.close()
		if c.ok != (err == nil && body == "HTTP/1.1") {
			t.Errorf("%s: %q, %v", name, body, err)
		}
	}
	k := newConn(mustNode(t, strings.Replace(s.URL, "https:", "http:", 1), nil))
	defer k.close()
	if status, _, err := ask(t, k); err != nil || status != 400 {
		t.Errorf("plain HTTP to TLS: %d, %v", status, err)
	}
}

func TestRequestEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		cancel()
		<-r.Context().Done() // the client has gone
	}))
	defer s.Close()
	k := newConn(mustNode(t, s.URL, nil))
	defer k.close()
	q := &request{method: "GET", path: "/"}
	if _, _, err := k.do(ctx, time.Minute, q); err == nil || ctx.Err() == nil {
		t.Errorf("got an answer, %v", err)
	}
	if _, _, err := k.do(ctx, time.Minute, q); !errors.Is(err, context.Canceled) || asked.Load() != 1 {
		t.Errorf("%v, %d requests: want none after the end", err, asked.Load())
	}
}

func TestFailed(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer s.Close()
	k := newConn(mustNode(t, s.URL, nil))
	defer k.close()
	_, _, err := k.do(t.Context(), time.Millisecond, &request{method: "GET", path: "/"})
	if f := failed(err); f.class != classTimeout {
		t.Errorf("%v is of class %s", err, f.class)
	}
	for err, want := range map[error]string{
		errMalformed: classAnswer, io.ErrUnexpectedEOF: classConnection, context.DeadlineExceeded: classTimeout,
	} {
		if got := failed(err).class; got != want {
			t.Errorf("%v is of class %s, want %s", err, got, want)
		}
	}
}
