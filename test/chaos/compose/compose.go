package compose

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/tokengrove/grove/test/chaos/fault"
	"github.com/tokengrove/grove/test/chaos/target"
)

// Config is how a cluster of containers is made.
type Config struct {
	// Root is the root of the repository.
	Root string
	// Size is the number of nodes: 3 or 5.
	Size int
	// Tags are build tags besides "chaos", for planted bugs.
	Tags []string
	// Kinds are the kinds of fault; empty: all.
	Kinds []string
	// Logs is a folder for what the nodes log; "": nowhere.
	Logs string
	// DiskBytes is the room that a node has for its state; 0: 256 MiB.
	DiskBytes int64
	// Logf tells what happens; nil: nobody.
	Logf func(format string, args ...any)
}

// Cluster is a target of containers. It implements target.Target.
type Cluster struct {
	cfg     Config
	project string // also the name of its folder and its image
	dir     string
	key     string
	nodes   []*node
	net     *network
	token   string // the root token

	mu      sync.Mutex // guards delays
	delays  map[int]*delayer
	stopped sync.Once
}

// node is one container.
type node struct {
	index int
	name  string // within the cluster
	box   string // the container
	port  int
	ip    string
	dir   string

	mu      sync.Mutex // guards lastPID
	lastPID string     // "": not known
}

// New prepares a cluster, and removes what runs left that are dead.
func New(cfg Config) (*Cluster, error) {
	if cfg.Size != 3 && cfg.Size != 5 {
		return nil, fmt.Errorf("a cluster of %d containers: want 3 or 5", cfg.Size)
	}
	if os.Geteuid() != 0 {
		return nil, errors.New("chaos with containers needs root, for mounts and network namespaces")
	}
	if cfg.DiskBytes == 0 {
		cfg.DiskBytes = 256 << 20
	}
	if cfg.Logf == nil {
		cfg.Logf = func(string, ...any) {}
	}
	if err := sweep(); err != nil {
		return nil, err
	}
	secret := make([]byte, 32)
	rand.Read(secret)
	c := &Cluster{cfg: cfg, project: projectName(), key: hex.EncodeToString(secret), delays: map[int]*delayer{}}
	c.dir = filepath.Join(os.TempDir(), c.project)
	c.net = &network{cluster: c, rules: map[int][]rule{}}
	ports, err := freePorts(cfg.Size)
	if err != nil {
		return nil, err
	}
	for i := range cfg.Size {
		name := fmt.Sprintf("grove%d", i+1)
		c.nodes = append(c.nodes, &node{index: i, name: name, box: c.project + "-" + name, port: ports[i], dir: filepath.Join(c.dir, name)})
	}
	return c, nil
}

// Start implements target.Target.
func (c *Cluster) Start(ctx context.Context) (string, error) {
	if err := c.makeFolders(ctx); err != nil {
		return "", err
	}
	c.cfg.Logf("building the image %s", c.project)
	if err := c.buildImage(ctx); err != nil {
		return "", err
	}
	if err := c.up(ctx); err != nil {
		return "", err
	}
	c.cfg.Logf("%d containers run, in %s", len(c.nodes), c.dir)
	err := c.initialize(ctx)
	return c.token, err
}

// Nodes implements target.Target.
func (c *Cluster) Nodes() []target.Node {
	var all []target.Node
	for _, n := range c.nodes {
		all = append(all, target.Node{Name: n.name, URL: n.url()})
	}
	return all
}

func (n *node) url() string { return fmt.Sprintf("http://127.0.0.1:%d", n.port) }

// Disturb implements target.Target.
func (c *Cluster) Disturb(ctx context.Context, seed uint64, log *target.Log) error {
	return fault.Run(ctx, fault.New(seed, len(c.nodes), c.cfg.Kinds...), (*victim)(c), log)
}

// Heal implements target.Target.
func (c *Cluster) Heal(ctx context.Context) error {
	v := (*victim)(c)
	err := c.net.clear(ctx)
	for _, n := range c.nodes {
		err = errors.Join(err, v.undo(ctx, n))
	}
	return errors.Join(err, v.Await(ctx, c.numbers()))
}

func (c *Cluster) numbers() []int {
	var all []int
	for i := range c.nodes {
		all = append(all, i)
	}
	return all
}

// Stop implements target.Target.
func (c *Cluster) Stop() error {
	var err error
	c.stopped.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		c.mu.Lock()
		for _, d := range c.delays {
			d.close()
		}
		c.mu.Unlock()
		err = errors.Join(c.keepLogs(ctx), remove(ctx, c.project))
	})
	return err
}

// keepLogs writes what the nodes logged, all of it, into the folder for logs.
func (c *Cluster) keepLogs(ctx context.Context) error {
	if c.cfg.Logs == "" {
		return nil
	}
	var err error
	for _, n := range c.nodes {
		out, _ := run(ctx, "docker", "logs", n.box) // says so itself when there is no container
		err = errors.Join(err, os.WriteFile(filepath.Join(c.cfg.Logs, n.name+".log"), []byte(out), 0o600))
	}
	return err
}
