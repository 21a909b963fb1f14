package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// Calls between members. Each is one yamux stream: a frame with the call's number and
// argument there, a frame with a status and the result back. The numbers are on the
// wire: never reuse one.
const (
	callPropose   byte = 1
	callReadIndex byte = 2
	callJoin      byte = 3
	callRemove    byte = 4
	callStepDown  byte = 5
	callInfo      byte = 6
	callRotate    byte = 7
	callTrust     byte = 8
	callAuthority byte = 9

	statusOK        byte = 0
	statusNotLeader byte = 1 // certainly nothing happened
	statusRefused   byte = 2 // certainly nothing happened; the payload says why
	statusUnknown   byte = 3 // may have happened
	statusBusy      byte = 4 // certainly nothing happened; try again
)

// errNotLeader means that the call certainly did nothing, because the node does not lead.
var errNotLeader = errors.New("the node is not the leader")

// errBusy means that the call certainly did nothing, because too much waits already.
var errBusy = errors.New("the leader is overloaded")

// callsPerPeer is how many calls of one peer are served at once; the rest wait in the
// peer's streams, which push back.
const callsPerPeer = 64

// refusal is an answer that certainly did nothing, with its reason.
type refusal string

// Error implements error.
func (r refusal) Error() string { return string(r) }

// handler serves one call.
type handler func(ctx context.Context, arg []byte) ([]byte, error)

// calls is both ends: the sessions that this node dialed, one a peer, and the handlers
// for those that peers dialed.
type calls struct {
	node     *Node
	handlers map[byte]handler
	mu       sync.Mutex
	sessions map[string]*yamux.Session
	incoming map[*yamux.Session]bool
	closed   bool
}

func yamuxConfig() *yamux.Config {
	c := yamux.DefaultConfig()
	c.LogOutput = io.Discard
	c.MaxStreamWindowSize = 4 << 20
	c.ConnectionWriteTimeout = 10 * time.Second
	c.KeepAliveInterval = 5 * time.Second
	return c
}

func (c *calls) close() {
	c.mu.Lock()
	c.closed = true
	var all []*yamux.Session
	for _, s := range c.sessions {
		all = append(all, s)
	}
	for s := range c.incoming {
		all = append(all, s)
	}
	c.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
}

// peerKey is the key of the context value that a handler finds the calling node's ID under.
type peerKey struct{}

// callerOf returns the ID of the node that calls, as its certificate says; "" for this node's own.
func callerOf(ctx context.Context) string {
	id, _ := ctx.Value(peerKey{}).(string)
	return id
}

// serve answers the calls of one peer, the node with ID peer, until its connection ends.
func (c *calls) serve(conn net.Conn, peer string) {
	s, err := yamux.Server(conn, yamuxConfig())
	if err != nil {
		conn.Close()
		return
	}
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		s.Close()
		return
	}
	c.incoming[s] = true
	c.mu.Unlock()
	defer func() {
		s.Close()
		c.mu.Lock()
		delete(c.incoming, s)
		c.mu.Unlock()
	}()
	ctx := context.WithValue(c.node.ctx, peerKey{}, peer)
	slots := make(chan struct{}, callsPerPeer)
	for {
		st, err := s.AcceptStream()
		if err != nil {
			return
		}
		slots <- struct{}{} // calls have deadlines, so that this ends
		if !c.node.spawn(func() { c.answer(ctx, st); <-slots }) {
			return
		}
	}
}

func (c *calls) answer(ctx context.Context, st *yamux.Stream) {
	defer st.Close()
	st.SetDeadline(time.Now().Add(requestTimeout))
	kind, arg, err := readFrame(bufio.NewReaderSize(st, 4096))
	if err != nil {
		c.node.log.Warn("bad call", "from", st.RemoteAddr(), "error", err)
		return
	}
	h := c.handlers[kind]
	if h == nil {
		writeFrame(st, statusRefused, []byte(fmt.Sprintf("unknown call %d", kind)))
		return
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	out, err := h(ctx, arg)
	writeOutcome(st, out, err)
}

// writeOutcome answers a call.
func writeOutcome(w io.Writer, out []byte, err error) {
	var no refusal
	switch {
	case err == nil:
		writeFrame(w, statusOK, out)
	case errors.Is(err, errNotLeader):
		writeFrame(w, statusNotLeader, nil)
	case errors.Is(err, errBusy):
		writeFrame(w, statusBusy, nil)
	case errors.As(err, &no):
		writeFrame(w, statusRefused, []byte(no))
	default:
		writeFrame(w, statusUnknown, []byte(err.Error()))
	}
}

// do calls a peer. An error that is neither errNotLeader, refusal nor notSent leaves the
// outcome unknown.
func (c *calls) do(ctx context.Context, addr string, kind byte, arg []byte) ([]byte, error) {
	s, err := c.session(ctx, addr)
	if err != nil {
		return nil, notSent{err}
	}
	st, err := s.OpenStream()
	if err != nil {
		return nil, notSent{err}
	}
	defer st.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(requestTimeout)
	}
	st.SetDeadline(deadline)
	// Cancelling closes the stream, which ends the read below.
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := writeFrame(st, kind, arg); err != nil {
		return nil, fmt.Errorf("calling %s: %w", addr, err)
	}
	return readOutcome(st, addr)
}

// readOutcome is the inverse of writeOutcome.
func readOutcome(r io.Reader, addr string) ([]byte, error) {
	status, out, err := readFrame(bufio.NewReaderSize(r, 4096))
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", addr, err)
	}
	switch status {
	case statusOK:
		return out, nil
	case statusNotLeader:
		return nil, errNotLeader
	case statusBusy:
		return nil, errBusy
	case statusRefused:
		return nil, refusal(out)
	}
	return nil, fmt.Errorf("calling %s: %s", addr, out)
}

// notSent wraps why a call never left this node.
type notSent struct{ error }

// Unwrap gives the cause.
func (e notSent) Unwrap() error { return e.error }

// session returns the open session to addr, or dials one.
func (c *calls) session(ctx context.Context, addr string) (*yamux.Session, error) {
	c.mu.Lock()
	s, closed := c.sessions[addr], c.closed
	c.mu.Unlock()
	if closed {
		return nil, net.ErrClosed
	}
	if s != nil && !s.IsClosed() {
		return s, nil
	}
	timeout := dialTimeout
	if d, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(d))
	}
	conn, err := c.node.links.dial(protoCalls, addr, timeout)
	if err != nil {
		return nil, err
	}
	fresh, err := yamux.Client(conn, yamuxConfig())
	if err != nil {
		conn.Close()
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if s := c.sessions[addr]; c.closed || (s != nil && !s.IsClosed()) {
		fresh.Close()
		if c.closed {
			return nil, net.ErrClosed
		}
		return s, nil
	}
	c.sessions[addr] = fresh
	return fresh, nil
}
