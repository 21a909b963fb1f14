package process

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// resident is the resident memory of a node's process in MB.
func (nd *node) resident(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", nd.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest + " x")[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb >> 10
}

// files is how many files a node's process has open.
func (nd *node) files(t *testing.T) int {
	t.Helper()
	es, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", nd.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(es)
}

// from makes a client of an address of loopback.
func from(t *testing.T, ip string) *http.Client {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: 30 * time.Second}
	tr := &http.Transport{DialContext: d.DialContext, MaxIdleConnsPerHost: 64}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Timeout: time.Minute, Transport: tr}
}

// lookup looks a token up with itself, and returns the answer without its body.
func lookup(c *http.Client, nd *node, token string) (*http.Response, error) {
	rq, err := http.NewRequest("GET", nd.addr+"/v1/auth/token/lookup-self", nil)
	if err != nil {
		return nil, err
	}
	rq.Header.Set("X-Vault-Token", token)
	rs, err := c.Do(rq)
	if err != nil {
		return nil, err
	}
	defer rs.Body.Close()
	_, err = io.Copy(io.Discard, rs.Body)
	return rs, err
}

// TestFlood: while a client with a thousand connections floods a node, and is refused for the most
// part, another client is never refused.
func TestFlood(t *testing.T) {
	t.Parallel()
	c := start(t, 1, "max_requests = 4", "max_requests_waiting = 64", `max_request_wait = "1m"`)
	nd := c.nodes[0]
	// Every request is a write: it stays in work for a sync of the disk.
	token := c.create(nd, c.root, map[string]any{"policies": []string{"default"}, "ttl": "1h", "num_uses": 100_000_000})
	request := "GET /v1/auth/token/lookup-self HTTP/1.1\r\nHost: x\r\nX-Vault-Token: " + token + "\r\n\r\n"
	var served, refused, wrong atomic.Int64
	var flood sync.WaitGroup
	end := make(chan struct{})
	for range 1000 {
		flood.Go(func() {
			conn, err := net.DialTimeout("tcp", strings.TrimPrefix(nd.addr, "http://"), 30*time.Second)
			if err != nil {
				wrong.Add(1)
				return
			}
			defer conn.Close()
			in := bufio.NewReaderSize(conn, 2048)
			for {
				select {
				case <-end:
					return
				default:
				}
				conn.SetDeadline(time.Now().Add(time.Minute))
				io.WriteString(conn, request)
				rs, err := http.ReadResponse(in, nil)
				if err != nil {
					wrong.Add(1)
					return
				}
				io.Copy(io.Discard, rs.Body)
				switch {
				case rs.StatusCode == 200:
					served.Add(1)
				case rs.StatusCode == 503 && rs.Header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					wrong.Add(1)
				}
			}
		})
	}
	c.await("the flood is refused", func() bool { return refused.Load() > 1000 })
	other := from(t, "127.0.0.2")
	for range 50 {
		if rs, err := lookup(other, nd, token); err != nil || rs.StatusCode != 200 {
			t.Errorf("another client: %v %v, want 200", err, rs)
			break
		}
	}
	close(end)
	flood.Wait()
	if wrong.Load() > 0 || served.Load() == 0 {
		t.Errorf("the flood: %d served, %d refused, %d got something else", served.Load(), refused.Load(), wrong.Load())
	}
	t.Logf("the flood: %d served, %d refused; memory %d MB", served.Load(), refused.Load(), nd.resident(t))
	if mb := nd.resident(t); mb > 512 {
		t.Errorf("%d MB, at most 512", mb)
	}
}

// TestSlowClients: clients that send their headers or bodies slowly, or do not read, hold nothing
// that others need.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	c := start(t, 1, "max_requests = 4", "max_requests_waiting = 64")
	nd := c.nodes[0]
	head := "/v1/auth/token/create HTTP/1.1\r\nHost: x\r\nX-Vault-Token: " + c.root + "\r\n"
	whole := "GET /v1/auth/token/lookup-self HTTP/1.1\r\nHost: x\r\nX-Vault-Token: " + c.root + "\r\n\r\n"
	for _, text := range []string{
		"POST " + head, // headers without an end
		"POST " + head + "Content-Length: 1000\r\n\r\n{",                                 // a body that does not come
		"POST " + head + "Content-Length: 33000000\r\n\r\n" + strings.Repeat(" ", 1<<16), // a large one
		"LIST " + strings.Replace(head, "create", "accessors", 1),
		strings.Repeat(whole, 1000), // answers that nobody reads
	} {
		for range 100 {
			conn, err := net.DialTimeout("tcp", strings.TrimPrefix(nd.addr, "http://"), 30*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetWriteDeadline(time.Now().Add(30 * time.Second))
			if _, err := io.WriteString(conn, text); err != nil {
				t.Fatal(err)
			}
		}
	}
	other := from(t, "127.0.0.2")
	for range 200 {
		rs, err := lookup(other, nd, c.root)
		if err != nil || rs.StatusCode != 200 {
			t.Fatalf("another client: %v %v, want 200", err, rs)
		}
	}
	if mb := nd.resident(t); mb > 512 {
		t.Errorf("%d MB, at most 512", mb)
	}
}

// TestStoppedFollower: a follower whose process is stopped slows nobody else, and the others'
// memory and files do not grow with it. It goes on where it was.
func TestStoppedFollower(t *testing.T) {
	t.Parallel()
	c := start(t, 3)
	var leader, stopped *node
	c.await("a leader", func() bool { leader = c.leader(); return leader != nil })
	var others []*node
	for _, nd := range c.nodes {
		if nd != leader && stopped == nil {
			stopped = nd
			continue
		}
		others = append(others, nd)
	}
	memory, files := map[*node]int{}, map[*node]int{}
	load := func(requests int) (last string) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		var next atomic.Int64
		for w := range 32 {
			wg.Go(func() {
				for next.Add(1) <= int64(requests) {
					nd := others[w%len(others)]
					a, err := call("POST", nd.addr+"/v1/auth/token/create", c.root, map[string]any{"policies": []string{"default"}, "ttl": "1h"})
					if err != nil || a.code != 200 {
						t.Errorf("%s: %v %d %s", nd.name, err, a.code, a.raw)
						return
					}
					if a, err := call("GET", nd.addr+"/v1/auth/token/lookup-self", a.str("auth", "client_token"), nil); err != nil || a.code != 200 {
						t.Errorf("%s: %v %d %s", nd.name, err, a.code, a.raw)
						return
					}
					mu.Lock()
					last = a.str("auth", "client_token")
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		return last
	}
	load(1000)
	for _, nd := range others {
		memory[nd], files[nd] = nd.resident(t), nd.files(t)
	}
	if err := stopped.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	last := load(5000)
	for _, nd := range others {
		if mb := nd.resident(t); mb > 2*memory[nd]+128 {
			t.Errorf("%s: memory grew from %d to %d MB while a follower was stopped", nd.name, memory[nd], mb)
		}
		if n := nd.files(t); n > files[nd]+100 {
			t.Errorf("%s: open files grew from %d to %d while a follower was stopped", nd.name, files[nd], n)
		}
	}
	if err := stopped.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	c.await("the follower goes on", func() bool {
		a, err := call("GET", stopped.addr+"/v1/auth/token/lookup-self", last, nil)
		return err == nil && a.code == 200
	})
}
