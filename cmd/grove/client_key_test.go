package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// TestIdempotencyKeyIsSent with a write, again with its retry, and with nothing else.
func TestIdempotencyKeyIsSent(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var keys []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, r.Method+" "+r.Header.Get("Idempotency-Key"))
		if len(keys) == 1 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		io.WriteString(w, `{"data":{"a":"b"}}`)
	}))
	defer srv.Close()
	c := &client{addr: srv.URL, token: "t", http: newHTTPClient(nil), key: "k"}
	for _, method := range []string{"POST", "GET"} {
		if _, err := c.call(t.Context(), method, "auth/token/lookup", nil, map[string]any{"x": 1}); err != nil {
			t.Fatal(err)
		}
	}
	if len(keys) != 3 || keys[0] != "POST k" || keys[1] != "POST k" || keys[2] != "GET " {
		t.Errorf("sent %q", keys)
	}
}
