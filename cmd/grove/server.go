package main

import (
	"context"
	"errors"
	"fmt"

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
		Long: "Run a node of a cluster from configuration files, or, with -dev, one or three nodes in this process.",
		RunE: func(cmd *cobra.Command, _ []string) error { return serve(cmd.Context(), &f, env) },
	}
	fl := c.Flags()
	fl.BoolVar(&f.dev, "dev", false, "run on loopback, initialized, for development")
	fl.IntVar(&f.devNodes, "dev-nodes", 1, "nodes of a development cluster: 1, 3 or 5")
	fl.StringVar(&f.devRoot, "dev-root-token-id", "", "root token of a development cluster (default: a random one)")
	fl.StringVar(&f.devListen, "dev-listen-address", "127.0.0.1:8200", "API of the first node; the next ones are 10 ports further each")
	fl.StringVar(&f.devData, "dev-data", "", "keep the state of a development cluster in this folder")
	fl.StringArrayVar(&f.config, "config", nil, "configuration file (HCL or JSON) or folder of such; repeatable")
	fl.StringVar(&f.logLevel, "log-level", "", "trace, debug, info, warn or error")
	fl.StringVar(&f.logFormat, "log-format", "", "standard or json")
	return c
}

func serve(ctx context.Context, f *serverFlags, env *environment) error {
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
	c, warnings, err := loadConfig(f.config)
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
	for _, w := range warnings {
		log.Warn(w)
	}
	nc, err := c.node(log)
	if err != nil {
		return err
	}
	in, err := startNode(*nc)
	if err != nil {
		return err
	}
	log.Info("serving", "api", in.addrs, "cluster", in.node.Addr(), "node", in.node.ID())
	if env.ready != nil {
		env.ready(in.addrs, "")
	}
	return wait(ctx, in)
}

// wait returns when ctx ends or one of the nodes fails, after all were stopped.
func wait(ctx context.Context, ins ...*instance) error {
	failed := make(chan error, len(ins))
	for _, in := range ins {
		go func() {
			select {
			case err := <-in.failed:
				failed <- fmt.Errorf("node %s: %w", in.node.ID(), err)
			case <-ctx.Done():
			}
		}()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	for _, in := range ins {
		err = errors.Join(err, in.stop())
	}
	return err
}
