package cluster

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
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
	callTerm      byte = 11
	callAutopilot byte = 12
	callLeave     byte = 13
	callRestore   byte = 20 // the snapshot follows its frame
	callHash      byte = 21
	callCheck     byte = 22
	callCheckAll  byte = 23

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
	peers    map[string]*peer
	dials    map[string]*dialing // under way
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
	peers, incoming := maps.Clone(c.peers), maps.Clone(c.incoming)
	c.mu.Unlock()
	for _, p := range peers {
		p.close()
	}
	for s := range incoming {
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
	s, err := yamux.Server(&merged{Conn: conn}, yamuxConfig())
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
	in := bufio.NewReaderSize(st, 4096)
	kind, arg, err := readFrame(in)
	if err != nil {
		c.node.log.Warn("bad call", "from", st.RemoteAddr(), "error", err)
		return
	}
	if kind == callRestore {
		c.node.answerRestore(ctx, st, in, arg)
		return
	}
	st.SetDeadline(time.Now().Add(timeoutOf(kind)))
	status, out := c.result(ctx, kind, arg)
	writeFrame(st, status, out)
}

// timeoutOf bounds a call.
func timeoutOf(kind byte) time.Duration {
	if kind == callCheck || kind == callCheckAll {
		return checkTimeout
	}
	return requestTimeout
}

// result runs a call's handler.
func (c *calls) result(ctx context.Context, kind byte, arg []byte) (status byte, out []byte) {
	h := c.handlers[kind]
	if h == nil {
		return statusRefused, fmt.Appendf(nil, "unknown call %d", kind)
	}
	ctx, cancel := context.WithTimeout(ctx, timeoutOf(kind))
	defer cancel()
	return outcomeFrame(h(ctx, arg))
}

// writeOutcome answers a call on a connection of its own.
func writeOutcome(w io.Writer, out []byte, err error) {
	status, payload := outcomeFrame(out, err)
	writeFrame(w, status, payload)
}

// readOutcome is the inverse of writeOutcome.
func readOutcome(r io.Reader, addr string) ([]byte, error) {
	status, payload, err := readFrame(bufio.NewReaderSize(r, 4096))
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", addr, err)
	}
	return reply{status, payload}.outcome(addr)
}

// outcomeFrame is the answer to a call as a frame.
func outcomeFrame(out []byte, err error) (status byte, payload []byte) {
	var no refusal
	switch {
	case err == nil:
		return statusOK, out
	case errors.Is(err, errNotLeader):
		return statusNotLeader, nil
	case errors.Is(err, errBusy):
		return statusBusy, nil
	case errors.As(err, &no):
		return statusRefused, []byte(no)
	}
	return statusUnknown, []byte(err.Error())
}

// do calls a peer. An error that is neither errNotLeader, errBusy, refusal nor notSent leaves
// the outcome unknown.
func (c *calls) do(ctx context.Context, addr string, kind byte, arg []byte) ([]byte, error) {
	var r reply
	var err error
	if len(arg) <= pipeLimit && (kind == callPropose || kind == callReadIndex || kind == callTerm) {
		var p *peer
		if p, err = c.peer(ctx, addr); err == nil {
			r, err = p.pipe.do(ctx, kind, arg)
		} else {
			err = notSent{err}
		}
	} else {
		r, err = c.doAlone(ctx, addr, kind, arg)
	}
	if err != nil {
		return nil, fmt.Errorf("calling %s: %w", addr, err)
	}
	return r.outcome(addr)
}

// outcome is the inverse of outcomeFrame.
func (r reply) outcome(addr string) ([]byte, error) {
	switch r.status {
	case statusOK:
		return r.payload, nil
	case statusNotLeader:
		return nil, errNotLeader
	case statusBusy:
		return nil, errBusy
	case statusRefused:
		return nil, refusal(r.payload)
	}
	return nil, fmt.Errorf("calling %s: %s", addr, r.payload)
}

// doAlone is a call on a stream of its own.
func (c *calls) doAlone(ctx context.Context, addr string, kind byte, arg []byte) (reply, error) {
	st, err := c.open(ctx, addr)
	if err != nil {
		return reply{}, notSent{err}
	}
	defer st.Close()
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(timeoutOf(kind))
	}
	st.SetDeadline(deadline)
	// Cancelling ends the read below.
	stop := context.AfterFunc(ctx, func() { st.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := writeFrame(st, kind, arg); err != nil {
		return reply{}, err
	}
	status, out, err := readFrame(bufio.NewReaderSize(st, 4096))
	return reply{status, out}, err
}

func (c *calls) open(ctx context.Context, addr string) (*yamux.Stream, error) {
	p, err := c.peer(ctx, addr)
	if err != nil {
		return nil, err
	}
	return p.session.OpenStream()
}

// notSent wraps why a call never left this node.
type notSent struct{ error }

// Unwrap gives the cause.
func (e notSent) Unwrap() error { return e.error }

// yamuxHead is the size of the header of yamux, and yamuxData the type of a frame with a body.
const (
	yamuxHead = 12
	yamuxData = 0
)

// merged sends the header and the body of a yamux frame, which are written one after the
// other, in one write: one system call and, with TLS, one record. yamux writes from one goroutine.
type merged struct {
	net.Conn
	buf []byte
}

// Write implements net.Conn.
func (m *merged) Write(b []byte) (int, error) {
	if len(m.buf) == 0 {
		if len(b) != yamuxHead || b[1] != yamuxData || binary.BigEndian.Uint32(b[8:]) == 0 {
			return m.Conn.Write(b)
		}
		m.buf = append(m.buf, b...) // the body comes next
		return len(b), nil
	}
	m.buf = append(m.buf, b...)
	_, err := m.Conn.Write(m.buf)
	m.buf = m.buf[:0]
	if cap(m.buf) > pipeLimit {
		m.buf = nil
	}
	return len(b), err
}
