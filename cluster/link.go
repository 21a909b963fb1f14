package cluster

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// One TCP port serves both kinds of stream. A connection starts with
//
//	kind u8 ('R' raft, 'G' calls) | version u8 | length u8 | cluster id
//
// and the accepting side answers one byte: 0, or a reason why not. A node that is
// not yet in a cluster names the empty id, which only calls accept.
const (
	kindRaft  byte = 'R'
	kindCalls byte = 'G'

	linkVersion = 1

	linkOK      byte = 0
	linkForeign byte = 1 // another cluster
	linkUnknown byte = 2 // unknown kind or version
)

// errForeign is returned by a dial that reached a node of another cluster.
var errForeign = errors.New("the node belongs to another cluster")

// links accepts and dials the connections between members. It knows every open one, so that
// none outlives the node.
type links struct {
	listener net.Listener
	node     *Node
	raft     chan net.Conn
	closed   chan struct{}

	mu    sync.Mutex
	open  map[*link]bool
	ended bool
}

// link is a connection that is forgotten when it is closed.
type link struct {
	net.Conn
	of *links
}

// Close implements net.Conn.
func (c *link) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

func newLinks(n *Node, l net.Listener) *links {
	return &links{listener: l, node: n, raft: make(chan net.Conn, 16), closed: make(chan struct{}), open: map[*link]bool{}}
}

// track notes an open connection. After close it closes it at once.
func (l *links) track(conn net.Conn) net.Conn {
	c := &link{Conn: conn, of: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		conn.Close()
	} else {
		l.open[c] = true
	}
	return c
}

// close ends the listener and all connections, as the end of the process would.
func (l *links) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		return
	}
	l.ended = true
	close(l.closed)
	l.listener.Close()
	for c := range l.open {
		c.Conn.Close()
	}
}

// serve accepts until close.
func (l *links) serve() {
	for {
		conn, err := l.listener.Accept()
		if err != nil {
			select {
			case <-l.closed:
				return
			case <-time.After(50 * time.Millisecond): // out of descriptors: try again
				continue
			}
		}
		conn = l.track(conn)
		if !l.node.spawn(func() { l.greet(conn) }) {
			conn.Close()
		}
	}
}

// greet reads the greeting of a new connection and hands it on.
func (l *links) greet(conn net.Conn) {
	conn.SetDeadline(time.Now().Add(dialTimeout))
	kind, cluster, err := readGreeting(conn)
	verdict := linkOK
	own := l.node.clusterID()
	if err == nil && kind == kindRaft && own == "" {
		own = l.node.awaitCluster()
	}
	switch {
	case err != nil:
		l.node.log.Warn("refused a connection", "from", conn.RemoteAddr(), "error", err)
		verdict = linkUnknown
	case cluster != own && (kind == kindRaft || cluster != ""):
		l.node.log.Warn("refused a connection of another cluster", "from", conn.RemoteAddr(), "cluster", cluster)
		verdict = linkForeign
	}
	if _, err := conn.Write([]byte{verdict}); err != nil || verdict != linkOK {
		conn.Close()
		return
	}
	conn.SetDeadline(time.Time{})
	if kind == kindCalls {
		l.node.calls.serve(conn)
		return
	}
	select {
	case l.raft <- conn:
	case <-l.closed:
		conn.Close()
	}
}

// awaitCluster waits for a join that is under way to tell which cluster this node is in:
// the leader replicates to a new member before the member has heard that it is one.
func (n *Node) awaitCluster() string {
	timeout := time.NewTimer(joinGrace)
	defer timeout.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if id := n.clusterID(); id != "" {
				return id
			}
		case <-timeout.C:
			return ""
		case <-n.ctx.Done():
			return ""
		}
	}
}

func readGreeting(r io.Reader) (kind byte, cluster string, err error) {
	var head [3]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, "", fmt.Errorf("reading the greeting: %w", err)
	}
	if (head[0] != kindRaft && head[0] != kindCalls) || head[1] != linkVersion {
		return 0, "", fmt.Errorf("unknown greeting %#x, link version %d", head[0], head[1])
	}
	id := make([]byte, head[2])
	if _, err := io.ReadFull(r, id); err != nil {
		return 0, "", fmt.Errorf("reading the greeting: %w", err)
	}
	return head[0], string(id), nil
}

// dial connects to a member and greets it.
func (l *links) dial(kind byte, addr string, timeout time.Duration) (net.Conn, error) {
	conn, err := l.node.cfg.Tune.Dial(addr, timeout)
	if err != nil {
		return nil, err
	}
	conn = l.track(conn)
	conn.SetDeadline(time.Now().Add(timeout))
	id := l.node.clusterID()
	answer := []byte{linkUnknown}
	_, err = conn.Write(append([]byte{kind, linkVersion, byte(len(id))}, id...))
	if err == nil {
		_, err = io.ReadFull(conn, answer)
	}
	switch {
	case err != nil:
	case answer[0] == linkForeign:
		err = errForeign
	case answer[0] != linkOK:
		err = fmt.Errorf("the node does not speak link version %d", linkVersion)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("greeting %s: %w", addr, err)
	}
	conn.SetDeadline(time.Time{})
	return conn, nil
}

// streamLayer gives Raft its share of the port.
type streamLayer struct{ *links }

// Accept implements net.Listener.
func (s streamLayer) Accept() (net.Conn, error) {
	select {
	case c := <-s.raft:
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener. The port is the node's and stays open.
func (s streamLayer) Close() error { return nil }

// Addr implements net.Listener.
func (s streamLayer) Addr() net.Addr { return advertised(s.node.self.ClusterAddr) }

// Dial implements raft.StreamLayer.
func (s streamLayer) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if timeout <= 0 || timeout > dialTimeout {
		timeout = dialTimeout
	}
	return s.dial(kindRaft, string(addr), timeout)
}

// advertised is an address that is only a name.
type advertised string

// Network implements net.Addr.
func (advertised) Network() string { return "tcp" }

// String implements net.Addr.
func (a advertised) String() string { return string(a) }

// maxFrame bounds one frame of a call.
const maxFrame = 64 << 20

// writeFrame writes tag u8 | length u32 | payload.
func writeFrame(w io.Writer, tag byte, payload []byte) error {
	head := binary.BigEndian.AppendUint32([]byte{tag}, uint32(len(payload)))
	if _, err := (&net.Buffers{head, payload}).WriteTo(w); err != nil {
		return err
	}
	return nil
}

// readFrame is the inverse of writeFrame.
func readFrame(r *bufio.Reader) (byte, []byte, error) {
	var head [5]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	size := binary.BigEndian.Uint32(head[1:])
	if size > maxFrame {
		return 0, nil, fmt.Errorf("frame of %d bytes, at most %d", size, maxFrame)
	}
	// The length is only believed as far as bytes arrive.
	var p bytes.Buffer
	p.Grow(int(min(size, 64<<10)))
	_, err := io.CopyN(&p, r, int64(size))
	return head[0], p.Bytes(), err
}
