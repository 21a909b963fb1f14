package process

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// node is one grove process.
type node struct {
	name, addr, config string
	mu                 sync.Mutex
	cmd                *exec.Cmd
	log                *os.File
}

// cluster is three processes and the root token of what they form.
type cluster struct {
	t     *testing.T
	bin   string
	nodes []*node
	root  string
}

var client = &http.Client{
	Timeout:   30 * time.Second,
	Transport: &http.Transport{MaxIdleConnsPerHost: 64},
}

// build compiles the binary once for all tests of the package.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "grove-process")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "grove")
	out, err := exec.Command("go", "build", "-o", bin, "github.com/tokengrove/grove/cmd/grove").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if bin, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(bin))
	}
	os.Exit(code)
}

// freePorts finds a base port of which the next two are free too: API, cluster, gossip.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		p := l.Addr().(*net.TCPAddr).Port
		ok := true
		for i := 1; i <= 2; i++ {
			n, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p+i))
			if err != nil {
				ok = false
				continue
			}
			defer n.Close()
		}
		defer l.Close()
		if ok {
			return p
		}
	}
	t.Fatal("no three free ports in a row")
	return 0
}

// start brings up n processes, initializes the first and waits until all are voters. options are
// more lines of their configuration.
func start(t *testing.T, n int, options ...string) *cluster {
	t.Helper()
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{t: t, bin: bin}
	var ports []int
	for range n {
		ports = append(ports, freePorts(t))
	}
	for i, p := range ports {
		c.nodes = append(c.nodes, newNode(t, i, p, ports, options))
	}
	t.Cleanup(func() {
		for _, nd := range c.nodes {
			nd.kill()
			if t.Failed() {
				t.Logf("%s ended its log with\n%s", nd.name, tail(nd.log.Name()))
			}
		}
	})
	for _, nd := range c.nodes {
		if err := nd.run(bin); err != nil {
			t.Fatal(err)
		}
	}
	c.initialize()
	return c
}

func newNode(t *testing.T, i, port int, ports []int, options []string) *node {
	t.Helper()
	dir := t.TempDir()
	nd := &node{name: fmt.Sprintf("n%d", i+1), addr: fmt.Sprintf("http://127.0.0.1:%d", port), config: filepath.Join(dir, "grove.hcl")}
	var joins strings.Builder
	for _, p := range ports {
		if p != port {
			fmt.Fprintf(&joins, "  retry_join {\n    leader_api_addr = \"http://127.0.0.1:%d\"\n  }\n", p)
		}
	}
	text := fmt.Sprintf(`
listener "tcp" {
  address         = "127.0.0.1:%[1]d"
  cluster_address = "127.0.0.1:%[2]d"
  tls_disable     = true
}
storage "raft" {
  path    = %[3]q
  node_id = %[4]q
%[5]s}
api_addr     = "http://127.0.0.1:%[1]d"
cluster_addr = "http://127.0.0.1:%[2]d"
cluster_key  = "the cluster key of these processes"
log_level    = "info"
`, port, port+1, filepath.Join(dir, "data"), nd.name, joins.String())
	text += strings.Join(options, "\n") + "\n"
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(nd.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	nd.log = log
	return nd
}

func (nd *node) run(bin string) error {
	nd.mu.Lock()
	defer nd.mu.Unlock()
	nd.cmd = exec.Command(bin, "server", "-config="+nd.config)
	nd.cmd.Stdout, nd.cmd.Stderr = nd.log, nd.log
	return nd.cmd.Start()
}

// kill ends the process the way a power cut does.
func (nd *node) kill() {
	nd.mu.Lock()
	defer nd.mu.Unlock()
	if nd.cmd == nil || nd.cmd.Process == nil {
		return
	}
	nd.cmd.Process.Kill()
	nd.cmd.Wait()
	nd.cmd = nil
}

func tail(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-3000):])
}

// answer is a decoded response.
type answer struct {
	code int
	body map[string]any
	raw  string
}

// str digs out a string by keys.
func (a answer) str(keys ...string) string {
	var v any = a.body
	for _, k := range keys {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	s, _ := v.(string)
	return s
}

func call(method, url, token string, body any) (answer, error) {
	// A body that cannot be rewound keeps net/http from sending a request again by itself
	// when a connection breaks: a use would be charged that no client asked for.
	var rd io.Reader = struct{ io.Reader }{bytes.NewReader(nil)}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		rd = struct{ io.Reader }{bytes.NewReader(b)}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, rd)
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	resp, err := client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}, err
	}
	a := answer{code: resp.StatusCode, raw: string(b)}
	if len(b) > 0 {
		json.Unmarshal(b, &a.body)
	}
	return a, nil
}

// await polls until ok, or fails the test at the deadline.
func (c *cluster) await(what string, ok func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(60 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
		if ok() {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("not within a minute: %s", what)
		}
	}
}

func (c *cluster) initialize() {
	c.t.Helper()
	first := c.nodes[0].addr
	c.await("the first node answers", func() bool {
		a, err := call("GET", first+"/v1/sys/health", "", nil)
		return err == nil && a.code == 501
	})
	a, err := call("PUT", first+"/v1/sys/init", "", map[string]any{"secret_shares": 1, "secret_threshold": 1})
	if err != nil || a.code != 200 || a.str("root_token") == "" {
		c.t.Fatalf("init: %v %d %s", err, a.code, a.raw)
	}
	c.root = a.str("root_token")
	c.awaitVoters(len(c.nodes))
}

// awaitVoters waits until every node is healthy and the configuration has n voters.
func (c *cluster) awaitVoters(n int) {
	c.t.Helper()
	c.await(fmt.Sprintf("%d healthy voters", n), func() bool {
		for _, nd := range c.nodes {
			a, err := call("GET", nd.addr+"/v1/sys/health", "", nil)
			if err != nil || a.code != 200 {
				return false
			}
		}
		a, err := call("GET", c.nodes[0].addr+"/v1/sys/storage/raft/configuration", c.root, nil)
		return err == nil && strings.Count(a.raw, `"voter":true`) == n
	})
}

// leader returns the node that leads now, or nil.
func (c *cluster) leader() *node {
	for _, nd := range c.nodes {
		a, err := call("GET", nd.addr+"/v1/sys/leader", "", nil)
		if self, _ := a.body["is_self"].(bool); err == nil && self {
			return nd
		}
	}
	return nil
}

// create makes a token through nd and returns it.
func (c *cluster) create(nd *node, as string, body map[string]any) string {
	c.t.Helper()
	a, err := call("POST", nd.addr+"/v1/auth/token/create", as, body)
	if err != nil || a.code != 200 {
		c.t.Fatalf("create: %v %d %s", err, a.code, a.raw)
	}
	return a.str("auth", "client_token")
}
