package load

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/tokengrove/grove/test/chaos/history"
	"github.com/tokengrove/grove/test/chaos/target"
)

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]history.Outcome{
		200: history.Applied, 204: history.Applied, 400: history.Refused, 403: history.Refused, 404: history.Refused, 422: history.Refused,
		500: history.Unknown, 502: history.Unknown, 503: history.Not,
	} {
		if got := judge(status, []byte(`{"errors":["x"]}`)); got.outcome != want || got.answer.Error != "x" {
			t.Errorf("status %d: %s %q, want %s", status, got.outcome, got.answer.Error, want)
		}
	}
	if got := judge(200, []byte(`{"auth":`)); got.outcome != history.Unknown {
		t.Errorf("half an answer is %s, want unknown", got.outcome)
	}
}

// TestOnce: a request whose connection breaks is not sent again by itself, and its outcome is unknown;
// one that finds nobody was certainly not done.
func TestOnce(t *testing.T) {
	t.Parallel()
	var came atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if came.Add(1) > 1 { // the first is answered, so that the connection is used again
			panic(http.ErrAbortHandler)
		}
	}))
	defer s.Close()
	w := newWire([]target.Node{{Name: "a", URL: s.URL}, {Name: "b", URL: "http://" + nobody(t)}})
	defer w.close()
	a := ask{method: "POST", path: "auth/token/lookup-self", token: "x", key: "k"}
	if r := w.send(t.Context(), 0, a); r.outcome != history.Applied {
		t.Fatalf("%+v", r)
	}
	if r := w.send(t.Context(), 0, a); r.outcome != history.Unknown {
		t.Errorf("a broken connection is %s, want unknown", r.outcome)
	}
	if n := came.Load(); n != 2 {
		t.Errorf("the server got %d requests, want 2", n)
	}
	if r := w.send(t.Context(), 1, a); r.outcome != history.Not {
		t.Errorf("a node that is down is %s, want not", r.outcome)
	}
}

// nobody is an address where nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
