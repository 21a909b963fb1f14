package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// Config says what to run, and against which servers.
type Config struct {
	Addresses []string    // http:// or https:// URLs; clients are spread over them in turn
	Token     string      // may make tokens, and revoke them
	TLS       *tls.Config // for https:// addresses; nil: the system's roots
	Workloads []string    // names; see Workloads

	Load     Load
	Tokens   Tokens
	Tree     Tree
	Failover Failover

	Keep bool // do not revoke the tokens of the run at the end
	// Null, if set, starts a null server for each workload that can be compared with one. Run
	// calls stop when the workload has been measured there.
	Null func(ctx context.Context) (address string, stop func() error, err error)
	// Progress, if set, is a terminal: it shows a line that changes once a second.
	Progress io.Writer
}

// Load says how hard and how long. Zero values are 32 clients, 10 s, unlimited, no fixed rate, no
// warm-up, 10 s a request.
type Load struct {
	Clients  int
	Duration time.Duration // of the measured part
	Count    int           // measured requests; 0: as many as the duration allows
	Rate     float64       // requests per second of all clients; 0: each sends when it is answered
	Warmup   time.Duration // load before the measured part, not counted
	Timeout  time.Duration // of one request
}

// Tokens says what the tokens of a run are.
type Tokens struct {
	Stock int           // made before lookup, use, renew, mixed (1000) and revoke (10000)
	TTL   time.Duration // 1 h
}

// Tree is the shape of the workload tree: below one parent a chain of Depth tokens, and the children
// below the last of them.
type Tree struct {
	Children int
	Depth    int
}

// Failover names what the workload failover kills.
type Failover struct {
	KillPID   int           // 0: the operator does it
	KillAfter time.Duration // since the start of the load
}

// What the command asks for, unless it is told otherwise. Zero values of Config mean at once.
const (
	DefaultWarmup    = time.Second
	DefaultKillAfter = 3 * time.Second
)

// Defaults.
const (
	defaultClients  = 32
	defaultDuration = 10 * time.Second
	defaultTimeout  = 10 * time.Second
	defaultTTL      = time.Hour
	defaultStock    = 1000
	revokeStock     = 10000 // one request uses one up
	fillCount       = 10000 // where nothing else bounds it
)

// Limits of a run.
const (
	maxClients = 10000
	maxRate    = 1e7
	maxTimeout = 10 * time.Minute
)

// Validate returns what is wrong with the configuration, in the names of the command's flags.
func (c *Config) Validate() error {
	if len(c.Addresses) == 0 {
		return errors.New("no address")
	}
	for _, a := range c.Addresses {
		if _, err := newNode(a, c.TLS); err != nil {
			return err
		}
	}
	if c.Token == "" {
		return errors.New("no token: set VAULT_TOKEN, or log in")
	}
	if !plainText([]byte(c.Token)) {
		return errors.New("the token has characters that no header may carry")
	}
	if len(c.Workloads) == 0 {
		return fmt.Errorf("name at least one workload: %s", strings.Join(Workloads(), ", "))
	}
	for _, name := range c.Workloads {
		if find(name) == nil {
			return fmt.Errorf("workload %q: %s are allowed", name, strings.Join(Workloads(), ", "))
		}
	}
	return errors.Join(c.Load.validate(), c.validateShape())
}

func (l *Load) validate() error {
	switch {
	case l.Clients < 0 || l.Clients > maxClients:
		return fmt.Errorf("-clients=%d: 1 to %d are allowed", l.Clients, maxClients)
	case l.Duration < 0:
		return fmt.Errorf("-duration=%s: must not be negative", l.Duration)
	case l.Count < 0:
		return fmt.Errorf("-count=%d: must not be negative", l.Count)
	case !(l.Rate >= 0 && l.Rate <= maxRate): // NaN is neither
		return fmt.Errorf("-rate=%g: 0 to %g are allowed", l.Rate, maxRate)
	case l.Warmup < 0:
		return fmt.Errorf("-warmup=%s: must not be negative", l.Warmup)
	case l.Timeout < 0 || l.Timeout > maxTimeout:
		return fmt.Errorf("-timeout=%s: at most %s", l.Timeout, maxTimeout)
	}
	return nil
}

func (c *Config) validateShape() error {
	switch {
	case c.Tokens.Stock < 0:
		return fmt.Errorf("-tokens=%d: must not be negative", c.Tokens.Stock)
	case c.Tokens.TTL < 0 || c.Tokens.TTL > 0 && c.Tokens.TTL < time.Second:
		return fmt.Errorf("-ttl=%s: at least 1s", c.Tokens.TTL)
	case c.Tree.Children < 0 || c.Tree.Depth < 0:
		return errors.New("-children and -depth must not be negative")
	case c.Failover.KillPID < 0 || c.Failover.KillAfter < 0:
		return errors.New("-kill-pid and -kill-after must not be negative")
	case c.Failover.KillPID == os.Getpid():
		return fmt.Errorf("-kill-pid=%d: that is this process", c.Failover.KillPID)
	}
	if l := c.Load.bounded(); c.Failover.KillPID > 0 && l.Duration > 0 && c.Failover.KillAfter >= l.Duration {
		return fmt.Errorf("-kill-after=%s: the load ends after %s", c.Failover.KillAfter, l.Duration)
	}
	return nil
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	or := func(d *time.Duration, fallback time.Duration) {
		if *d == 0 {
			*d = fallback
		}
	}
	if c.Load.Clients == 0 {
		c.Load.Clients = defaultClients
	}
	or(&c.Load.Timeout, defaultTimeout)
	or(&c.Tokens.TTL, defaultTTL)
	if c.Tree.Children == 0 && c.Tree.Depth == 0 {
		c.Tree.Children = defaultStock
	}
	return c
}

// bounded is the load with a default duration, if it has no other end.
func (l Load) bounded() Load {
	if l.Duration == 0 && l.Count == 0 {
		l.Duration = defaultDuration
	}
	return l
}

// stock is how many tokens to make beforehand.
func (c *Config) stock() int {
	if c.Tokens.Stock > 0 {
		return c.Tokens.Stock
	}
	return defaultStock
}
