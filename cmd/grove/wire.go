package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/audit"
	"github.com/tokengrove/grove/engine/catalogue"
	"github.com/tokengrove/grove/engine/revoker"
	"github.com/tokengrove/grove/httpapi"
)

// nodeConfig is one node with its listeners, whatever it was configured by.
type nodeConfig struct {
	cluster   cluster.Config
	api       httpapi.Config
	listeners []listenerConfig
	stdout    io.Writer // of audit devices; nil: nowhere
	// yield: a stop hands leadership over. leave: and takes the node out of the cluster.
	yield, leave bool
}

// listenerConfig is one API listener.
type listenerConfig struct {
	address     string
	tls         *tls.Config // nil: plain
	pair        *keyPair    // nil with tls
	timeouts    timeouts
	connections connectionLimits
}

// instance is a running node. Its goroutines end with stop.
type instance struct {
	node         *cluster.Node
	log          hclog.Logger
	trail        *audit.Trail
	servers      []*http.Server
	pairs        []*keyPair
	addrs        []string // bound, of the API
	failed       chan error
	done         chan struct{} // closed by stop
	running      sync.WaitGroup
	yield, leave bool
}

// Times of every API server, unless its listener says otherwise.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 60 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 5 * time.Minute
	drainTimeout      = 5 * time.Second
	// maxHeaderBytes bounds the memory of a client that sends headers without end.
	maxHeaderBytes = 64 << 10
)

// startNode binds the listeners, opens the node and serves. The listeners come first, so
// that a port in use is found before anything is touched, and their address can be announced.
func startNode(c nodeConfig) (*instance, error) {
	in := &instance{log: c.api.Logger, yield: c.yield, leave: c.leave, failed: make(chan error, len(c.listeners)+1), done: make(chan struct{})}
	fit(c.listeners, raiseFiles(), in.log)
	ls, err := in.listen(c.listeners)
	if err != nil {
		return nil, err
	}
	closeAll := func() {
		for _, l := range ls {
			l.Close()
		}
	}
	in.announce(&c)
	secrets := catalogue.Secrets()
	c.cluster.Duty = revocations(secrets, &c.api)
	if in.node, err = cluster.Open(c.cluster); err != nil {
		closeAll()
		return nil, plainly(err)
	}
	in.trail = in.newTrail(c.stdout)
	c.api.Audit = in.trail
	c.api.Store, c.api.Cluster, c.api.Trust, c.api.Autopilot, c.api.Snapshots, c.api.Version = in.node, in.node, in.node, in.node, in.node, version
	c.api.Keys, c.api.Engines.Sealer = in.node.Keys(), in.node.Keys()
	c.api.Engines.Methods, c.api.Engines.Secrets = catalogue.Methods(), secrets
	handler, err := httpapi.New(c.api)
	if err != nil {
		closeAll()
		return nil, errors.Join(err, in.node.Close())
	}
	for i, l := range ls {
		in.serve(l, handler, c.listeners[i].timeouts)
	}
	in.running.Go(in.watch)
	in.running.Go(in.follow)
	return in, nil
}

// revocations is the leader's duty to take back what dead leases stand for.
func revocations(secrets map[string]engine.Secrets, api *httpapi.Config) func(context.Context, *cluster.Node) {
	c := revoker.Config{Engines: secrets, Now: api.Now, Rand: rand.Reader}
	if api.Logger != nil {
		c.Log = func(text string, args ...any) { api.Logger.Warn(text, args...) }
	}
	var once sync.Once
	var w *revoker.Worker
	return func(ctx context.Context, n *cluster.Node) {
		once.Do(func() {
			c.Sealer = n.Keys() // what requests seal with, too
			w = revoker.New(c)
		})
		w.Run(ctx, n)
	}
}

func (in *instance) listen(cs []listenerConfig) ([]net.Listener, error) {
	var ls []net.Listener
	for _, c := range cs {
		l, err := net.Listen("tcp", c.address)
		if err != nil {
			for _, l := range ls {
				l.Close()
			}
			return nil, fmt.Errorf("listener %s: %w", c.address, plainly(err))
		}
		in.addrs = append(in.addrs, l.Addr().String())
		l = limitListener(l, c.connections, c.tls == nil, in.log)
		if c.tls != nil {
			l = tls.NewListener(l, c.tls)
			in.pairs = append(in.pairs, c.pair)
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// announce fills in how clients and peers reach and see the node.
func (in *instance) announce(c *nodeConfig) {
	a := &c.cluster.Advertise
	if a.API == "" && len(in.addrs) > 0 {
		scheme := "http://"
		if c.listeners[0].tls != nil {
			scheme = "https://"
		}
		a.API = scheme + reachable(in.addrs[0], "")
	}
	a.Version = version
	if host, err := os.Hostname(); err == nil {
		a.Hostname = host
	}
}

// plainly says what an operator wants to read about the usual troubles at start.
func plainly(err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		var op *net.OpError
		if errors.As(err, &op) && op.Addr != nil {
			return fmt.Errorf("%s is in use by another process", op.Addr)
		}
		return fmt.Errorf("the address is in use by another process: %w", err)
	case errors.Is(err, os.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("not allowed to write or bind: %w", err)
	}
	return err
}

func (in *instance) serve(l net.Listener, h http.Handler, t timeouts) {
	or := func(d, usual time.Duration) time.Duration {
		if d == 0 {
			return usual
		}
		return d
	}
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: or(t.ReadHeader, readHeaderTimeout), ReadTimeout: or(t.Read, readTimeout),
		WriteTimeout: or(t.Write, writeTimeout), IdleTimeout: or(t.Idle, idleTimeout),
		MaxHeaderBytes: maxHeaderBytes, ConnContext: connContext, ErrorLog: in.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
	in.servers = append(in.servers, s)
	in.running.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			in.failed <- fmt.Errorf("serving %s: %w", l.Addr(), err)
		}
	})
}

// watch hands on that the replica cannot be trusted any more.
func (in *instance) watch() {
	select {
	case err := <-in.node.Failed():
		in.failed <- err
	case <-in.done:
	}
}

// reload reads the certificates and opens the audit devices again.
func (in *instance) reload() {
	in.trail.Reopen()
	for _, p := range in.pairs {
		if err := p.load(); err != nil {
			in.log.Error("the certificate in use stays", "error", err)
			continue
		}
		in.log.Info("certificate read again", "file", p.certFile)
	}
}

// stop hands leadership over, drains the API, leaves the cluster if it is to, closes the node, and
// waits for everything. Each step has a bound.
func (in *instance) stop() error {
	if in.yield {
		in.node.Yield(context.Background())
	}
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	close(in.done)
	var err error
	for _, s := range in.servers {
		if e := s.Shutdown(ctx); e != nil { // too slow: cut
			err = errors.Join(err, s.Close())
		}
	}
	if in.leave {
		if e := in.node.Leave(context.Background()); e != nil {
			in.log.Error("this node stays a member", "error", e)
		}
	}
	err = errors.Join(err, in.node.Close())
	in.running.Wait()
	in.trail.Close()
	return err
}
