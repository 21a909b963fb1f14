package cluster

import (
	"fmt"
	"io"
	"net"
	"testing"
	"time"
)

func TestStrangersAreCounted(t *testing.T) {
	t.Parallel()
	var s strangers
	for i := range handshakesFrom {
		if !s.take("a") {
			t.Fatalf("connection %d of a host was refused", i+1)
		}
	}
	if s.take("a") {
		t.Error("one too many of a host was taken")
	}
	taken := handshakesFrom
	for i := 0; s.take(fmt.Sprint("b", i/10)); i++ {
		taken++
	}
	if taken != handshakes {
		t.Errorf("%d were taken, want %d", taken, handshakes)
	}
	s.give("a")
	if !s.take("c") || s.take("c") {
		t.Error("what one gave back is for one other")
	}
}

// TestSilentStrangers: connections that say nothing are closed beyond a number, and keep no member out for
// longer than their time-out.
func TestSilentStrangers(t *testing.T) {
	t.Parallel()
	n := single(t)
	var conns []net.Conn
	for range handshakesFrom + 1 {
		c, err := net.DialTimeout("tcp", n.Addr(), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		conns = append(conns, c)
	}
	for _, c := range conns {
		c.SetReadDeadline(time.Now().Add(30 * time.Second))
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil && isTimeout(err) {
			t.Fatalf("a silent connection got %q, %v; want its end", b, err)
		}
	}
	conn, err := n.links.dial(protoCalls, n.Addr(), 10*time.Second)
	if err != nil {
		t.Fatalf("a member after the strangers: %v", err)
	}
	conn.Close()
	left := func() int {
		n.links.strangers.mu.Lock()
		defer n.links.strangers.mu.Unlock()
		return n.links.strangers.all
	}
	deadline := time.Now().Add(30 * time.Second)
	for tick := time.NewTicker(time.Millisecond); left() != 0; <-tick.C { // the last one is counted until its byte is written
		if time.Now().After(deadline) {
			t.Fatalf("%d strangers are left", left())
		}
	}
}

func isTimeout(err error) bool {
	e, ok := err.(net.Error)
	return ok && e.Timeout()
}
