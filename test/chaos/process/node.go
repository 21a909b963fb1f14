package process

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// node is one server process with its folder.
type node struct {
	bin, name, url, config, log string

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{}
}

// newNode writes the configuration of node i. Snapshots are frequent, so that restarts go through them.
func newNode(bin, dir string, i int, ports []int) (*node, error) {
	port := ports[i]
	n := &node{bin: bin, name: fmt.Sprintf("n%d", i+1), url: fmt.Sprintf("http://127.0.0.1:%d", port), config: filepath.Join(dir, "grove.hcl"), log: filepath.Join(dir, "log")}
	var joins strings.Builder
	for _, p := range ports {
		if p != port {
			fmt.Fprintf(&joins, "  retry_join { leader_api_addr = \"http://127.0.0.1:%d\" }\n", p)
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
  snapshot_threshold = 400
  snapshot_interval  = "2s"
  trailing_logs      = 100
%[5]s}
api_addr     = "http://127.0.0.1:%[1]d"
cluster_addr = "http://127.0.0.1:%[2]d"
cluster_key  = "the cluster key of these processes"
log_level    = "info"
`, port, port+1, filepath.Join(dir, "data"), n.name, joins.String())
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		return nil, err
	}
	return n, os.WriteFile(n.config, []byte(text), 0o600)
}

// start runs the process; its log goes on.
func (n *node) start() error {
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	n.mu.Lock()
	defer n.mu.Unlock()
	cmd, exited := exec.Command(n.bin, "server", "-config="+n.config), make(chan struct{})
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for the run
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", n.name, err)
	}
	n.cmd, n.exited = cmd, exited
	go func() {
		cmd.Wait() // how it ended is the signal's business
		close(exited)
	}()
	return nil
}

func (n *node) running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		return false
	}
	select {
	case <-n.exited:
		return false
	default:
		return true
	}
}

// signal sends s to the process, if there is one.
func (n *node) signal(s syscall.Signal) chan struct{} {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cmd == nil {
		done := make(chan struct{})
		close(done)
		return done
	}
	n.cmd.Process.Signal(s) // one that has ended is no news
	return n.exited
}

// kill ends the process as a power cut of its host does, but for what the system still writes.
func (n *node) kill() { <-n.signal(syscall.SIGKILL) }

func (n *node) pause()  { n.signal(syscall.SIGSTOP) }
func (n *node) resume() { n.signal(syscall.SIGCONT) }

// terminate asks the process to end, and kills it when it does not.
func (n *node) terminate() error {
	exited := n.signal(syscall.SIGTERM)
	select {
	case <-exited:
		return nil
	case <-time.After(60 * time.Second):
		n.kill()
		return fmt.Errorf("%s did not end within a minute after SIGTERM", n.name)
	}
}

// freePorts finds a port of which the next two are free too: API, cluster, gossip. All are below those
// that the system gives to outgoing connections, so that none takes the port of a node that is down.
func freePorts(taken []int) (int, error) {
	for range 200 {
		p := 12000 + 3*rand.IntN(6000)
		free := true
		for _, t := range taken {
			free = free && t != p
		}
		for i := range 3 {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", p+i))
			if err != nil {
				free = false
				break
			}
			l.Close()
		}
		if free {
			return p, nil
		}
	}
	return 0, errors.New("no three free ports in a row")
}
