package cluster

import (
	"context"
	"net"
	"time"

	"github.com/hashicorp/yamux"
)

// peer is the way to another node: a pipe for the calls that every request needs, on a connection of
// its own, and a session whose streams carry the rare and the large ones. They live and
// die together, so that the session's keep-alive looks after both.
type peer struct {
	session *yamux.Session
	pipe    *pipe
}

func (p *peer) alive() bool { return !p.session.IsClosed() && !p.pipe.closed() }

func (p *peer) close() {
	p.pipe.close()
	p.session.Close()
}

// dialing is an attempt to reach a peer, shared by all who want to call it meanwhile: a peer
// whose process is paused takes connections and says nothing, and every read would hold one more.
type dialing struct {
	done chan struct{}
	peer *peer
	err  error
}

// peer returns the open way to addr, or dials. It waits no longer than ctx; the attempt goes on for
// those who come later.
func (c *calls) peer(ctx context.Context, addr string) (*peer, error) {
	c.mu.Lock()
	if p := c.peers[addr]; p != nil && p.alive() && !c.closed {
		c.mu.Unlock()
		return p, nil
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
		return d.peer, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// dial makes the attempt d.
func (c *calls) dial(addr string, d *dialing) {
	d.peer, d.err = c.connect(addr)
	c.mu.Lock()
	delete(c.dials, addr)
	if d.err == nil && c.closed {
		d.peer.close()
		d.peer, d.err = nil, net.ErrClosed
	}
	if d.err == nil {
		c.peers[addr] = d.peer
	}
	c.mu.Unlock()
	close(d.done)
}

func (c *calls) connect(addr string) (*peer, error) {
	conn, err := c.node.links.dial(protoCalls, addr, dialTimeout)
	if err != nil {
		return nil, err
	}
	s, err := yamux.Client(&merged{Conn: conn}, yamuxConfig())
	if err != nil {
		conn.Close()
		return nil, err
	}
	stream, err := c.node.links.dial(protoPipe, addr, dialTimeout)
	if err != nil {
		s.Close()
		return nil, err
	}
	p := &peer{session: s, pipe: newPipe(timed{stream}, c.node.spawn)}
	together := func() {
		select {
		case <-s.CloseChan():
		case <-p.pipe.done:
		}
		p.close()
	}
	if !c.node.spawn(together) {
		p.close()
		return nil, net.ErrClosed
	}
	return p, nil
}

// pipeWrite is how long a write to a pipe may take before the peer counts as lost.
const pipeWrite = 10 * time.Second

// timed is a connection whose writes do not take for ever.
type timed struct{ net.Conn }

// Write implements net.Conn.
func (c timed) Write(b []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(pipeWrite))
	return c.Conn.Write(b)
}
