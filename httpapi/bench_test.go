package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine/catalogue"
	"github.com/tokengrove/grove/fsm"
)

// stillStore is a fakeStore that, once it is still, gives every proposal the same result and applies
// nothing: what is left is the handler's own cost.
type stillStore struct {
	*fakeStore
	still bool
	last  fsm.Result
}

// Propose implements Store.
func (s *stillStore) Propose(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	if s.still {
		return s.last, nil
	}
	var err error
	s.last, err = s.fakeStore.Propose(ctx, c)
	return s.last, err
}

// replayed is the body of a request that is sent again and again.
type replayed struct{ bytes.Reader }

// Close implements io.Closer.
func (*replayed) Close() error { return nil }

// sink is a ResponseWriter that keeps nothing but the status.
type sink struct {
	header http.Header
	status int
}

// Header implements http.ResponseWriter.
func (s *sink) Header() http.Header { return s.header }

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (s *sink) WriteHeader(status int) { s.status = status }

// BenchmarkHandler is what one request costs without the cluster behind it and without net/http before it:
// from the parsed header to the written answer.
func BenchmarkHandler(b *testing.B) {
	now := time.Unix(1_800_000_000, 0).UTC()
	clock := func() time.Time { return now }
	store := &stillStore{fakeStore: &fakeStore{leader: fsm.New(), replica: fsm.New(), now: clock}}
	cluster := &fakeCluster{store: store.fakeStore, status: fsm.ClusterStatus{NodeID: "n1"}}
	handler, err := New(Config{Store: store, Cluster: cluster, Now: clock, Version: "1.2.3", Genesis: Genesis{RootTokenID: rootID, ClusterName: "bench"}, Engines: Engines{Methods: catalogue.Methods()}})
	if err != nil {
		b.Fatal(err)
	}
	s := &server{T: new(testing.T), handler: handler, store: store.fakeStore, cluster: cluster, remote: "192.0.2.1:4711"}
	if a := s.put("", "sys/init", obj{"secret_shares": 1, "secret_threshold": 1}); a.status != http.StatusOK {
		b.Fatal(a.raw)
	}
	cluster.status.Initialized = true
	const body = `{"policies":["default"],"ttl":"1h","meta":{"svc":"bench"}}`
	issue := func(body string) string {
		a := s.post(rootID, "auth/token/create", body)
		if a.status != http.StatusOK {
			b.Fatal(a.raw)
		}
		return a.text("auth.client_token")
	}
	id, limited := issue(body), issue(`{"policies":["default"],"ttl":"1h","num_uses":100000000}`)
	for _, c := range []struct {
		name, method, id, path, body string
		status                       int
	}{
		{"lookup-self", "GET", id, "lookup-self", "", 200},
		{"use", "GET", limited, "lookup-self", "", 200},
		{"create", "POST", rootID, "create", body, 200},
		{"renew-self", "POST", id, "renew-self", "{}", 200},
		{"revoke", "POST", rootID, "revoke", `{"token":"` + issue(body) + `"}`, 204},
	} {
		b.Run(c.name, func(b *testing.B) {
			store.still = false
			r := httptest.NewRequest(c.method, "/v1/auth/token/"+c.path, nil)
			r.Header.Set("X-Vault-Token", c.id)
			r.Header.Set("X-Vault-Request", "true")
			r.Header.Set("Content-Type", "application/json")
			r.ContentLength = int64(len(c.body))
			var sent replayed
			w := &sink{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				sent.Reset([]byte(c.body))
				r.Body = &sent
				clear(w.header)
				handler.ServeHTTP(w, r)
				if !store.still { // the first request has shown what the cluster answers
					store.still = true
				}
			}
			if w.status != c.status {
				b.Errorf("status %d, want %d", w.status, c.status)
			}
		})
	}
}
