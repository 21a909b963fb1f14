package jwt

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestOneFetchForMany: while one request fetches, others wait for it, and no longer than they want to.
func TestOneFetchForMany(t *testing.T) {
	t.Parallel()
	var fetches atomic.Int32
	open := make(chan struct{})
	f := newFetched(time.Hour, time.Now, func(context.Context) (int, error) {
		<-open
		return int(fetches.Add(1)), nil
	})
	first, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	get := func(ctx context.Context) {
		if v, _, err := f.get(ctx); err != nil || v != 1 {
			t.Errorf("%d %v", v, err)
		}
	}
	all.Go(func() { get(first) })
	for running := false; !running; runtime.Gosched() {
		f.mu.Lock()
		running = f.running != nil
		f.mu.Unlock()
	}
	for range 8 {
		all.Go(func() { get(t.Context()) })
	}
	leave() // whoever began it: others need it
	late, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, _, err := f.get(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want %v", err, context.DeadlineExceeded)
	}
	f.mu.Lock()
	f.waiting += maxWaiting // a crowd
	f.mu.Unlock()
	if _, _, err := f.get(t.Context()); err != errCrowded {
		t.Errorf("one more than may wait: %v", err)
	}
	f.mu.Lock()
	f.waiting -= maxWaiting
	f.mu.Unlock()
	close(open)
	all.Wait()
	if f.waiting != 0 {
		t.Errorf("%d wait for nothing", f.waiting)
	}
	if n := fetches.Load(); n != 1 {
		t.Errorf("%d fetches, want 1", n)
	}
}

func TestClientBounds(t *testing.T) {
	t.Parallel()
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "in clear") }))
	t.Cleanup(plain.Close)
	i := newIssuer(t)
	i.answer = func(w http.ResponseWriter, r *http.Request) bool {
		switch r.URL.Path {
		case "/long":
			io.WriteString(w, strings.Repeat("x", maxAnswer+1))
		case "/3", "/2", "/1":
			http.Redirect(w, r, string("321"[3-(r.URL.Path[1]-'0')])+"x", http.StatusFound)
		case "/down":
			http.Redirect(w, r, plain.URL, http.StatusFound)
		case "/post":
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		case "/there":
			t.Error("what was posted went on")
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		default:
			io.WriteString(w, "fine")
		}
		return true
	}
	c, err := newClient(i.ca)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/x": "", "/1": "", "/long": "too large", "/circle": "more than 3 redirects", "/down": "from HTTPS to plain HTTP",
	} {
		_, err := fetch(t.Context(), c, i.url+path)
		wantError(t, err, want)
	}
	r, err := c.Post(i.url+"/post", "text/plain", strings.NewReader("secret"))
	if err != nil || r.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("%v %v, want the redirect itself", r, err)
	} else {
		r.Body.Close()
	}
	if other, err := newClient(""); err != nil {
		t.Error(err)
	} else if _, err := fetch(t.Context(), other, i.url); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an authority that is not known: %v", err)
	}
	if _, err := newClient("no PEM"); err == nil {
		t.Error("a client with authorities that are none")
	}
}
