package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/httpapi"
)

// devPortStep is the distance between the ports of two development nodes.
const devPortStep = 10

// devStartTimeout bounds the making of a development cluster.
const devStartTimeout = 30 * time.Second

// serveDev runs a development cluster: real nodes with real Raft, in one process on loopback.
func serveDev(ctx context.Context, f *serverFlags, env *environment) error {
	if f.devNodes != 1 && f.devNodes != 3 && f.devNodes != 5 {
		return fmt.Errorf("-dev-nodes=%d: 1, 3 and 5 are allowed", f.devNodes)
	}
	host, port, err := devAddress(f)
	if err != nil {
		return err
	}
	level := f.logLevel
	if level == "" {
		level = "warn"
	}
	log, err := newLogger(env, level, f.logFormat)
	if err != nil {
		return err
	}
	dir, cleanup, err := devFolder(f.devData)
	if err != nil {
		return err
	}
	defer cleanup()
	d := &devCluster{flags: f, dir: dir, host: host, port: port, log: log}
	ins, err := d.start(ctx)
	if err != nil {
		for _, in := range ins {
			err = errors.Join(err, in.stop())
		}
		return err
	}
	d.banner(env)
	if env.ready != nil {
		env.ready(d.apis, d.root)
	}
	return wait(ctx, ins...)
}

func devAddress(f *serverFlags) (string, int, error) {
	host, p, err := net.SplitHostPort(f.devListen)
	if err != nil {
		return "", 0, fmt.Errorf("-dev-listen-address=%s: want host:port: %w", f.devListen, err)
	}
	port, err := strconv.Atoi(p)
	if err != nil || port < 1 || port+devPortStep*(f.devNodes-1)+2 > 65535 {
		return "", 0, fmt.Errorf("-dev-listen-address=%s: the port must leave room for %d nodes", f.devListen, f.devNodes)
	}
	return host, port, nil
}

// devFolder returns the folder of the state and what to do with it at the end.
func devFolder(keep string) (string, func(), error) {
	if keep != "" {
		if err := os.MkdirAll(keep, 0o700); err != nil {
			return "", nil, fmt.Errorf("-dev-data: %w", err)
		}
		return keep, func() {}, nil
	}
	dir, err := os.MkdirTemp("", "grove-dev-")
	if err != nil {
		return "", nil, fmt.Errorf("temporary folder: %w", err)
	}
	return dir, func() { os.RemoveAll(dir) }, nil
}

// devCluster is a development cluster in the making.
type devCluster struct {
	flags *serverFlags
	dir   string
	host  string
	port  int
	log   hclog.Logger
	apis  []string // URLs
	root  string   // "" when the folder was initialized before
}

func (d *devCluster) start(ctx context.Context) ([]*instance, error) {
	var ins []*instance
	for i := range d.flags.devNodes {
		in, err := startNode(d.node(i))
		if err != nil {
			return ins, err
		}
		ins = append(ins, in)
		d.apis = append(d.apis, "http://"+in.addrs[0])
		if i == 0 {
			if err := d.initialize(ctx); err != nil {
				return ins, err
			}
		}
	}
	return ins, d.await(ctx, ins)
}

func (d *devCluster) node(i int) nodeConfig {
	port := d.port + i*devPortStep
	name := fmt.Sprintf("node%d", i+1)
	log := d.log.Named(name)
	c := nodeConfig{
		cluster: cluster.Config{
			DataDir: filepath.Join(d.dir, name), NodeID: name, ClusterAddr: net.JoinHostPort(d.host, strconv.Itoa(port+1)), Logger: log,
		},
		api:       httpapi.Config{Logger: log, ClusterName: "grove-dev", RootTokenID: d.flags.devRoot},
		listeners: []listenerConfig{{address: net.JoinHostPort(d.host, strconv.Itoa(port))}},
	}
	if i > 0 {
		c.cluster.RetryJoin = []string{d.apis[0]}
	}
	return c
}

// initialize makes the cluster through the first node's own API, unless it is made.
func (d *devCluster) initialize(ctx context.Context) error {
	c := &client{addr: d.apis[0], http: newHTTPClient(nil)}
	st, err := c.call(ctx, "GET", "sys/init", nil)
	if err != nil {
		return err
	}
	if done, _ := st.raw["initialized"].(bool); done {
		d.root = d.flags.devRoot
		return nil
	}
	a, err := c.call(ctx, "PUT", "sys/init", map[string]any{})
	if err != nil {
		return err
	}
	d.root, _ = a.raw["root_token"].(string)
	return nil
}

// await returns when every node takes requests and has a vote.
func (d *devCluster) await(ctx context.Context, ins []*instance) error {
	return poll(ctx, "the development cluster came up", func() bool {
		for _, in := range ins {
			st := in.node.Status()
			voters := 0
			for _, s := range st.Servers {
				if s.Voter {
					voters++
				}
			}
			if !st.Initialized || st.Leader.ID == "" || voters != len(ins) {
				return false
			}
		}
		return true
	})
}

func poll(ctx context.Context, what string, ok func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, devStartTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting until %s: %w", what, ctx.Err())
		}
	}
	return nil
}

// banner prints what a newcomer needs next.
func (d *devCluster) banner(env *environment) {
	root := d.root
	if root == "" {
		root = "(the one of the first start)"
	}
	kept := "in a temporary folder, deleted at the end"
	if d.flags.devData != "" {
		kept = "kept in " + d.flags.devData
	}
	fmt.Fprintf(env.stdout, `Grove v%s, development cluster of %d node(s): do not use it for production.

  API         %s
  Root token  %s
  State       %s

Try, in another terminal:

  export VAULT_ADDR=%s VAULT_TOKEN=%s
  grove status
  grove token create -policy=default -ttl=1h -use-limit=3
  grove operator raft list-peers

Ctrl-C ends it.
`, version, d.flags.devNodes, strings.Join(d.apis, "  "), root, kept, d.apis[len(d.apis)-1], root)
}
