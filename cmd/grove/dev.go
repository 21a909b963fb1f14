package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
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
	f.devRoot = setting(env, f.devRoot, "DEV_ROOT_TOKEN_ID")
	if f.devListen = setting(env, f.devListen, "DEV_LISTEN_ADDRESS"); f.devListen == "" {
		f.devListen = "127.0.0.1:8200"
	}
	d, err := newDevCluster(f, env)
	if err != nil {
		return err
	}
	dir, cleanup, err := devFolder(f.devData, devShape{Nodes: f.devNodes, Listen: f.devListen}, env)
	if err != nil {
		return err
	}
	defer cleanup()
	d.dir = dir
	defer keepMemory(env, d.log)()
	ins, err := d.start(ctx)
	if err != nil {
		return errors.Join(err, stopAll(ins))
	}
	d.banner(env)
	if env.ready != nil {
		env.ready(d.apis, d.root)
	}
	until, cancel := context.WithCancel(context.Background())
	defer cancel()
	end := func() {
		if f.logLevel == "" { // nodes that lose each other while they stop are no news
			d.log.SetLevel(hclog.Off)
		}
		cancel()
	}
	defer context.AfterFunc(ctx, end)()
	return wait(until, env, end, ins...) // SIGHUP: the terminal is closed, clean up
}

// devCluster is a development cluster in the making.
type devCluster struct {
	flags  *serverFlags
	dir    string
	host   string
	port   int // 0: free ones
	log    hclog.Logger
	stdout io.Writer
	apis   []string // URLs
	key    string   // of the cluster: a new one at every start, all nodes are in this process
	root   string   // "" when the folder was initialized before
	slower float64  // stretches time-outs; 0: not
}

func newDevCluster(f *serverFlags, env *environment) (*devCluster, error) {
	if !slices.Contains([]int{1, 3, 5}, f.devNodes) {
		return nil, fmt.Errorf("-dev-nodes=%d: 1, 3 and 5 are allowed", f.devNodes)
	}
	host, p, err := net.SplitHostPort(f.devListen)
	if err != nil {
		return nil, fmt.Errorf("-dev-listen-address=%s: want host:port", f.devListen)
	}
	port, err := strconv.Atoi(p)
	if err != nil || port < 0 || port+devPortStep*(f.devNodes-1)+2 > 65535 {
		return nil, fmt.Errorf("-dev-listen-address=%s: the port must leave room for %d node(s)", f.devListen, f.devNodes)
	}
	if port == 0 && f.devData != "" && f.devNodes > 1 {
		return nil, errors.New("-dev-data keeps a cluster of several nodes only with a fixed port in -dev-listen-address")
	}
	level := f.logLevel
	if level == "" {
		level = "error" // the banner is what a newcomer should see
	}
	log, err := newLogger(env, level, f.logFormat)
	return &devCluster{flags: f, stdout: env.stdout, host: host, port: port, log: log, key: rand.Text() + rand.Text(), slower: env.devMultiplier}, err
}

// start brings the nodes up, one after the other; the first makes the cluster.
func (d *devCluster) start(ctx context.Context) ([]*instance, error) {
	var ins []*instance
	for i := range d.flags.devNodes {
		in, err := startNode(d.node(i))
		if err != nil {
			return ins, fmt.Errorf("node %d: %w", i+1, err)
		}
		ins = append(ins, in)
		d.apis = append(d.apis, "http://"+reachable(in.addrs[0], "127.0.0.1"))
		if i == 0 {
			if err := d.initialize(ctx); err != nil {
				return ins, err
			}
		}
	}
	if err := d.await(ctx, ins); err != nil {
		return ins, err
	}
	return ins, d.checkRoot(ctx)
}

func (d *devCluster) node(i int) nodeConfig {
	api, peer := 0, 0
	if d.port > 0 {
		api = d.port + i*devPortStep
		peer = api + 1
	}
	name := fmt.Sprintf("node%d", i+1)
	log := d.log.Named(name)
	c := nodeConfig{
		stdout:  d.stdout,
		cluster: cluster.Config{DataDir: filepath.Join(d.dir, name), NodeID: name, Multiplier: d.slower, Logger: log, Join: cluster.Join{Key: d.key}},
		api:     httpapi.Config{Logger: log, Genesis: httpapi.Genesis{ClusterName: "grove-dev", RootTokenID: d.flags.devRoot}},
	}
	c.listeners = []listenerConfig{{address: net.JoinHostPort(d.host, strconv.Itoa(api))}}
	// All peers are in this process: they are never bound to more than the API is, or loopback.
	host, _, _ := net.SplitHostPort(reachable(c.listeners[0].address, "127.0.0.1"))
	c.cluster.ClusterAddr = net.JoinHostPort(host, strconv.Itoa(peer))
	if i > 0 {
		c.cluster.Join.Addresses = []string{d.apis[0]}
	}
	return c
}

// initialize makes the cluster through the first node's own API, unless it is made.
func (d *devCluster) initialize(ctx context.Context) error {
	c := &client{addr: d.apis[0], http: newHTTPClient(nil)}
	st, err := c.call(ctx, http.MethodGet, "sys/init", nil, nil)
	if err != nil {
		return err
	}
	if done, _ := st.raw["initialized"].(bool); done {
		d.root = d.flags.devRoot
		return nil
	}
	a, err := c.call(ctx, http.MethodPut, "sys/init", nil, map[string]any{})
	if err != nil {
		return err
	}
	d.root, _ = a.raw["root_token"].(string)
	return nil
}

// checkRoot refuses a root token that the kept state does not know: the first start chose it.
func (d *devCluster) checkRoot(ctx context.Context) error {
	if d.root == "" {
		return nil
	}
	c := &client{addr: d.apis[0], token: d.root, http: newHTTPClient(nil)}
	_, err := c.call(ctx, http.MethodGet, "auth/token/lookup-self", nil, nil)
	var api *apiError
	if errors.As(err, &api) && api.status == http.StatusForbidden {
		return fmt.Errorf("-dev-data=%s: the cluster in this folder does not know the given root token", d.flags.devData)
	}
	return err
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
	export := "export VAULT_ADDR=" + d.apis[len(d.apis)-1]
	if d.root != "" {
		export += " VAULT_TOKEN=" + d.root
	}
	fmt.Fprintf(env.stdout, `Grove v%s, development cluster of %d node(s): not for production.

  API         %s
  Root token  %s
  State       %s

Try, in another terminal:

  %s
  grove status
  grove token create -policy=default -ttl=1h -use-limit=3
  grove operator raft list-peers

Ctrl-C ends it.
`, version, d.flags.devNodes, strings.Join(d.apis, "  "), root, kept, export)
}
