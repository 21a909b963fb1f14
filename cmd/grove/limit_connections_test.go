package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestConnectionLimits(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limitListener(inner, connectionLimits{Total: 3, PerClient: 2}, true, hclog.NewNullLogger())
	accepted := make(chan net.Conn, 8)
	go func() {
		defer close(accepted)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func(from string) net.Conn {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Deadline: time.Now().Add(30 * time.Second)}
		c, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		c.SetDeadline(time.Now().Add(30 * time.Second))
		t.Cleanup(func() { c.Close() })
		return c
	}
	refused := func(c net.Conn) {
		t.Helper()
		r, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		if err != nil || r.StatusCode != 503 || r.Header.Get("Retry-After") != "1" || !strings.Contains(string(b), "too many connections") {
			t.Errorf("refusal: %v %d %v %q", err, r.StatusCode, r.Header, b)
		}
	}
	dial("127.0.0.1")
	first := <-accepted
	dial("127.0.0.1")
	<-accepted
	refused(dial("127.0.0.1")) // of one client
	dial("127.0.0.2")
	<-accepted
	refused(dial("127.0.0.2")) // of all
	first.Close()
	first.Close() // counts once
	dial("127.0.0.2")
	last := <-accepted
	refused(dial("127.0.0.3"))
	last.Close()
	inner.Close()
	for range accepted {
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open != 2 || len(l.clients) != 2 {
		t.Errorf("%d open of %v, want 2 of two clients", l.open, l.clients)
	}
}

func TestClientOf(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"192.0.2.1:1": "192.0.2.1", "[::ffff:192.0.2.1]:1": "192.0.2.1", "[2001:db8:1:2:3::4]:1": "2001:db8:1:2::", "[fe80::1%lo]:1": "fe80::",
	} {
		a, err := net.ResolveTCPAddr("tcp", in)
		if err != nil {
			t.Fatal(err)
		}
		if got := clientOf(a).String(); got != want {
			t.Errorf("client of %s is %s, want %s", in, got, want)
		}
	}
}

func TestConnectionsFitOpenFiles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		files       int
		configured  []connectionLimits
		want        []connectionLimits
		wantWarning bool
	}{
		{"room", 1 << 20, []connectionLimits{{}}, []connectionLimits{{16384, 8192}}, false},
		{"unknown", 0, []connectionLimits{{}}, []connectionLimits{{16384, 8192}}, false},
		{"just enough", 1512, []connectionLimits{{1000, 10}}, []connectionLimits{{1000, 10}}, false},
		{"too low", 1024, []connectionLimits{{}}, []connectionLimits{{512, 512}}, true},
		{"very low", 256, []connectionLimits{{1000, 10}}, []connectionLimits{{128, 10}}, true},
		{"two listeners", 1024, []connectionLimits{{3000, 0}, {1000, 0}}, []connectionLimits{{384, 384}, {128, 128}}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out lockedBuffer
			var ls []listenerConfig
			for _, l := range c.configured {
				ls = append(ls, listenerConfig{connections: l})
			}
			fit(ls, c.files, hclog.New(&hclog.LoggerOptions{Output: &out}))
			for i, l := range ls {
				if l.connections != c.want[i] {
					t.Errorf("listener %d: %+v, want %+v", i, l.connections, c.want[i])
				}
			}
			if warned := strings.Contains(out.String(), "open files is too low"); warned != c.wantWarning {
				t.Errorf("warning: %q, want one: %v", out.String(), c.wantWarning)
			}
		})
	}
}

func TestLimitOptions(t *testing.T) {
	t.Parallel()
	load := func(top, listener string) (*config, error) {
		dir := writeFiles(t, map[string]string{"a.hcl": someStorage + top + "\nlistener \"tcp\" {\n  tls_disable = true\n" + listener + "\n}\n"})
		c, _, err := loadConfig([]string{dir}, testEnv(nil))
		return c, err
	}
	c, err := load("max_requests = 10\nmax_requests_waiting = 20\nmax_request_wait = \"3s\"\nmax_body_memory = 67108864\nlogin_rate = -1", "max_connections = 100\nmax_connections_per_client = 30")
	if err != nil {
		t.Fatal(err)
	}
	if l := c.Limits; l.Requests != 10 || l.Waiting != 20 || l.Wait != 3*time.Second || l.BodyBytes != 64<<20 || l.LoginRate != -1 {
		t.Errorf("limits are %+v", l)
	}
	if got := c.Listeners[0].Connections; got != (connectionLimits{100, 30}) {
		t.Errorf("connections are %+v", got)
	}
	for listener, part := range map[string]string{
		"max_connections = -1":                                "cannot be negative",
		"max_connections = 5\nmax_connections_per_client = 6": "is above max_connections",
		"max_connections = \"many\"":                          "want a whole number",
	} {
		if _, err := load("", listener); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%s: error %v, want %q", listener, err, part)
		}
	}
}
