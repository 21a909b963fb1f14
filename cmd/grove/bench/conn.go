package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"time"
)

// longestIdle is how long a connection may rest before it is made anew: servers close idle ones,
// and a request that meets the end of its connection would count as failed.
const longestIdle = 20 * time.Second

// request is one call of the API. Its body is never written to.
type request struct {
	method, path string // path: from /v1/ on
	token        string
	body         []byte
}

// conn is a kept-alive HTTP/1.1 connection to a node, for one goroutine. It takes a fraction
// of the processor time of net/http's client, which hands every request to two goroutines more:
// client and server often share a machine.
type conn struct {
	node      *node
	raw       net.Conn // nil: not connected
	in        *bufio.Reader
	out, body []byte // kept for the next request
	used      time.Time
	unhook    func() bool
}

func newConn(n *node) *conn { return &conn{node: n} }

// do sends a request and returns the status and body of its answer; the body is valid until the next
// do. After an error the connection is closed, and the next do makes another. ctx is the same in
// all calls.
func (c *conn) do(ctx context.Context, timeout time.Duration, q *request) (int, []byte, error) {
	now := time.Now()
	deadline := now.Add(timeout)
	if c.raw != nil && now.Sub(c.used) > longestIdle {
		c.close()
	}
	if c.raw == nil {
		if err := c.connect(ctx, deadline); err != nil {
			return 0, nil, err
		}
	}
	status, body, keep, err := c.exchange(ctx, deadline, q)
	if err != nil || !keep {
		c.close()
	}
	c.used = now
	return status, body, err
}

func (c *conn) exchange(ctx context.Context, deadline time.Time, q *request) (int, []byte, bool, error) {
	if err := c.raw.SetDeadline(deadline); err != nil {
		return 0, nil, false, fmt.Errorf("deadline: %w", err)
	}
	if err := ctx.Err(); err != nil { // after SetDeadline, which may have undone the hook's
		return 0, nil, false, err
	}
	c.out = q.appendTo(c.out[:0], c.node)
	if _, err := c.raw.Write(c.out); err != nil {
		return 0, nil, false, fmt.Errorf("sending: %w", err)
	}
	a := answer{in: c.in, body: c.body[:0]}
	err := a.read()
	c.body = a.body
	return a.status, a.body, a.keep, err
}

func (c *conn) connect(ctx context.Context, deadline time.Time) error {
	d := net.Dialer{Deadline: deadline}
	raw, err := d.DialContext(ctx, "tcp", c.node.dial)
	if err != nil {
		return err
	}
	if c.node.tls != nil {
		t := tls.Client(raw, c.node.tls)
		hello, cancel := context.WithDeadline(ctx, deadline)
		defer cancel()
		if err := t.HandshakeContext(hello); err != nil {
			raw.Close() // what counts is the error before
			return fmt.Errorf("TLS to %s: %w", c.node.dial, err)
		}
		raw = t
	}
	c.raw = raw
	if c.in == nil {
		c.in = bufio.NewReaderSize(raw, 8<<10)
	} else {
		c.in.Reset(raw)
	}
	// A request under way ends with ctx: its deadline is moved to the past.
	c.unhook = context.AfterFunc(ctx, func() { raw.SetDeadline(time.Unix(1, 0)) })
	return nil
}

func (c *conn) close() {
	if c.raw == nil {
		return
	}
	c.unhook()
	c.raw.Close() // nothing is lost: every answer wanted has been read
	c.raw = nil
}

func (q *request) appendTo(b []byte, n *node) []byte {
	b = append(b, q.method...)
	b = append(b, ' ')
	b = append(b, n.base...)
	b = append(b, q.path...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, n.host...)
	b = append(b, "\r\nUser-Agent: grove-bench\r\nX-Vault-Request: true\r\nX-Vault-Token: "...)
	b = append(b, q.token...)
	if len(q.body) > 0 {
		b = append(b, "\r\nContent-Type: application/json"...)
	}
	if q.method != "GET" {
		b = append(b, "\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(q.body)), 10)
	}
	b = append(b, "\r\n\r\n"...)
	return append(b, q.body...)
}
