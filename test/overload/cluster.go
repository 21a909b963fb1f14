package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// startTimeout bounds the making of a cluster, and stopTimeout its end.
const (
	startTimeout = time.Minute
	stopTimeout  = 20 * time.Second
)

// node is one process.
type node struct {
	url, log string
	cmd      *exec.Cmd
	done     chan struct{} // closed when the process has ended
}

func (n *node) ended() bool {
	select {
	case <-n.done:
		return true
	default:
		return false
	}
}

// tail is the end of its log.
func (n *node) tail() string {
	b, err := os.ReadFile(n.log)
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-2000):])
}

// cluster is processes that form one, and its root token.
type cluster struct {
	nodes []*node
	root  string
}

func (c *cluster) addresses() []string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, n.url)
	}
	return all
}

// startCluster returns when all nodes vote.
func startCluster(ctx context.Context, grove, dir string, size int) (*cluster, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	ports, err := freePorts(3 * size)
	if err != nil {
		return nil, err
	}
	c := &cluster{}
	for i := range size {
		n, err := startNode(grove, filepath.Join(dir, "n"+strconv.Itoa(i+1)), i, ports)
		if err != nil {
			return nil, errors.Join(err, c.stop())
		}
		c.nodes = append(c.nodes, n)
	}
	if err := c.form(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("%w; the first node's log ends with\n%s", err, c.nodes[0].tail()), c.stop())
	}
	return c, nil
}

// freePorts finds n ports in a row.
func freePorts(n int) (int, error) {
	for base := 20000 + os.Getpid()%5000; base < 31000; base += n {
		var ls []net.Listener
		for p := base; p < base+n; p++ {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p))
			if err != nil {
				break
			}
			ls = append(ls, l)
		}
		for _, l := range ls {
			l.Close()
		}
		if len(ls) == n {
			return base, nil
		}
	}
	return 0, fmt.Errorf("no %d free ports in a row", n)
}

// startNode starts node i of those whose ports begin at base: API, cluster and gossip, three each.
func startNode(grove, dir string, i, base int) (*node, error) {
	api := base + 3*i
	text := fmt.Sprintf("listener \"tcp\" {\n  address = \"127.0.0.1:%d\"\n  cluster_address = \"127.0.0.1:%d\"\n  tls_disable = true\n}\n", api, api+1)
	text += fmt.Sprintf("api_addr = \"http://127.0.0.1:%d\"\ncluster_key = \"the cluster key of these processes\"\nlog_level = \"warn\"\n", api)
	text += fmt.Sprintf("storage \"raft\" {\n  path = %q\n  node_id = \"n%d\"\n", filepath.Join(dir, "data"), i+1)
	if i > 0 {
		text += fmt.Sprintf("  retry_join { leader_api_addr = \"http://127.0.0.1:%d\" }\n", base)
	}
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "grove.hcl")
	if err := os.WriteFile(config, []byte(text+"}\n"), 0o600); err != nil {
		return nil, err
	}
	n := &node{url: fmt.Sprintf("http://127.0.0.1:%d", api), log: filepath.Join(dir, "log"), done: make(chan struct{})}
	log, err := os.Create(n.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	n.cmd = exec.Command(grove, "server", "-config="+config)
	n.cmd.Stdout, n.cmd.Stderr = log, log
	if err := n.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		n.cmd.Wait()
		close(n.done)
	}()
	return n, nil
}

// form makes a cluster of the nodes, and waits until all of them vote.
func (c *cluster) form(ctx context.Context) error {
	first := c.nodes[0].url + "/v1/"
	err := poll(ctx, func() bool {
		status, answer := ask(ctx, http.MethodPut, first+"sys/init", "", `{"secret_shares":1,"secret_threshold":1}`)
		c.root, _ = answer["root_token"].(string)
		return status == http.StatusOK
	})
	if err != nil {
		return fmt.Errorf("initializing: %w", err)
	}
	return poll(ctx, func() bool {
		for _, n := range c.nodes {
			if status, _ := ask(ctx, http.MethodGet, n.url+"/v1/auth/token/lookup-self", c.root, ""); status != http.StatusOK {
				return false
			}
		}
		_, answer := ask(ctx, http.MethodGet, first+"sys/storage/raft/configuration", c.root, "")
		b, err := json.Marshal(answer["data"])
		return err == nil && strings.Count(string(b), `"voter":true`) == len(c.nodes)
	})
}

func poll(ctx context.Context, ok func() bool) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// ask returns status and body of an answer, 0 if there is none.
func ask(ctx context.Context, method, url, token, body string) (int, map[string]any) {
	rq, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		return 0, nil
	}
	rq.Header.Set("X-Vault-Token", token)
	rs, err := http.DefaultClient.Do(rq)
	if err != nil {
		return 0, nil
	}
	defer rs.Body.Close()
	var answer map[string]any
	if json.NewDecoder(rs.Body).Decode(&answer) != nil {
		return 0, nil
	}
	return rs.StatusCode, answer
}

// stop ends the processes: asks first, and kills those that do not listen.
func (c *cluster) stop() error {
	var wg sync.WaitGroup
	for _, n := range c.nodes {
		wg.Go(func() {
			n.cmd.Process.Signal(syscall.SIGTERM)
			select {
			case <-n.done:
			case <-time.After(stopTimeout):
				n.cmd.Process.Kill()
				<-n.done
			}
		})
	}
	wg.Wait()
	return nil
}

// watch notes the memory of every node once a second, until the function that it returns is called.
func watch(ctx context.Context, c *cluster) func() [][]int {
	ctx, cancel := context.WithCancel(ctx)
	rss := make([][]int, len(c.nodes))
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			for i, n := range c.nodes {
				rss[i] = append(rss[i], resident(n.cmd.Process.Pid))
			}
		}
	}()
	return func() [][]int {
		cancel()
		<-done
		return rss
	}
}

// resident is the resident memory of a process in MB, 0 if it has ended.
func resident(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, rest, ok := strings.Cut(string(b), "VmRSS:")
	if !ok {
		return 0
	}
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		return 0
	}
	return kb >> 10
}
