package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// network decides which links are cut.
type network struct {
	mu    sync.Mutex
	cut   map[[2]string]bool // from a node's name to an address
	conns map[net.Conn][2]string
}

func newNetwork() network {
	return network{cut: map[[2]string]bool{}, conns: map[net.Conn][2]string{}}
}

// Isolate cuts all links of n, both ways, also those that are open.
func (c *Cluster) Isolate(n *Node) {
	var others []*Node
	for _, o := range c.Nodes {
		if o != n {
			others = append(others, o)
		}
	}
	c.Partition([]*Node{n}, others)
}

// Partition cuts all links between the two sides, both ways, also those that are open.
func (c *Cluster) Partition(a, b []*Node) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for _, x := range a {
		for _, y := range b {
			c.net.cut[[2]string{x.Name, y.addr}] = true
			c.net.cut[[2]string{y.Name, x.addr}] = true
		}
	}
	for conn, link := range c.net.conns {
		if c.net.cut[link] {
			conn.Close()
			delete(c.net.conns, conn)
		}
	}
}

// Drop closes all open connections that n has dialed; it may dial again at once. Answers
// that are under way are lost, also those to what has been applied.
func (c *Cluster) Drop(n *Node) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for conn, link := range c.net.conns {
		if link[0] == n.Name {
			conn.Close()
			delete(c.net.conns, conn)
		}
	}
}

// Heal restores all links.
func (c *Cluster) Heal() {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.net.cut = map[[2]string]bool{}
}

// errCut is what a dial over a cut link gives.
var errCut = errors.New("the link is cut")

// dial is a node's dialer.
func (n *Node) dial(addr string, timeout time.Duration) (net.Conn, error) {
	link := [2]string{n.Name, addr}
	nw := &n.c.net
	if nw.isCut(link) {
		return nil, errCut
	}
	conn, err := net.DialTimeout("tcp", addr, timeout)
	if err != nil {
		return nil, err
	}
	nw.mu.Lock()
	defer nw.mu.Unlock()
	if nw.cut[link] {
		conn.Close()
		return nil, errCut
	}
	nw.conns[conn] = link
	return conn, nil
}

func (nw *network) isCut(link [2]string) bool {
	nw.mu.Lock()
	defer nw.mu.Unlock()
	return nw.cut[link]
}

// Ports below the kernel's range for outgoing connections: a node that is down does not
// lose its address to some connection.
const firstPort, portCount = 12000, 18000

var ports = struct {
	mu    sync.Mutex
	taken map[int]bool
}{taken: map[int]bool{}}

// freeAddr returns an address on loopback that is free, with the port after it, which is for
// gossip. It is not given out again in this process.
func freeAddr() (string, error) {
	ports.mu.Lock()
	defer ports.mu.Unlock()
	for range 1000 {
		p := firstPort + rand.IntN(portCount)
		if ports.taken[p-1] || ports.taken[p] || ports.taken[p+1] || !free(p) || !free(p+1) {
			continue
		}
		ports.taken[p], ports.taken[p+1] = true, true
		return fmt.Sprintf("127.0.0.1:%d", p), nil
	}
	return "", errors.New("no two free ports in a row")
}

func free(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	l.Close()
	u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	u.Close()
	return true
}
