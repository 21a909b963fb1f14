package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
)

// serverFlags are the flags of `grove server`.
type serverFlags struct {
	dev       bool
	devNodes  int
	devRoot   string
	devListen string
	devData   string
	config    []string
	logLevel  string
	logFormat string
}

func newServer(env *environment) *cobra.Command {
	var f serverFlags
	c := &cobra.Command{
		Use: "server", Short: "Run a node", Args: cobra.NoArgs,
		Long: "Run a node of a cluster from configuration files, or, with -dev, a whole cluster in this process.",
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), &f, env) },
	}
	fl := c.Flags()
	fl.BoolVar(&f.dev, "dev", false, "run on loopback, initialized, for development")
	fl.IntVar(&f.devNodes, "dev-nodes", 1, "nodes of a development cluster: 1, 3 or 5")
	fl.StringVar(&f.devRoot, "dev-root-token-id", "", "root token of a development cluster, also VAULT_DEV_ROOT_TOKEN_ID (default a random one)")
	fl.StringVar(&f.devListen, "dev-listen-address", "", "API of the first node, the next ones are 10 ports further each; also VAULT_DEV_LISTEN_ADDRESS (default 127.0.0.1:8200)")
	fl.StringVar(&f.devData, "dev-data", "", "keep the state of a development cluster in this folder")
	fl.StringArrayVar(&f.config, "config", nil, "configuration file (HCL or JSON) or folder of such; repeatable")
	fl.StringVar(&f.logLevel, "log-level", "", "trace, debug, info, warn or error")
	fl.StringVar(&f.logFormat, "log-format", "", "standard or json")
	return c
}

func serve(ctx context.Context, f *serverFlags, env *environment) error {
	if env.slacken != nil {
		if err := env.slacken(); err != nil {
			fmt.Fprintf(env.stderr, "this server needs more CPU time than it could: %v\n", err)
		}
	}
	switch {
	case f.dev && len(f.config) > 0:
		return errors.New("-dev and -config exclude each other")
	case f.dev:
		return serveDev(ctx, f, env)
	case len(f.config) == 0:
		return errors.New("a node needs -config=FILE, or -dev for a development cluster")
	}
	return serveConfig(ctx, f, env)
}

// serveConfig runs one node until ctx ends or the node fails.
func serveConfig(ctx context.Context, f *serverFlags, env *environment) error {
	c, warnings, err := loadConfig(f.config, env)
	if err != nil {
		return err
	}
	if f.logLevel != "" {
		c.LogLevel = f.logLevel
	}
	if f.logFormat != "" {
		c.LogFormat = f.logFormat
	}
	log, err := newLogger(env, c.LogLevel, c.LogFormat)
	if err != nil {
		return err
	}
	nc, err := c.plan(log)
	if err != nil {
		return err
	}
	defer keepMemory(env, log)()
	now := clock(env, log)
	nc.cluster.Now, nc.api.Now = now, now
	nc.stdout = env.stdout
	nc.yield, nc.leave = true, c.LeaveOnTerminate
	in, err := startNode(*nc)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		log.Warn(w)
	}
	forget, err := writePID(c.PIDFile)
	if err != nil {
		return errors.Join(err, in.stop())
	}
	defer forget()
	log.Info("serving", "api", in.addrs, "cluster", in.node.Addr(), "node", in.node.ID(), "data", c.Storage.Path)
	if !in.node.Status().Initialized && len(c.Storage.Joins) == 0 {
		log.Info("this node is in no cluster yet: `grove operator init` makes one of it, `grove operator raft join` joins another's")
	}
	if env.ready != nil {
		env.ready(in.addrs, "")
	}
	if err := notify(env, "READY=1"); err != nil {
		log.Warn("the start", "error", err)
	}
	return wait(ctx, env, func() { f.reload(env, in, log) }, in)
}

// reload reads the certificates and the log level again. What is wrong is not taken.
func (f *serverFlags) reload(env *environment, in *instance, log hclog.Logger) {
	in.reload()
	c, _, err := loadConfig(f.config, env)
	if err != nil {
		log.Error("the log level in use stays", "error", err)
		return
	}
	if f.logLevel != "" {
		c.LogLevel = f.logLevel
	}
	level, err := logLevel(c.LogLevel)
	if err != nil {
		log.Error("the log level in use stays", "error", err)
		return
	}
	log.SetLevel(level)
	log.Info("log level read again", "level", level)
}

// writePID writes the process ID, and returns what removes it again.
func writePID(file string) (func(), error) {
	if file == "" {
		return func() {}, nil
	}
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		return nil, fmt.Errorf("pid_file: %w", err)
	}
	return func() { os.Remove(file) }, nil
}

// wait returns when ctx ends or one of the nodes fails, after all were stopped. onHangup runs at
// every SIGHUP.
func wait(ctx context.Context, env *environment, onHangup func(), ins ...*instance) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var hangup <-chan os.Signal
	if env.hangup != nil {
		hangup = env.hangup()
	}
	failed := make(chan error, len(ins))
	for _, in := range ins {
		go func() {
			select {
			case err := <-in.failed:
				failed <- fmt.Errorf("node %s FAILED and stops: %w", in.node.ID(), err)
			case <-ctx.Done():
			}
		}()
	}
	for {
		select {
		case <-ctx.Done():
			return errors.Join(notify(env, "STOPPING=1"), stopAll(ins))
		case err := <-failed:
			return errors.Join(err, stopAll(ins))
		case <-hangup:
			onHangup()
		}
	}
}

// stopAll stops the nodes side by side: one that waits for a quorum does not keep the others.
func stopAll(ins []*instance) error {
	errs := make(chan error, len(ins))
	for _, in := range ins {
		go func() { errs <- in.stop() }()
	}
	var all error
	for range ins {
		all = errors.Join(all, <-errs)
	}
	return all
}
