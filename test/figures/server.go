package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// server is one cluster, or the null server: processes that serve one set of tokens.
type server struct {
	name  string
	urls  []string
	token string // that may make others
	procs []*process
	http  *http.Client

	paused bool
}

// serverConfig is what the servers of a run have in common.
type serverConfig struct {
	grove string
	dir   string       // for data and logs
	procs int          // GOMAXPROCS of each node of several
	cert  *certificate // nil: plain HTTP
}

func (c *serverConfig) scheme() string {
	if c.cert != nil {
		return "https"
	}
	return "http"
}

// client asks the servers what is not measured.
func (c *serverConfig) client() (*http.Client, error) {
	if c.cert == nil {
		return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{}}, nil
	}
	pem, err := os.ReadFile(c.cert.authority)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem) // written by newCertificate
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}}, nil
}

// startGrove brings up a cluster of n processes that share a cluster key. It is returned with an
// error too, if there is something to stop.
func (c *serverConfig) startGrove(ctx context.Context, name string, n int) (*server, error) {
	const step = 3 // ports a node: API, cluster, gossip
	base, err := freePorts(step * n)
	if err != nil {
		return nil, err
	}
	s := &server{name: name}
	if s.http, err = c.client(); err != nil {
		return nil, err
	}
	for i := range n {
		s.urls = append(s.urls, fmt.Sprintf("%s://127.0.0.1:%d", c.scheme(), base+step*i))
	}
	folder, err := os.MkdirTemp(c.dir, "cluster-")
	if err != nil {
		return nil, err
	}
	secret := rand.Text() + rand.Text()
	for i := range n {
		file := filepath.Join(folder, fmt.Sprintf("n%d.hcl", i+1))
		if err := os.WriteFile(file, []byte(c.node(s.urls, i, base+step*i, folder)), 0o600); err != nil {
			return s, err
		}
		env := []string{"GROVE_CLUSTER_KEY=" + secret}
		if n > 1 {
			env = append(env, fmt.Sprintf("GOMAXPROCS=%d", c.procs))
		}
		p, err := startProcess(file+".log", env, c.grove, "server", "-config="+file)
		if err != nil {
			return s, err
		}
		s.procs = append(s.procs, p)
	}
	return s, s.initialize(ctx)
}

// node is the configuration of a node.
func (c *serverConfig) node(urls []string, i, port int, folder string) string {
	listener, authority := "tls_disable = true", ""
	if c.cert != nil {
		listener = fmt.Sprintf("tls_cert_file = %q\n  tls_key_file = %q", c.cert.cert, c.cert.key)
		authority = fmt.Sprintf(" leader_ca_cert_file = %q", c.cert.authority)
	}
	var joins strings.Builder
	for j, u := range urls {
		if j != i {
			fmt.Fprintf(&joins, "  retry_join {\n    leader_api_addr = %q\n   %s\n  }\n", u, authority)
		}
	}
	return fmt.Sprintf(`listener "tcp" {
  address         = "127.0.0.1:%[1]d"
  cluster_address = "127.0.0.1:%[2]d"
  %[3]s
}
storage "raft" {
  path    = %[4]q
  node_id = "n%[5]d"
%[6]s}
api_addr     = %[7]q
cluster_addr = "https://127.0.0.1:%[2]d"
log_level    = "warn"
`, port, port+1, listener, filepath.Join(folder, fmt.Sprintf("data%d", i+1)), i+1, joins.String(), urls[i])
}

// startDev brings up a development cluster of three nodes in one process.
func (c *serverConfig) startDev(ctx context.Context) (*server, error) {
	const step, nodes = 10, 3
	base, err := freePorts(step * nodes)
	if err != nil {
		return nil, err
	}
	s := &server{name: devNode, token: "root"}
	if s.http, err = c.client(); err != nil {
		return nil, err
	}
	for i := range nodes {
		s.urls = append(s.urls, fmt.Sprintf("http://127.0.0.1:%d", base+step*i))
	}
	p, err := startProcess(filepath.Join(c.dir, "dev.log"), nil, c.grove, "server", "-dev", fmt.Sprintf("-dev-nodes=%d", nodes),
		"-dev-root-token-id=root", fmt.Sprintf("-dev-listen-address=127.0.0.1:%d", base))
	if err != nil {
		return nil, err
	}
	s.procs = []*process{p}
	return s, s.awaitVoters(ctx)
}

// startNull brings up a null server: the generator's own, if that can serve what is asked for.
func (c *serverConfig) startNull(ctx context.Context, generator string) (*server, error) {
	port, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	name, args := c.grove, []string{"bench", "-null=" + addr}
	switch {
	case c.cert != nil:
		args = append(args, "-null-cert="+c.cert.cert, "-null-key="+c.cert.key)
	case generator != "":
		name, args = generator, []string{"-null", addr}
	}
	p, err := startProcess(filepath.Join(c.dir, "null.log"), nil, name, args...)
	if err != nil {
		return nil, err
	}
	s := &server{name: null, urls: []string{c.scheme() + "://" + addr}, token: "root", procs: []*process{p}}
	return s, await(ctx, "the null server listens", s.procs, func() bool { return answers(s.urls[0]) })
}

func (s *server) stop() {
	s.signal(syscall.SIGCONT)
	for _, p := range s.procs {
		p.stop()
	}
}

func (s *server) signal(sig os.Signal) {
	for _, p := range s.procs {
		p.cmd.Process.Signal(sig) // fails if it has ended, which others notice
	}
}

// pause freezes a cluster while another server is measured: the heartbeats of three idle nodes take
// processor time from it, most of all from null. A node alone has none, and is left as it is.
func (s *server) pause() {
	if len(s.urls) > 1 && !s.paused {
		s.signal(syscall.SIGSTOP)
		s.paused = true
	}
}

// settleTime is how long the leader of a cluster that goes on must have been the same.
const settleTime = time.Second

// resume lets a cluster go on, and waits until it has settled: its nodes find that they have not heard
// of each other for long, and may elect another leader.
func (s *server) resume(ctx context.Context) error {
	if !s.paused {
		return nil
	}
	s.signal(syscall.SIGCONT)
	s.paused = false
	leader, since := "", time.Now()
	return await(ctx, s.name+" has settled", s.procs, func() bool {
		now, err := s.leader(ctx)
		if err != nil || now != leader || s.votes(ctx) < len(s.urls) {
			leader, since = now, time.Now()
		}
		return time.Since(since) >= settleTime
	})
}

func (s *server) pids() []int {
	var all []int
	for _, p := range s.procs {
		all = append(all, p.cmd.Process.Pid)
	}
	return all
}

// initialize makes the cluster through its first node, and waits for the others.
func (s *server) initialize(ctx context.Context) error {
	first := s.urls[0]
	err := await(ctx, "the first node answers", s.procs, func() bool {
		_, err := s.ask(ctx, http.MethodGet, first+"/v1/sys/seal-status", nil)
		return err == nil
	})
	if err != nil {
		return err
	}
	a, err := s.ask(ctx, http.MethodPut, first+"/v1/sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1})
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	if s.token, _ = a["root_token"].(string); s.token == "" {
		return errors.New("init: the answer has no root token")
	}
	return s.awaitVoters(ctx)
}

// awaitVoters waits until every node takes requests, and has a vote.
func (s *server) awaitVoters(ctx context.Context) error {
	return await(ctx, fmt.Sprintf("%d nodes vote", len(s.urls)), s.procs, func() bool { return s.votes(ctx) == len(s.urls) })
}

// votes is how many nodes have a vote; 0 unless every node takes requests.
func (s *server) votes(ctx context.Context) int {
	for _, u := range s.urls {
		if _, err := s.ask(ctx, http.MethodGet, u+"/v1/auth/token/lookup-self", nil); err != nil {
			return 0
		}
	}
	a, err := s.ask(ctx, http.MethodGet, s.urls[0]+"/v1/sys/storage/raft/configuration", nil)
	if err != nil {
		return 0
	}
	data, _ := a["data"].(map[string]any)
	config, _ := data["config"].(map[string]any)
	servers, _ := config["servers"].([]any)
	voters := 0
	for _, e := range servers {
		if m, _ := e.(map[string]any); m["voter"] == true {
			voters++
		}
	}
	return voters
}

// leader returns the URL of the node that leads.
func (s *server) leader(ctx context.Context) (string, error) {
	if len(s.urls) == 1 {
		return s.urls[0], nil
	}
	found := ""
	err := await(ctx, "a node leads", s.procs, func() bool {
		for _, u := range s.urls {
			if a, err := s.ask(ctx, http.MethodGet, u+"/v1/sys/leader", nil); err == nil && a["is_self"] == true {
				found = u
			}
		}
		return found != ""
	})
	return found, err
}

// ask makes one request as the root token.
func (s *server) ask(ctx context.Context, method, url string, body map[string]any) (map[string]any, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	if body == nil {
		b = nil
	}
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	if s.token != "" {
		req.Header.Set("X-Vault-Token", s.token)
	}
	resp, err := s.http.Do(req)
	if err != nil {
		return nil, err
	}
	b, err = io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s %s", method, url, resp.Status, b)
	}
	var a map[string]any
	return a, json.Unmarshal(b, &a)
}
