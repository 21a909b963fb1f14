package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/httpapi"
)

// connectionLimits bound the connections of one API listener. Zero values: 16384, of them 8192 from one
// client, which is an IPv4 address or an IPv6 network of 64 bits.
type connectionLimits struct{ Total, PerClient int }

const (
	usualConnections    = 16384
	usualConnectionsOne = 8192
	// otherFiles is how many open files a node needs besides those of API connections: its log, its
	// snapshots, links to peers, and some to spare.
	otherFiles = 512
)

func (c connectionLimits) validate() error {
	switch {
	case c.Total < 0 || c.PerClient < 0:
		return errors.New("max_connections and max_connections_per_client cannot be negative")
	case c.Total > 0 && c.PerClient > c.Total:
		return fmt.Errorf("max_connections_per_client = %d is above max_connections = %d", c.PerClient, c.Total)
	}
	return nil
}

// filled puts in what is left open.
func (c connectionLimits) filled() connectionLimits {
	if c.Total == 0 {
		c.Total = max(usualConnections, c.PerClient)
	}
	if c.PerClient == 0 {
		c.PerClient = min(usualConnectionsOne, c.Total)
	}
	return c
}

// fit makes the limits of all listeners fit below the system's limit of open files: without a file
// to spare, the node could not write its log or reach its peers. files is 0 when it is not known.
func fit(listeners []listenerConfig, files int, log hclog.Logger) {
	total := 0
	for i := range listeners {
		c := listeners[i].connections.filled()
		listeners[i].connections = c
		total += c.Total
	}
	if files == 0 || total+otherFiles <= files {
		return
	}
	room := max(files-otherFiles, files/2)
	for i := range listeners {
		c := &listeners[i].connections
		c.Total = max(1, c.Total*room/total)
		c.PerClient = min(c.PerClient, c.Total)
	}
	log.Warn("the system's limit of open files is too low for all connections that are configured: fewer are taken; raise it (ulimit -n, LimitNOFILE) or lower max_connections",
		"files", files, "configured", total, "needed", total+otherFiles, "taken", room)
}

// limitedListener closes connections beyond its limits as soon as they are made, so that a
// flood neither waits in the system's queue nor holds files.
type limitedListener struct {
	net.Listener
	limits connectionLimits
	plain  bool // no TLS: a refusal can say why
	log    hclog.Logger

	mu      sync.Mutex
	open    int
	clients map[netip.Addr]int // none is 0
	said    time.Time          // when a refusal was logged last
}

func limitListener(l net.Listener, c connectionLimits, plain bool, log hclog.Logger) *limitedListener {
	return &limitedListener{Listener: l, limits: c, plain: plain, log: log, clients: map[netip.Addr]int{}}
}

// refusedConnection is what a plain connection beyond the limits hears, as far as it listens.
const refusedConnection = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 79\r\n\r\n" +
	`{"errors":["this node is overloaded: too many connections; nothing was done"]}` + "\n"

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	c, err := l.accept()
	if err != nil {
		return nil, err // not a nil pointer in an interface
	}
	if l.plain {
		return quietConn{c}, nil
	}
	return c, nil
}

func (l *limitedListener) accept() (*limitedConn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client := clientOf(c.RemoteAddr())
		if l.take(client) {
			return &limitedConn{Conn: c, of: l, client: client}, nil
		}
		if l.plain {
			c.SetWriteDeadline(time.Now().Add(time.Second)) // a new connection has room: this never waits
			c.Write([]byte(refusedConnection))              // a courtesy
		}
		c.Close()
	}
}

// take counts a connection of client, and reports false if it is beyond the limits.
func (l *limitedListener) take(client netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open < l.limits.Total && l.clients[client] < l.limits.PerClient {
		l.open++
		l.clients[client]++
		return true
	}
	if now := time.Now(); now.Sub(l.said) > 10*time.Second {
		l.said = now
		l.log.Warn("connections are refused: there are too many", "listener", l.Addr(), "open", l.open, "client", client, "of_client", l.clients[client])
	}
	return false
}

func (l *limitedListener) give(client netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open--
	if l.clients[client]--; l.clients[client] == 0 {
		delete(l.clients, client)
	}
}

// limitedConn is given back when it is closed.
type limitedConn struct {
	net.Conn
	of     *limitedListener
	client netip.Addr
	once   sync.Once
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.once.Do(func() { c.of.give(c.client) })
	return c.Conn.Close()
}

// clientOf is the client behind a connection.
func clientOf(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return httpapi.ClientOf(tcp.AddrPort().Addr())
}
