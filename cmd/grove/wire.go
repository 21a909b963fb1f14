package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/httpapi"
)

// nodeConfig is one node with its listeners, whatever it was configured by.
type nodeConfig struct {
	cluster   cluster.Config
	api       httpapi.Config
	listeners []listenerConfig
}

// listenerConfig is one API listener.
type listenerConfig struct {
	address string
	tls     *tls.Config // nil: plain
}

// instance is a running node.
type instance struct {
	node    *cluster.Node
	servers []*http.Server
	addrs   []string // bound, of the API
	failed  chan error
}

// Times of every API server.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 5 * time.Minute
	drainTimeout      = 5 * time.Second
)

// startNode binds the listeners, opens the node and serves. The listeners come first, so
// that a port in use is found before anything is touched, and their address can be announced.
func startNode(c nodeConfig) (*instance, error) {
	in := &instance{failed: make(chan error, len(c.listeners)+1)}
	var ls []net.Listener
	closeAll := func() {
		for _, l := range ls {
			l.Close()
		}
	}
	for _, lc := range c.listeners {
		l, err := net.Listen("tcp", lc.address)
		if err != nil {
			closeAll()
			return nil, fmt.Errorf("listener: %w", err)
		}
		in.addrs = append(in.addrs, l.Addr().String())
		if lc.tls != nil {
			l = tls.NewListener(l, lc.tls)
		}
		ls = append(ls, l)
	}
	if c.cluster.Advertise.API == "" && len(in.addrs) > 0 {
		c.cluster.Advertise.API = "http://" + in.addrs[0]
		if c.listeners[0].tls != nil {
			c.cluster.Advertise.API = "https://" + in.addrs[0]
		}
	}
	c.cluster.Advertise.Version = version
	if host, err := os.Hostname(); err == nil {
		c.cluster.Advertise.Hostname = host
	}
	node, err := cluster.Open(c.cluster)
	if err != nil {
		closeAll()
		return nil, err
	}
	in.node = node
	c.api.Store, c.api.Cluster, c.api.Version = node, node, version
	handler, err := httpapi.New(c.api)
	if err != nil {
		closeAll()
		return nil, errors.Join(err, node.Close())
	}
	for _, l := range ls {
		in.serve(l, handler, c.api.Logger)
	}
	go func() {
		if err, ok := <-node.Failed(); ok {
			in.failed <- err
		}
	}()
	return in, nil
}

func (in *instance) serve(l net.Listener, h http.Handler, log hclog.Logger) {
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		MaxHeaderBytes: 1 << 20, ErrorLog: log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	in.servers = append(in.servers, s)
	go func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			in.failed <- fmt.Errorf("serving %s: %w", l.Addr(), err)
		}
	}()
}

// stop drains the API and closes the node.
func (in *instance) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	var err error
	for _, s := range in.servers {
		if e := s.Shutdown(ctx); e != nil {
			err = errors.Join(err, e, s.Close())
		}
	}
	return errors.Join(err, in.node.Close())
}

// newLogger logs to the environment's standard error.
func newLogger(env *environment, level, format string) (hclog.Logger, error) {
	if level == "" {
		level = "info"
	}
	l := hclog.LevelFromString(level)
	if l == hclog.NoLevel {
		return nil, fmt.Errorf("log level %q: trace, debug, info, warn and error are allowed", level)
	}
	if format != "" && format != "standard" && format != "json" {
		return nil, fmt.Errorf("log format %q: standard and json are allowed", format)
	}
	return hclog.New(&hclog.LoggerOptions{Name: "grove", Level: l, Output: env.stderr, JSONFormat: strings.EqualFold(format, "json")}), nil
}
