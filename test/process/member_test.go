package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// steady creates tokens through the first two nodes of c and looks them up on the other, until it is
// ended. Every request must succeed.
type steady struct {
	c       *cluster
	end     chan struct{}
	once    sync.Once
	wg      sync.WaitGroup
	mu      sync.Mutex
	made    []string
	longest time.Duration
}

func (c *cluster) steady() *steady {
	l := &steady{c: c, end: make(chan struct{})}
	for w := range 4 {
		l.wg.Go(func() { l.run(c.nodes[w%2], c.nodes[(w+1)%2]) })
	}
	return l
}

func (l *steady) run(a, b *node) {
	pace := time.NewTicker(20 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-l.end:
			return
		case <-pace.C:
		}
		begin := time.Now()
		r, err := call("POST", a.addr+"/v1/auth/token/create", l.c.root, map[string]any{"policies": []string{"default"}, "ttl": "1h"})
		if err != nil || r.code != 200 {
			l.c.t.Errorf("%s survives, and refuses a create: %v %d %s", a.name, err, r.code, r.raw)
			return
		}
		token := r.str("auth", "client_token")
		if r, err = call("GET", b.addr+"/v1/auth/token/lookup-self", token, nil); err != nil || r.code != 200 {
			l.c.t.Errorf("%s survives, and refuses a lookup: %v %d %s", b.name, err, r.code, r.raw)
			return
		}
		l.mu.Lock()
		l.made, l.longest = append(l.made, token), max(l.longest, time.Since(begin))
		l.mu.Unlock()
	}
}

// halt ends the load.
func (l *steady) halt() {
	l.once.Do(func() { close(l.end) })
	l.wg.Wait()
}

// stop ends the load, and looks up everything that was acknowledged through nd.
func (l *steady) stop(nd *node) {
	l.halt()
	for _, token := range l.made {
		if r, err := call("GET", nd.addr+"/v1/auth/token/lookup-self", token, nil); err != nil || r.code != 200 {
			l.c.t.Fatalf("an acknowledged token on %s: %v %d %s", nd.name, err, r.code, r.raw)
		}
	}
	l.c.t.Logf("%d tokens, none lost; the slowest create and lookup took %s", len(l.made), l.longest.Round(time.Millisecond))
}

// TestMembersComeAndGo: a node is wiped and joins again, moves to another address, and is replaced, all
// under load, and nobody does anything but start processes.
func TestMembersComeAndGo(t *testing.T) {
	t.Parallel()
	c := start(t, 3)
	const path = "/v1/sys/storage/raft/autopilot/configuration"
	if a, err := call("POST", c.nodes[0].addr+path, c.root, map[string]any{"cleanup_dead_servers": true, "min_quorum": 3, "dead_server_last_contact_threshold": "1m"}); err != nil || a.code != 204 {
		t.Fatalf("configuring the autopilot: %v %d %s", err, a.code, a.raw)
	}
	l := c.steady()
	t.Cleanup(l.halt) // before the nodes are killed
	victim := c.nodes[2]

	victim.kill()
	if err := os.RemoveAll(filepath.Join(filepath.Dir(victim.config), "data")); err != nil {
		t.Fatal(err)
	}
	c.restart(victim)
	c.awaitVoters(3)
	t.Log("a wiped node is a voter again")

	victim.kill()
	victim.move(t)
	c.restart(victim)
	c.awaitVoters(3)
	c.await("the new address is in the configuration", func() bool { return c.has(fmt.Sprintf("127.0.0.1:%d", victim.port(t)+1)) })
	t.Log("a node has moved")

	victim.kill()
	port := freePorts(t)
	fresh := newNode(t, 3, port, []int{c.nodes[0].port(t), c.nodes[1].port(t)}, nil)
	c.nodes[2] = fresh
	t.Cleanup(victim.kill)
	c.restart(fresh)
	c.await("the successor is there", func() bool { return c.has(`"n4"`) })
	c.awaitVoters(4) // the dead one stays for the minute; cluster.TestDeadServersAreCleanedUp goes on from there
	t.Log("a node was replaced")
	l.stop(fresh)
}

func (c *cluster) restart(nd *node) {
	c.t.Helper()
	if err := nd.run(c.bin); err != nil {
		c.t.Fatal(err)
	}
}

// has reports whether the Raft configuration holds a text.
func (c *cluster) has(text string) bool {
	a, err := call("GET", c.nodes[0].addr+"/v1/sys/storage/raft/configuration", c.root, nil)
	return err == nil && a.code == 200 && strings.Contains(a.raw, text)
}

func (nd *node) port(t *testing.T) (p int) {
	t.Helper()
	if _, err := fmt.Sscanf(nd.addr, "http://127.0.0.1:%d", &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// move gives a node that is down other ports.
func (nd *node) move(t *testing.T) {
	t.Helper()
	b, err := os.ReadFile(nd.config)
	if err != nil {
		t.Fatal(err)
	}
	from, to := nd.port(t), freePorts(t)
	text := string(b)
	for i := range 2 {
		text = strings.ReplaceAll(text, fmt.Sprintf("127.0.0.1:%d\"", from+i), fmt.Sprintf("127.0.0.1:%d\"", to+i))
	}
	if err := os.WriteFile(nd.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	nd.addr = fmt.Sprintf("http://127.0.0.1:%d", to)
}
