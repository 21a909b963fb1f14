package main

import (
	"context"
	"net"

	"github.com/tokengrove/grove/httpapi"
)

// quietConn is a plain connection that spares net/http a read for every request. While a handler runs, net/http
// waits for one more byte in the background, to notice a client that leaves. That read finds nothing and is
// called off when the handler is done: a system call, two changes of goroutine and two deadlines. It
// is the only read of a single byte that net/http makes, and this connection answers it with "nothing", which
// ends it. Who wants to know asks hasLeft; handlers wait for a bounded time, whoever leaves.
//
// A TLS connection reads whole records from the connection below, so that nothing changes for it.
type quietConn struct{ *limitedConn }

// Read implements net.Conn.
func (c quietConn) Read(b []byte) (int, error) {
	if len(b) == 1 {
		return 0, nil
	}
	return c.limitedConn.Read(b)
}

// connContext is http.Server.ConnContext: admission hears of a client that has left.
func connContext(ctx context.Context, c net.Conn) context.Context {
	if q, ok := c.(quietConn); ok {
		return httpapi.WithConnection(ctx, q.hasLeft)
	}
	return ctx
}
