package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

func TestPlanAddresses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config           config
		bind, advertised string
	}{
		"port after the API's": {config{Listeners: plainAt("127.0.0.1:8200")}, "127.0.0.1:8201", ""},
		"any port":             {config{Listeners: plainAt("127.0.0.1:0")}, "127.0.0.1:0", ""},
		"all addresses":        {config{Listeners: plainAt("0.0.0.0:8200"), APIAddr: "http://a.example:8200"}, "0.0.0.0:8201", "a.example:8201"},
		"no host":              {config{Listeners: plainAt(":8200"), APIAddr: "http://10.1.2.3:8200"}, ":8201", "10.1.2.3:8201"},
		"cluster_addr":         {config{Listeners: plainAt("0.0.0.0:8200"), ClusterAddr: "https://b.example:9000"}, "0.0.0.0:8201", "b.example:9000"},
		"cluster_addr no port": {config{Listeners: plainAt("0.0.0.0:8200"), ClusterAddr: "https://b.example"}, "0.0.0.0:8201", "b.example:8201"},
	} {
		c.config.Storage = &storageBlock{Path: "/data"}
		n, err := c.config.plan(hclog.NewNullLogger())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if n.cluster.ClusterAddr != c.bind || n.cluster.Advertise.Cluster != c.advertised {
			t.Errorf("%s: binds %q and advertises %q, want %q and %q", name, n.cluster.ClusterAddr, n.cluster.Advertise.Cluster, c.bind, c.advertised)
		}
	}
}

func plainAt(addr string) []listenerBlock {
	return []listenerBlock{{Address: addr, TLS: tlsBlock{Disable: true}}}
}

func TestPlanRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config config
		want   string
	}{
		"no key file":    {config{Listeners: plainAt("127.0.0.1:1"), Join: joinSecrets{KeyFile: "/none"}}, "cluster_key_file: open /none"},
		"empty key file": {config{Listeners: plainAt("127.0.0.1:1"), Join: joinSecrets{KeyFile: "/dev/null"}}, "/dev/null is empty"},
		"last port":      {config{Listeners: plainAt("127.0.0.1:65535")}, "no port after it"},
		"no certificate": {config{Listeners: []listenerBlock{{Address: "127.0.0.1:1", TLS: tlsBlock{CertFile: "/none", KeyFile: "/none"}}}}, "listener 127.0.0.1:1: certificate /none"},
		"join CA":        {config{Listeners: plainAt("127.0.0.1:1"), Storage: &storageBlock{Joins: []joinBlock{{APIAddr: "https://b:1", CAFile: "/none"}}}}, "leader_ca_cert_file"},
		"join CA text":   {config{Listeners: plainAt("127.0.0.1:1"), Storage: &storageBlock{Joins: []joinBlock{{APIAddr: "https://b:1", CAText: "x"}}}}, "leader_ca_cert: no certificate"},
	} {
		if c.config.Storage == nil {
			c.config.Storage = &storageBlock{Path: "/data"}
		}
		if _, err := c.config.plan(hclog.NewNullLogger()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestClusterKey(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"a.hcl": plainListener + someStorage + "cluster_key_file = \"/none\"\njoin_token = \"gjt.x\"\n", "key": "k\n",
		"b.hcl": plainListener + someStorage + "cluster_key = \"k\"\ncluster_key_file = \"/none\"\n",
	})
	c, _, err := loadConfig([]string{filepath.Join(dir, "a.hcl")}, testEnv(map[string]string{"GROVE_CLUSTER_KEY_FILE": filepath.Join(dir, "key")}))
	if err != nil {
		t.Fatal(err)
	}
	n, err := c.plan(hclog.NewNullLogger())
	if err != nil || n.cluster.Join.Key != "k" || n.cluster.Join.Token != "gjt.x" {
		t.Errorf("key %q and token %q, %v", n.cluster.Join.Key, n.cluster.Join.Token, err)
	}
	if _, _, err := loadConfig([]string{filepath.Join(dir, "b.hcl")}, testEnv(nil)); err == nil || !strings.Contains(err.Error(), "exclude each other") {
		t.Errorf("a key and a file: %v", err)
	}
	if err := os.Chmod(filepath.Join(dir, "key"), 0o644); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	if _, err := c.plan(hclog.New(&hclog.LoggerOptions{Output: &log})); err != nil || !strings.Contains(log.String(), "everybody on this machine may read the cluster key") {
		t.Errorf("a key that everybody may read: %v, %q", err, log.String())
	}
}

func TestReachable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ addr, prefer, want string }{
		{"10.0.0.1:1", "x", "10.0.0.1:1"},
		{"host:1", "x", "host:1"},
		{"0.0.0.0:1", "x", "x:1"},
		{"[::]:1", "x", "x:1"},
		{":1", "x", "x:1"},
	} {
		if got := reachable(c.addr, c.prefer); got != c.want {
			t.Errorf("reachable(%q, %q) = %q, want %q", c.addr, c.prefer, got, c.want)
		}
	}
	host, _, err := net.SplitHostPort(reachable("0.0.0.0:1", ""))
	if ip := net.ParseIP(host); err != nil || ip == nil || ip.IsUnspecified() {
		t.Errorf("reachable by itself gives host %q, want an address of the machine", host)
	}
}
