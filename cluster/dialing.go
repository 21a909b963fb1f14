package cluster

import (
	"context"
	"net"

	"github.com/hashicorp/yamux"
)

// dialing is an attempt to reach a peer, shared by all who want to call it meanwhile: a peer
// whose process is paused takes connections and says nothing, and every read would hold one more.
type dialing struct {
	done    chan struct{}
	session *yamux.Session
	err     error
}

// session returns the open session to addr, or dials one. It waits no longer than ctx; the attempt
// goes on for those who come later.
func (c *calls) session(ctx context.Context, addr string) (*yamux.Session, error) {
	c.mu.Lock()
	if s := c.sessions[addr]; s != nil && !s.IsClosed() && !c.closed {
		c.mu.Unlock()
		return s, nil
	}
	d := c.dials[addr]
	if d == nil {
		d = &dialing{done: make(chan struct{})}
		if c.closed || !c.node.spawn(func() { c.dial(addr, d) }) {
			c.mu.Unlock()
			return nil, net.ErrClosed
		}
		c.dials[addr] = d
	}
	c.mu.Unlock()
	select {
	case <-d.done:
		return d.session, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dial makes the attempt d.
func (c *calls) dial(addr string, d *dialing) {
	d.session, d.err = c.connect(addr)
	c.mu.Lock()
	delete(c.dials, addr)
	if d.err == nil && c.closed {
		d.session.Close()
		d.session, d.err = nil, net.ErrClosed
	}
	if d.err == nil {
		c.sessions[addr] = d.session
	}
	c.mu.Unlock()
	close(d.done)
}

func (c *calls) connect(addr string) (*yamux.Session, error) {
	conn, err := c.node.links.dial(protoCalls, addr, dialTimeout)
	if err != nil {
		return nil, err
	}
	s, err := yamux.Client(&merged{Conn: conn}, yamuxConfig())
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}
