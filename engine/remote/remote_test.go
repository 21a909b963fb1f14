package remote

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// serve runs a TLS server, and returns its address and its certificate.
func serve(t *testing.T, h http.HandlerFunc) (base, ca string) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.URL, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

func at(t *testing.T, base, ca string) *Server {
	t.Helper()
	s, err := NewServers("the oracle").At(base, ca)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refused wants an error that is Unavailable, with a text, and without what must not be told.
func refused(t *testing.T, err error, text string) {
	t.Helper()
	var e *fsm.Error
	if !errors.As(err, &e) || e.Code != fsm.Unavailable || !strings.HasPrefix(e.Message, "the oracle ") || !strings.Contains(e.Message, text) {
		t.Fatalf("got %v, want the oracle to be unavailable, with %q", err, text)
	}
	for _, secret := range []string{"127.0.0.1", "s3cret", "invalid.example"} {
		if strings.Contains(e.Message, secret) {
			t.Errorf("%q tells %q", e.Message, secret)
		}
	}
}

func TestCall(t *testing.T) {
	t.Parallel()
	base, ca := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if _, sent := r.Header["Idempotency-Key"]; sent {
			t.Error("the mark for the client's own use was sent")
		}
		fmt.Fprintf(w, `{"got":"%s %s %s %s %s %s"}`, r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("Accept"), r.Header.Get("Content-Type"), strings.ReplaceAll(string(b), `"`, "'"))
	})
	s := at(t, base, ca)
	for _, tt := range []struct {
		call Call
		want string
	}{
		{Call{Method: "GET", Path: "/a", Query: url.Values{"page": {"2"}}}, "GET /a?page=2  application/json  "},
		{Call{Method: "POST", Path: "/b", Bearer: "s3cret", Accept: "x/y", Body: map[string]int{"n": 1}}, "POST /b Bearer s3cret x/y application/json {'n':1}"},
	} {
		var got struct{ Got string }
		a, err := s.Do(t.Context(), tt.call)
		if err == nil {
			err = a.Into(&got)
		}
		if err != nil || got.Got != tt.want {
			t.Errorf("%v: got %q %v, want %q", tt.call, got.Got, err, tt.want)
		}
	}
}

// TestFailures: each kind of failure is told, and nothing besides.
func TestFailures(t *testing.T) {
	t.Parallel()
	other, _ := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the credential went to another server") })
	base, ca := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/500":
			http.Error(w, "s3cret", 500)
		case "/text":
			io.WriteString(w, "s3cret")
		case "/long":
			io.WriteString(w, `"`+strings.Repeat("x", maxAnswer)+`"`)
		case "/cut":
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, `{`)
		case "/abroad":
			http.Redirect(w, r, other+"/", http.StatusTemporaryRedirect)
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusTemporaryRedirect)
		case "/around":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		case "/there":
			io.WriteString(w, `{}`)
		case "/slow":
			io.Copy(io.Discard, r.Body) // until then nobody notices that the client goes
			<-r.Context().Done()
		}
	})
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	for _, tt := range []struct{ name, base, ca, path, text string }{
		{"500", base, ca, "/500", "status 500"},
		{"no JSON", base, ca, "/text", "something else than the JSON"},
		{"oversized", base, ca, "/long", "more than 2097152 bytes"},
		{"cut off", base, ca, "/cut", "broke off"},
		{"redirect abroad", base, ca, "/abroad", "redirects to another server"},
		{"redirect in a circle", base, ca, "/circle", "redirects to another server"},
		{"redirect at home", base, ca, "/around", ""},
		{"slow", base, ca, "/slow", "did not answer in time"},
		{"nobody listens", "https://" + closed.Addr().String(), ca, "/", "refuses connections"},
		{"not trusted", base, "", "/", "certificate that is not trusted"},
		{"no TLS", "https://" + plain.Listener.Addr().String(), ca, "/", "does not speak TLS"},
		{"no such name", "https://s3cret.invalid.example.", ca, "/", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			wait := 5 * time.Second
			if tt.name == "slow" {
				wait = 50 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			a, err := at(t, tt.base, tt.ca).Do(ctx, Call{Method: "POST", Path: tt.path, Bearer: "s3cret", Body: "s3cret"})
			if err == nil {
				err = a.Into(new(any))
			}
			if tt.name == "redirect at home" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			refused(t, err, tt.text)
		})
	}
}

// TestSlowServerKeepsFewWaiting: one call more than the bound is refused at once, and there is room again afterwards.
func TestSlowServerKeepsFewWaiting(t *testing.T) {
	t.Parallel()
	var in atomic.Int32
	open := make(chan struct{})
	base, ca := serve(t, func(w http.ResponseWriter, r *http.Request) {
		in.Add(1)
		<-open
		io.WriteString(w, `{}`)
	})
	s := at(t, base, ca)
	call := Call{Method: "GET", Path: "/"}
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			if _, err := s.Do(t.Context(), call); err != nil {
				t.Error(err)
			}
		})
	}
	for in.Load() < atOnce {
		time.Sleep(time.Millisecond) // until all are there
	}
	_, err := s.Do(t.Context(), call)
	refused(t, err, "32 requests wait for it already")
	close(open)
	all.Wait()
	if _, err := s.Do(t.Context(), call); err != nil {
		t.Error(err)
	}
}

// TestServersAreRemembered: a server is made once, one with another authority is another one, and the oldest goes.
func TestServersAreRemembered(t *testing.T) {
	t.Parallel()
	_, ca := serve(t, nil)
	s := NewServers("x")
	get := func(i int, ca string) *Server {
		r, err := s.At(fmt.Sprintf("https://host%d", i), ca)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first, second := get(0, ""), get(1, "")
	if get(0, "") != first || get(0, ca) == first {
		t.Error("a server is not the one that it was, or one with another authority is")
	}
	for i := 2; i < maxServers; i++ { // the second is the oldest now
		get(i, "")
	}
	if len(s.recent) != maxServers || get(0, "") != first || get(1, "") == second {
		t.Errorf("%d servers are remembered, want %d, and not the oldest", len(s.recent), maxServers)
	}
	if _, err := s.At("https://x", "no certificate"); err == nil || !strings.Contains(err.Error(), "PEM") {
		t.Errorf("got %v, want a complaint about PEM", err)
	}
}

func TestParseBase(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://host:6443/": "https://host:6443", " host ": "https://host", "host:6443": "https://host:6443", "https://ghe/api/v3//": "https://ghe/api/v3",
		"http://[::1]:8001": "http://[::1]:8001", "ftp://host": "", "https://": "", "": "", "https://u:p@host": "", "https://host?q": "", "https://host/#f": "", "https://ho st": "",
	} {
		got, err := ParseBase(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("ParseBase(%q): %q %v, want %q", in, got, err, want)
		}
	}
}
