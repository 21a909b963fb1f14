package bench

import (
	"math"
	"os"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	ok := func() Config {
		return Config{Addresses: []string{"http://a:1", "https://b"}, Token: "t", Workloads: Workloads()}
	}
	c := ok()
	if err := c.Validate(); err != nil {
		t.Errorf("%v", err)
	}
	for want, spoil := range map[string]func(*Config){
		"no address":                               func(c *Config) { c.Addresses = nil },
		`address "a:1": want http://`:              func(c *Config) { c.Addresses[1] = "a:1" },
		`address "ftp://a"`:                        func(c *Config) { c.Addresses[1] = "ftp://a" },
		`address "http://:1"`:                      func(c *Config) { c.Addresses[1] = "http://:1" },
		`address "http://a?b"`:                     func(c *Config) { c.Addresses[1] = "http://a?b" },
		"no token: set VAULT_TOKEN":                func(c *Config) { c.Token = "" },
		"characters that no header may carry":      func(c *Config) { c.Token = "a\r\nb" },
		"name at least one workload: create, look": func(c *Config) { c.Workloads = nil },
		`workload "make": create, lookup, use, renew, revoke, mixed, tree, fill, failover are allowed`: func(c *Config) { c.Workloads = []string{"use", "make"} },
		"-clients=-1: 1 to 10000":        func(c *Config) { c.Load.Clients = -1 },
		"-clients=10001":                 func(c *Config) { c.Load.Clients = 10001 },
		"-duration=-1s":                  func(c *Config) { c.Load.Duration = -time.Second },
		"-count=-1":                      func(c *Config) { c.Load.Count = -1 },
		"-rate=-1:":                      func(c *Config) { c.Load.Rate = -1 },
		"-rate=NaN":                      func(c *Config) { c.Load.Rate = math.NaN() },
		"-rate=+Inf":                     func(c *Config) { c.Load.Rate = math.Inf(1) },
		"-warmup=-1ns":                   func(c *Config) { c.Load.Warmup = -1 },
		"-timeout=11m0s: at most 10m0s":  func(c *Config) { c.Load.Timeout = 11 * time.Minute },
		"-tokens=-1":                     func(c *Config) { c.Tokens.Stock = -1 },
		"-ttl=1ms: at least 1s":          func(c *Config) { c.Tokens.TTL = time.Millisecond },
		"-children and -depth":           func(c *Config) { c.Tree.Depth = -1 },
		"-kill-pid and":                  func(c *Config) { c.Failover.KillPID = -1 },
		"that is this process":           func(c *Config) { c.Failover.KillPID = os.Getpid() },
		"-kill-after=10s: the load ends": func(c *Config) { c.Failover = Failover{KillPID: 1 << 30, KillAfter: 10 * time.Second} },
		"-kill-after=2s: the load ends after": func(c *Config) {
			c.Load.Duration, c.Failover = time.Second, Failover{KillPID: 1 << 30, KillAfter: 2 * time.Second}
		},
	} {
		c := ok()
		spoil(&c)
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := Config{}.withDefaults()
	if c.Load.Clients != 32 || c.Load.Timeout != 10*time.Second || c.Tokens.TTL != time.Hour || c.Tree.Children != 1000 || c.stock() != 1000 {
		t.Errorf("%+v", c)
	}
	if got := (Load{}).bounded().Duration; got != 10*time.Second {
		t.Errorf("duration %s", got)
	}
	if got := (Load{Count: 1}).bounded().Duration; got != 0 {
		t.Errorf("duration %s beside a count", got)
	}
	if got := (Config{Tree: Tree{Depth: 5}}).withDefaults().Tree; got != (Tree{Depth: 5}) {
		t.Errorf("tree %+v: a chain has no children unless they are asked for", got)
	}
	r := &run{}
	for _, c := range []struct {
		load  Load
		stock int
		want  int
	}{
		{Load{Duration: time.Second}, 0, 10000},
		{Load{Duration: time.Second}, 5, 5},
		{Load{Count: 7}, 0, 7},
		{Load{Rate: 100, Duration: 2 * time.Second}, 0, 201},
	} {
		r.cfg.Tokens.Stock = c.stock
		if got := r.revocable(c.load); got != c.want {
			t.Errorf("%+v with %d tokens: %d, want %d", c.load, c.stock, got, c.want)
		}
	}
}

func TestWorkloadsAreDescribed(t *testing.T) {
	t.Parallel()
	for _, name := range Workloads() {
		if Describe(name) == "" {
			t.Errorf("%s is not described", name)
		}
	}
	if Describe("none") != "" {
		t.Error("an unknown workload is described")
	}
}

func TestPorts(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://a": "a:80", "https://a": "a:443", "http://[::1]:8200": "[::1]:8200", "https://a:1/x": "a:1",
	} {
		if got := mustNode(t, address, nil).dial; got != want {
			t.Errorf("%s: dials %s, want %s", address, got, want)
		}
	}
}
