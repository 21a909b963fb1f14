package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

// countedConn counts the reads of a connection.
type countedConn struct {
	net.Conn
	reads *atomic.Int64
}

func (c countedConn) Read(b []byte) (int, error) {
	c.reads.Add(1)
	return c.Conn.Read(b)
}

// countedListener makes countedConns.
type countedListener struct {
	net.Listener
	reads atomic.Int64
}

func (l *countedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return countedConn{c, &l.reads}, err
}

func quietServer(t *testing.T, h http.HandlerFunc) (*countedListener, *http.Client) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &countedListener{Listener: l}
	s := &http.Server{Handler: h, ConnContext: connContext, ReadHeaderTimeout: time.Minute, ReadTimeout: time.Minute}
	go s.Serve(limitListener(counted, connectionLimits{}.filled(), true, hclog.NewNullLogger()))
	t.Cleanup(func() { s.Close() })
	return counted, &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
}

// TestQuietConn: a request costs one read, bodies arrive whole, and net/http makes no other use of reads
// of one byte than the one in the background.
func TestQuietConn(t *testing.T) {
	t.Parallel()
	l, client := quietServer(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body) // what is missing shows in the answer
		w.Write(b)
	})
	url := "http://" + l.Addr().String()
	ask := func(body string) {
		t.Helper()
		resp, err := client.Post(url, "text/plain", io.MultiReader(strings.NewReader(body))) // chunked
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, err := io.ReadAll(resp.Body); err != nil || string(b) != body {
			t.Fatalf("%d bytes came back of %d: %v", len(b), len(body), err)
		}
	}
	for _, n := range []int{1, 2, 4095, 4096, 4097, 1 << 20} {
		ask(strings.Repeat("x", n))
	}
	before := l.reads.Load()
	const requests = 50
	for range requests {
		resp, err := client.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if n := l.reads.Load() - before; n > requests+1 {
		t.Errorf("%d reads for %d requests on one connection", n, requests)
	}
}

// TestPipelinedRequests: requests that are sent without waiting are all answered.
func TestPipelinedRequests(t *testing.T) {
	t.Parallel()
	l, _ := quietServer(t, func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "<%s>", r.URL.Path) })
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	var all strings.Builder
	for i := range 20 {
		last := ""
		if i == 19 {
			last = "Connection: close\r\n"
		}
		fmt.Fprintf(&all, "GET /%d HTTP/1.1\r\nHost: x\r\n%s\r\n", i, last)
	}
	io.WriteString(c, all.String())
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if !strings.Contains(string(b), fmt.Sprintf("</%d>", i)) {
			t.Errorf("no answer to request %d", i)
		}
	}
}

// TestHasLeft: a connection tells a client that has left from one that waits, and reads nothing.
func TestHasLeft(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limitListener(inner, connectionLimits{}.filled(), true, hclog.NewNullLogger())
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	q, ok := c.(quietConn)
	if !ok {
		t.Fatalf("a plain connection is a %T", c)
	}
	if q.hasLeft() {
		t.Error("a client that waits has left")
	}
	client.Write([]byte("hello"))
	b := make([]byte, 5)
	if q.hasLeft() {
		t.Error("a client that writes has left")
	}
	if _, err := io.ReadFull(q, b); err != nil || string(b) != "hello" {
		t.Errorf("read %q, %v", b, err)
	}
	client.Close()
	for i := 0; !q.hasLeft(); i++ {
		if i == 1000 {
			t.Fatal("a client that has left is not noticed")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if connContext(context.Background(), client) != context.Background() {
		t.Error("another connection got a context of its own")
	}
}
