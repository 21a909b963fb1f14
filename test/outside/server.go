package outside

import (
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// server is what they have in common.
type server struct {
	// URL is where it is, and CA the certificate that it shows, in PEM; "": it does not speak TLS.
	URL, CA string

	t      testing.TB
	calls  atomic.Int32
	mu     sync.Mutex
	broken http.HandlerFunc
}

// start runs until the end of the test.
func (s *server) start(t testing.TB, secure bool, h http.Handler) {
	t.Helper()
	s.t = t
	hs := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.mu.Lock()
		broken := s.broken
		s.mu.Unlock()
		if broken != nil {
			broken(w, r)
			return
		}
		h.ServeHTTP(w, r)
	}))
	hs.Config.ErrorLog = log.New(io.Discard, "", 0) // of clients that do not trust it
	if secure {
		hs.StartTLS()
		s.CA = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: hs.Certificate().Raw}))
	} else {
		hs.Start()
	}
	s.URL = hs.URL
	t.Cleanup(hs.Close)
}

// Break makes it answer by h; nil: as it should again.
func (s *server) Break(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = h
}

// Calls is how often it was asked.
func (s *server) Calls() int { return int(s.calls.Load()) }

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(body) // whoever has gone does not read it
}

// Failure is a way in which a server can fail, and a part of what is said of it.
type Failure struct {
	Handler http.HandlerFunc
	Text    string
}

// Failures are those that any server can have, by name. What they answer holds the text "s3cret". The slow one answers when the
// client has gone.
func Failures() map[string]Failure {
	return map[string]Failure{
		"500":       {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "s3cret", http.StatusInternalServerError) }, "status 500"},
		"malformed": {func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"s3cret`) }, "something else than the JSON"},
		"oversized": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, `"`+strings.Repeat("s3cret", 1<<19)+`"`)
		}, "more than"},
		"slow": {func(_ http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body) // until then nobody notices that the client goes
			<-r.Context().Done()
		}, "did not answer in time"},
		"broken off": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "cannot be reached"},
	}
}
