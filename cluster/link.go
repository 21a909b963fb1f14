package cluster

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/cluster/pki"
)

// One TCP port serves everything between nodes. Each connection is TLS 1.3; ALPN says what it is
// for (the protocols are in trust.go). After the handshake the accepting side writes one byte:
// only then does the dialer know that its own certificate was taken.
const linkOK byte = 0

// links accepts and dials the connections between members. It knows every open one, so that
// none outlives the node.
type links struct {
	listener  net.Listener
	node      *Node
	raft      chan net.Conn
	closed    chan struct{}
	strangers strangers

	mu    sync.Mutex
	open  map[*link]bool
	ended bool
}

// link is a connection that is forgotten when it is closed.
type link struct {
	net.Conn
	of      *links
	version uint64 // of the node's trust when it was made
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
	c := &link{Conn: conn, of: l, version: l.node.trust.version()}
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

// closeBefore ends the connections that were made under an older version of the node's trust. What
// was under way on them is sent again on new ones.
func (l *links) closeBefore(version uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		if c.version < version {
			c.Conn.Close()
		}
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
		from := hostOf(conn)
		if !l.strangers.take(from) {
			conn.Close()
			continue
		}
		conn = l.track(conn)
		if !l.node.spawn(func() { l.accept(conn, from) }) {
			conn.Close()
		}
	}
}

// accept makes a new connection secure and hands it on.
func (l *links) accept(conn net.Conn, from string) {
	conn.SetDeadline(time.Now().Add(dialTimeout))
	sec := tls.Server(conn, l.node.trust.server())
	err := sec.Handshake()
	if err == nil {
		_, err = sec.Write([]byte{linkOK})
	}
	l.strangers.give(from)
	if err != nil {
		l.node.log.Warn("refused a connection", "from", conn.RemoteAddr(), "error", err)
		conn.Close()
		return
	}
	conn.SetDeadline(time.Time{})
	switch st := sec.ConnectionState(); st.NegotiatedProtocol {
	case protoCalls, protoPipe:
		peer, err := pki.NameOf(st.PeerCertificates[0])
		if err != nil { // the handshake has read it
			conn.Close()
			return
		}
		if st.NegotiatedProtocol == protoPipe {
			l.node.calls.servePipe(timed{sec}, peer.Node)
			return
		}
		l.node.calls.serve(sec, peer.Node)
	case protoRaft:
		l.toRaft(sec)
	case protoKey, protoToken:
		l.node.serveNewcomer(sec, st)
	default:
		conn.Close()
	}
}

// toRaft hands a connection to Raft. A node that is about to be a member gets some before its
// Raft runs: the leader replicates to it before it has heard that it was taken in.
func (l *links) toRaft(conn net.Conn) {
	t := time.NewTimer(dialTimeout)
	defer t.Stop()
	select {
	case l.raft <- conn:
	case <-t.C:
		conn.Close()
	case <-l.closed:
		conn.Close()
	}
}

// dial connects to the member at addr: to the node that the Raft configuration has there, if it
// has one.
func (l *links) dial(proto, addr string, timeout time.Duration) (net.Conn, error) {
	cfg, err := l.node.trust.client(proto, l.node.expected(addr))
	if err != nil {
		return nil, err
	}
	return l.secure(addr, timeout, cfg)
}

// secure connects to addr, and returns when both sides have taken each other.
func (l *links) secure(addr string, timeout time.Duration, cfg *tls.Config) (net.Conn, error) {
	conn, err := l.node.cfg.Tune.Dial(addr, timeout)
	if err != nil {
		return nil, err
	}
	conn = l.track(conn)
	conn.SetDeadline(time.Now().Add(timeout))
	sec := tls.Client(conn, cfg)
	if err = sec.Handshake(); err == nil {
		if _, err = io.ReadFull(sec, make([]byte, 1)); err != nil {
			err = fmt.Errorf("the peer refused the link: %w", err)
		}
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("secure link to %s: %w", addr, err)
	}
	conn.SetDeadline(time.Time{})
	return sec, nil
}

// expected is the node that the Raft configuration has at addr, "" if none: then any member
// may answer there.
func (n *Node) expected(addr string) string {
	r := n.raft()
	if r == nil {
		return ""
	}
	for _, s := range r.GetConfiguration().Configuration().Servers {
		if string(s.Address) == addr {
			return string(s.ID)
		}
	}
	return ""
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
	return s.dial(protoRaft, string(addr), timeout)
}

// advertised is an address that is only a name.
type advertised string

// Network implements net.Addr.
func (advertised) Network() string { return "tcp" }

// String implements net.Addr.
func (a advertised) String() string { return string(a) }

// maxFrame bounds one frame of a call.
const maxFrame = 64 << 20

// joinedFrame is up to which size a frame is copied to be one write: each costs a record of
// TLS and a call of the system.
const joinedFrame = 64 << 10

// writeFrame writes tag u8 | length u32 | payload.
func writeFrame(w io.Writer, tag byte, payload []byte) error {
	head := append(make([]byte, 0, 5+min(len(payload), joinedFrame)), tag)
	head = binary.BigEndian.AppendUint32(head, uint32(len(payload)))
	if len(payload) <= joinedFrame {
		_, err := w.Write(append(head, payload...))
		return err
	}
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(payload)
	return err
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
	p, err := readPayload(r, size)
	return head[0], p, err
}

// readPayload reads size bytes. The length is only believed as far as bytes arrive.
func readPayload(r *bufio.Reader, size uint32) ([]byte, error) {
	if size <= 64<<10 {
		p := make([]byte, size)
		_, err := io.ReadFull(r, p)
		return p, err
	}
	var p bytes.Buffer
	p.Grow(64 << 10)
	_, err := io.CopyN(&p, r, int64(size))
	return p.Bytes(), err
}
