package audit

import (
	"fmt"
	"net"
	"strings"
	"time"
)

// socket reads the options of a socket device.
func (p *reader) socket(limit time.Duration) sink {
	address, network := p.text("address", ""), p.text("socket_type", "tcp")
	if address == "" {
		p.fail(`"address" is required`)
	}
	switch network {
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6", "unix", "unixgram":
	default:
		p.fail("socket_type %q: tcp, udp and unix are allowed", network)
	}
	return &socket{network: network, address: address, limit: limit}
}

// socket sends lines over a connection. A write that a peer has not taken in time, or that finds
// the connection closed, fails; the next one dials again.
type socket struct {
	network, address string
	limit            time.Duration
	to               net.Conn
}

func (s *socket) open() error {
	to, err := net.DialTimeout(s.network, s.address, s.limit)
	if err != nil {
		return fmt.Errorf("unable to reach %s %s: %w", s.network, s.address, err)
	}
	s.to = to
	return nil
}

func (s *socket) write(b []byte) (int, error) {
	if err := s.to.SetWriteDeadline(time.Now().Add(s.limit)); err != nil {
		return 0, err
	}
	return s.to.Write(b)
}

func (s *socket) close() { s.to.Close() }

func (s *socket) single() bool {
	return strings.HasPrefix(s.network, "udp") || s.network == "unixgram"
}
