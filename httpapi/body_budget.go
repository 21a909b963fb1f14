package httpapi

import (
	"io"
	"net/http"
	"sync/atomic"
)

const (
	// smallBody is up to which size a body is not counted: connections are bounded, too.
	smallBody = 64 << 10
	// bodyStep is in what steps a large body takes of the budget.
	bodyStep = 256 << 10
)

// errBodies is what a large body gets when too much of others is held already.
var errBodies = fail(http.StatusServiceUnavailable, "this node is overloaded: large request bodies use up their memory; nothing was done; try again")

// budget bounds the bytes of large bodies that are held at once.
type budget struct{ left atomic.Int64 }

// take reports whether n bytes were left, and takes them then.
func (b *budget) take(n int64) bool {
	if b.left.Add(-n) < 0 {
		b.left.Add(n)
		return false
	}
	return true
}

// metered is a body that takes of the budget what it is beyond a small one, as it arrives: a
// client that only says that much will come takes nothing.
type metered struct {
	io.ReadCloser
	budget *budget
	seen   int64
	taken  int64
}

// Read implements io.Reader.
func (m *metered) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p)
	m.seen += int64(n)
	for m.seen > smallBody+m.taken {
		if !m.budget.take(bodyStep) {
			return 0, errBodies
		}
		m.taken += bodyStep
	}
	return n, err
}

// meter counts the body of a request that may be large until the request is done.
func (a *api) meter(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body == nil || isFile(r.URL.Path) || 0 <= r.ContentLength && r.ContentLength <= smallBody {
			next.ServeHTTP(w, r)
			return
		}
		m := &metered{ReadCloser: r.Body, budget: a.bodies}
		r.Body = m
		defer func() { a.bodies.left.Add(m.taken) }()
		next.ServeHTTP(w, r)
	})
}
