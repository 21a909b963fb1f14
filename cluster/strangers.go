package cluster

import (
	"net"
	"sync"
)

const (
	// handshakes is how many connections to the cluster port may be about to say who they are, and
	// handshakesFrom how many of them from one host. More are closed at once: who does not get in
	// for a stranger's flood is the stranger, and no file is missing for the log.
	handshakes     = 1024
	handshakesFrom = 64
)

// strangers counts the connections that have not shown a certificate yet.
type strangers struct {
	mu   sync.Mutex
	all  int
	from map[string]int // none is 0
}

// take counts a connection from host, and reports false if there are too many.
func (s *strangers) take(host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all >= handshakes || s.from[host] >= handshakesFrom {
		return false
	}
	if s.from == nil {
		s.from = map[string]int{}
	}
	s.all++
	s.from[host]++
	return true
}

// give ends what take began.
func (s *strangers) give(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all--
	if s.from[host]--; s.from[host] == 0 {
		delete(s.from, host)
	}
}

// hostOf is the host that a connection comes from.
func hostOf(c net.Conn) string {
	host, _, err := net.SplitHostPort(c.RemoteAddr().String())
	if err != nil {
		return ""
	}
	return host
}
