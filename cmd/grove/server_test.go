package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a run of `grove server` in this process.
type server struct {
	addrs  []string // API
	root   string
	stderr *lockedBuffer
	stdout *lockedBuffer
	stop   context.CancelFunc
	code   chan int
}

// lockedBuffer is written by a server while a test reads it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startServer returns when the server serves.
func startServer(t *testing.T, vars map[string]string, hangup chan os.Signal, args ...string) *server {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &server{stdout: &lockedBuffer{}, stderr: &lockedBuffer{}, stop: cancel, code: make(chan int, 1)}
	ready := make(chan struct{})
	env := &environment{
		devMultiplier: 4,
		stdin:         strings.NewReader(""), stdout: s.stdout, stderr: s.stderr, getenv: func(k string) string { return vars[k] },
		hangup: func() <-chan os.Signal { return hangup },
		ready: func(addrs []string, root string) {
			s.addrs, s.root = addrs, root
			close(ready)
		},
	}
	go func() { s.code <- run(ctx, append([]string{"server"}, args...), env) }()
	select {
	case <-ready:
	case code := <-s.code:
		cancel()
		t.Fatalf("the server ended with %d:\n%s", code, s.stderr)
	case <-time.After(time.Minute):
		cancel()
		t.Fatalf("the server does not come up:\n%s", s.stderr)
	}
	t.Cleanup(cancel)
	return s
}

// end stops the server and returns its exit code.
func (s *server) end(t *testing.T) int {
	t.Helper()
	s.stop()
	select {
	case code := <-s.code:
		return code
	case <-time.After(30 * time.Second):
		t.Fatalf("the server does not stop:\n%s", s.stderr)
		return -1
	}
}

// grove runs a client command that must succeed, and returns its output.
func grove(t *testing.T, addr, token string, args ...string) string {
	t.Helper()
	r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": addr, "VAULT_TOKEN": token}, "", args...)
	if r.code != 0 {
		t.Fatalf("grove %q at %s: code %d\n%s", args, addr, r.code, r.errOut)
	}
	return r.out
}

// denied runs a client command that the API must refuse.
func denied(t *testing.T, addr, token string, args ...string) {
	t.Helper()
	r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": addr, "VAULT_TOKEN": token}, "", args...)
	if r.code != 2 || !strings.Contains(r.errOut, "Code: 403") {
		t.Fatalf("grove %q at %s: %+v, want code 2 and a 403", args, addr, r)
	}
}

// eventually polls until ok.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	if err := poll(t.Context(), what, ok); err != nil {
		t.Fatal(err)
	}
}
