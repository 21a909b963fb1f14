package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// node is a server process with its folder.
type node struct {
	bin, dir, name string
	api, peer      string // addresses
	root           string // the root token
	cmd            *exec.Cmd
	exited         chan error // its end
	kills          int        // each may have ended a snapshot
}

var client = &http.Client{Timeout: 60 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// newNode writes the configuration of a node, which joins the others unless there are none.
func newNode(bin, dir, name string, options string, others ...*node) (*node, error) {
	port, err := freePorts()
	if err != nil {
		return nil, err
	}
	n := &node{bin: bin, dir: filepath.Join(dir, name), name: name}
	n.api, n.peer = fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("127.0.0.1:%d", port+1)
	var joins strings.Builder
	for _, o := range others {
		fmt.Fprintf(&joins, "  retry_join { leader_api_addr = \"http://%s\" }\n", o.api)
		n.root = o.root
	}
	text := fmt.Sprintf(`
listener "tcp" {
  address         = %[1]q
  cluster_address = %[2]q
  tls_disable     = true
}
storage "raft" {
  path    = %[3]q
  node_id = %[4]q
  %[5]s
%[6]s}
api_addr     = "http://%[1]s"
cluster_addr = "http://%[2]s"
cluster_key  = "the cluster key of these processes"
log_level    = "debug"
log_format   = "json"
`, n.api, n.peer, n.data(), name, options, joins.String())
	if err := os.MkdirAll(n.data(), 0o700); err != nil {
		return nil, err
	}
	return n, os.WriteFile(n.config(), []byte(text), 0o600)
}

func (n *node) data() string   { return filepath.Join(n.dir, "data") }
func (n *node) config() string { return filepath.Join(n.dir, "grove.hcl") }
func (n *node) log() string    { return filepath.Join(n.dir, "log") }

// freePorts finds a port of which the next two are free too: API, cluster, gossip. All are below those
// that the system gives to outgoing connections: one could take the port of a node that is down.
func freePorts() (int, error) {
	for range 100 {
		if p, ok := threePorts(); ok {
			return p, nil
		}
	}
	return 0, errors.New("no three free ports in a row")
}

func threePorts() (int, bool) {
	p := 20000 + rand.IntN(12000)
	for i := range 3 {
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p+i))
		if err != nil {
			return 0, false
		}
		defer next.Close()
	}
	return p, true
}

// start runs the process; its log goes on.
func (n *node) start() error {
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd = exec.Command(n.bin, "server", "-config="+n.config())
	n.cmd.Stdout, n.cmd.Stderr = log, log
	if err := n.cmd.Start(); err != nil {
		n.cmd = nil
		return err
	}
	exited, cmd := make(chan error, 1), n.cmd
	n.exited = exited
	go func() { exited <- cmd.Wait() }()
	return nil
}

// running returns an error with the end of the log if the process has ended by itself.
func (n *node) running() error {
	select {
	case err := <-n.exited:
		n.exited <- err
		text, _ := os.ReadFile(n.log())
		return fmt.Errorf("%s has ended: %w; its log ends with\n%s", n.name, err, text[max(0, len(text)-2000):])
	default:
		return nil
	}
}

// end stops the process, with a signal.
func (n *node) end(s os.Signal) {
	if n.cmd == nil {
		return
	}
	n.cmd.Process.Signal(s)
	n.kills++
	<-n.exited // its exit code is the signal's business
	n.cmd = nil
}

// kill ends the process as a power cut does.
func (n *node) kill() { n.end(syscall.SIGKILL) }

// call sends a request and decodes the answer; an error if it is not a success.
func (n *node) call(method, path, as string, body any) (map[string]any, error) {
	var rd io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		rd = bytes.NewReader(b)
	}
	req, err := http.NewRequest(method, "http://"+n.api+"/v1/"+path, rd)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Vault-Token", as)
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, &refusal{resp.StatusCode, string(text)}
	}
	var out map[string]any
	if len(text) > 0 {
		err = json.Unmarshal(text, &out)
	}
	return out, err
}

// refusal is an answer that is no success.
type refusal struct {
	code int
	text string
}

// Error implements error.
func (r *refusal) Error() string { return fmt.Sprintf("status %d: %s", r.code, r.text) }

// dead reports whether err says that a token does not live.
func dead(err error) bool {
	var r *refusal
	return errors.As(err, &r) && r.code == http.StatusForbidden
}

// lookup looks up a token with itself.
func (n *node) lookup(id string) error {
	_, err := n.call("GET", "auth/token/lookup-self", id, nil)
	return err
}

// serve starts the node and waits until the API answers; it returns how long that took.
func (n *node) serve() (time.Duration, error) {
	begin := time.Now()
	if err := n.start(); err != nil {
		return 0, err
	}
	err := until(n.name+" answers", func() (bool, error) { return n.lookup(n.root) == nil, n.running() })
	return time.Since(begin), err
}

// found starts the first node and makes the cluster.
func (n *node) found() error {
	if err := n.start(); err != nil {
		return err
	}
	return until("init of "+n.name, func() (bool, error) {
		a, err := n.call("PUT", "sys/init", "", map[string]any{"secret_shares": 1, "secret_threshold": 1})
		if err != nil {
			return false, n.running() // not yet
		}
		n.root, _ = a["root_token"].(string)
		return true, nil
	})
}

// resident returns the memory of the process in bytes.
func (n *node) resident() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", n.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if found, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); found == 1 {
			return kb * 1024, nil
		}
	}
	return 0, errors.New("no VmRSS in the status of the process")
}

// patience bounds every wait of the program.
const patience = 5 * time.Minute

// pause is a part of what is measured: a load, or a time for a server to come to rest.
func pause(d time.Duration) { <-time.After(d) }

// until polls until ok or an error.
func until(what string, ok func() (bool, error)) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		done, err := ok()
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", what, err)
		case done:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%s: not within %s", what, patience)
		}
	}
}
