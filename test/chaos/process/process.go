// Package process is the target of a chaos run that needs nothing but this machine: three server
// processes on loopback, which are killed, paused and restarted. It cannot cut links; the containers can.
package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"time"

	"github.com/tokengrove/grove/test/chaos/target"
)

// size is how many nodes there are.
const size = 3

// patience is how long a node may take to be well again when nothing is done to it any more.
const patience = 90 * time.Second

// Cluster is the processes. It implements target.Target.
type Cluster struct {
	dir   string
	nodes []*node
	root  string
	http  http.Client
}

// New returns a cluster of bin whose files are in dir, an existing folder.
func New(bin, dir string) (*Cluster, error) {
	c := &Cluster{dir: dir, http: http.Client{Timeout: 2 * time.Second}}
	var ports []int
	for range size {
		p, err := freePorts(ports)
		if err != nil {
			return nil, err
		}
		ports = append(ports, p)
	}
	for i := range size {
		n, err := newNode(bin, filepath.Join(dir, fmt.Sprintf("n%d", i+1)), i, ports)
		if err != nil {
			return nil, err
		}
		c.nodes = append(c.nodes, n)
	}
	return c, nil
}

// Nodes implements target.Target.
func (c *Cluster) Nodes() []target.Node {
	var all []target.Node
	for _, n := range c.nodes {
		all = append(all, target.Node{Name: n.name, URL: n.url})
	}
	return all
}

// Start implements target.Target.
func (c *Cluster) Start(ctx context.Context) (string, error) {
	for _, n := range c.nodes {
		if err := n.start(); err != nil {
			return "", err
		}
	}
	err := await(ctx, "init", func() error {
		a, err := c.call(ctx, c.nodes[0], "PUT", "sys/init", map[string]any{"secret_shares": 1, "secret_threshold": 1})
		c.root, _ = a["root_token"].(string)
		if err == nil && c.root == "" {
			err = fmt.Errorf("no root token in %v", a)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return c.root, await(ctx, "three voters", func() error { return c.voters(ctx) })
}

// voters returns nil when every node is well and all are voters.
func (c *Cluster) voters(ctx context.Context) error {
	for _, n := range c.nodes {
		if err := c.well(ctx, n); err != nil {
			return err
		}
	}
	a, err := c.call(ctx, c.nodes[0], "GET", "sys/storage/raft/configuration", nil)
	if err != nil {
		return err
	}
	text, err := json.Marshal(a)
	if got := bytes.Count(text, []byte(`"voter":true`)); err == nil && got != size*copies(a) {
		err = fmt.Errorf("%d voters", got)
	}
	return err
}

// copies is how often an answer has its data: the reference repeats some of it at the top.
func copies(a map[string]any) int {
	if _, top := a["config"]; top {
		return 2
	}
	return 1
}

// well returns nil when a node answers and knows a leader.
func (c *Cluster) well(ctx context.Context, n *node) error {
	if _, err := c.call(ctx, n, "GET", "sys/health", nil); err != nil {
		return err
	}
	a, err := c.call(ctx, n, "GET", "sys/leader", nil)
	if err != nil {
		return err
	}
	if leader, _ := a["leader_address"].(string); leader == "" {
		return fmt.Errorf("%s knows no leader", n.name)
	}
	_, err = c.call(ctx, n, "GET", "auth/token/lookup-self", nil) // a barrier
	return err
}

// leader returns the index of the node that leads, or of the first if none is known.
func (c *Cluster) leader(ctx context.Context) int {
	for i, n := range c.nodes {
		a, err := c.call(ctx, n, "GET", "sys/leader", nil)
		if self, _ := a["is_self"].(bool); err == nil && self {
			return i
		}
	}
	return 0
}

// Heal implements target.Target.
func (c *Cluster) Heal(ctx context.Context) error {
	for _, n := range c.nodes {
		n.resume()
		if !n.running() {
			if err := n.start(); err != nil {
				return err
			}
		}
	}
	return await(ctx, "all nodes are well", func() error { return c.voters(ctx) })
}

// Stop implements target.Target.
func (c *Cluster) Stop() error {
	for _, n := range c.nodes {
		n.kill()
	}
	c.http.CloseIdleConnections()
	return nil
}

// call sends a request with the root token and decodes the answer; an error if it is no success.
func (c *Cluster) call(ctx context.Context, n *node, method, path string, body any) (map[string]any, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, n.url+"/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Vault-Token", c.root)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if text, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("%s: %s: %d %s", n.name, path, resp.StatusCode, text)
	}
	var a map[string]any
	if len(text) > 0 {
		err = json.Unmarshal(text, &a)
	}
	return a, err
}

// await asks until ok.
func await(ctx context.Context, what string, ok func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; {
		err := ok()
		switch {
		case err == nil:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%s: not within %s: %w", what, patience, err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// Logs returns the files that the nodes write.
func (c *Cluster) Logs() []string {
	var all []string
	for _, n := range c.nodes {
		all = append(all, n.log)
	}
	return all
}
