package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/tokengrove/grove/httpapi"
)

// config is what the configuration files say, after the environment had its say.
type config struct {
	APIAddr, ClusterAddr, ClusterName string
	LogLevel, LogFormat               string
	process
	DefaultTTL, MaxTTL time.Duration
	Listeners          []listenerBlock
	Storage            *storageBlock
	Join               joinSecrets
	Limits             httpapi.Limits
}

// process is what the files say of the process.
type process struct {
	PIDFile          string
	LeaveOnTerminate bool
}

// joinSecrets are what lets the node into a cluster, and the seal key of one that it makes.
type joinSecrets struct{ Key, KeyFile, Token, SealKeyFile string }

// listenerBlock is `listener "tcp"`.
type listenerBlock struct {
	Address, ClusterAddress string
	TLS                     tlsBlock
	Timeouts                timeouts
	Connections             connectionLimits
}

// tlsBlock are the options of a listener whose names start with tls_.
type tlsBlock struct {
	Disable                 bool
	CertFile, KeyFile       string
	MinVersion, MaxVersion  string
	CipherSuites            []string
	ClientCAFile            string
	RequireClient, NoClient bool
}

// timeouts of a listener's server; 0 is the default of startNode.
type timeouts struct {
	ReadHeader, Read, Write, Idle time.Duration
}

// storageBlock is `storage "raft"`.
type storageBlock struct {
	Path, NodeID string
	Joins        []joinBlock
	Multiplier   float64
	NonVoter     bool
	Snapshots    snapshotOptions
	// ClockSkew is how far the clock of a leader may be off; 0 is the default of a node.
	ClockSkew time.Duration
	// CheckInterval is how often the replicas are compared; 0 is the default of a node.
	CheckInterval time.Duration
}

// snapshotOptions say when a snapshot is taken, and how many entries stay behind it; 0 is the
// default of a node.
type snapshotOptions struct {
	Threshold, Trailing int
	Interval            time.Duration
}

// joinBlock is `retry_join`.
type joinBlock struct {
	APIAddr, ServerName       string
	CAFile, CertFile, KeyFile string
	CAText, CertText, KeyText string
	AutoJoin                  string
}

// loadConfig reads files and folders, later ones over earlier ones, and returns what to
// warn of. Errors name file, line and column.
func loadConfig(paths []string, env *environment) (*config, []string, error) {
	files, err := configFiles(paths)
	if err != nil {
		return nil, nil, err
	}
	c := &config{}
	var warnings []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("configuration: %w", err)
		}
		ws, err := c.parse(string(b))
		if err != nil {
			return nil, nil, fmt.Errorf("configuration: %s:%w", file, err)
		}
		for _, w := range ws {
			warnings = append(warnings, file+":"+w)
		}
	}
	c.override(env)
	if err := c.validate(); err != nil {
		return nil, nil, fmt.Errorf("configuration: %w", err)
	}
	return c, warnings, nil
}

// configFiles puts the .hcl and .json files of a folder, in order of their names, in its place.
func configFiles(paths []string) ([]string, error) {
	var files []string
	for _, p := range paths {
		st, err := os.Stat(p)
		if err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
		if !st.IsDir() {
			files = append(files, p)
			continue
		}
		entries, err := os.ReadDir(p) // sorted
		if err != nil {
			return nil, fmt.Errorf("configuration: %w", err)
		}
		before := len(files)
		for _, e := range entries {
			if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".hcl" || ext == ".json") {
				files = append(files, filepath.Join(p, e.Name()))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("configuration: no .hcl or .json file in %s", p)
		}
	}
	return files, nil
}

// parse takes one file. Errors and warnings start with line:column.
func (c *config) parse(text string) ([]string, error) {
	items, err := parseItems(text)
	if err != nil {
		return nil, err
	}
	var warnings []string
	return warnings, c.top(&warnings).decode(items)
}

// override takes what the reference takes from the environment too.
func (c *config) override(env *environment) {
	over := map[string]*string{"API_ADDR": &c.APIAddr, "CLUSTER_ADDR": &c.ClusterAddr, "LOG_LEVEL": &c.LogLevel, "LOG_FORMAT": &c.LogFormat,
		"CLUSTER_KEY": &c.Join.Key, "CLUSTER_KEY_FILE": &c.Join.KeyFile, "JOIN_TOKEN": &c.Join.Token}
	if c.Storage != nil {
		over["RAFT_PATH"], over["RAFT_NODE_ID"] = &c.Storage.Path, &c.Storage.NodeID
	}
	for name, dst := range over {
		if v := setting(env, "", name); v != "" {
			*dst = v
		}
	}
}

func (c *config) validate() error {
	switch {
	case c.Storage == nil:
		return errors.New(`a storage "raft" block with a path is needed`)
	case c.Join.Key != "" && c.Join.KeyFile != "":
		return errors.New("cluster_key and cluster_key_file exclude each other")
	case c.Storage.Path == "":
		return errors.New(`storage "raft" needs a path`)
	case len(c.Listeners) == 0:
		return errors.New(`a listener "tcp" block is needed`)
	case c.Storage.Multiplier < 0 || c.Storage.Multiplier > 100:
		return fmt.Errorf("performance_multiplier = %v: want 0 to 100", c.Storage.Multiplier)
	case c.Storage.Snapshots.Threshold < 0 || c.Storage.Snapshots.Trailing < 0 || c.Storage.Snapshots.Interval < 0:
		return errors.New("snapshot_threshold, trailing_logs and snapshot_interval cannot be negative")
	case c.Storage.ClockSkew < 0 || c.Storage.ClockSkew > 0 && c.Storage.ClockSkew < time.Second:
		return fmt.Errorf("max_clock_skew = %s: want 1s or more", c.Storage.ClockSkew)
	case c.Storage.CheckInterval < 0 || c.Storage.CheckInterval > 0 && c.Storage.CheckInterval < time.Second:
		return fmt.Errorf("state_check_interval = %s: want 1s or more", c.Storage.CheckInterval)
	case c.MaxTTL < 0 || c.DefaultTTL < 0:
		return errors.New("default_lease_ttl and max_lease_ttl cannot be negative")
	case c.MaxTTL > 0 && c.DefaultTTL > c.MaxTTL:
		return fmt.Errorf("default_lease_ttl = %s is above max_lease_ttl = %s", c.DefaultTTL, c.MaxTTL)
	}
	for _, a := range []struct{ name, url string }{{"api_addr", c.APIAddr}, {"cluster_addr", c.ClusterAddr}} {
		if err := checkURL(a.name, a.url); a.url != "" && err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, l := range c.Listeners {
		if seen[l.Address] {
			return fmt.Errorf("two listeners have the address %s", l.Address)
		}
		seen[l.Address] = true
	}
	return nil
}

func checkURL(name, s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https"}, u.Scheme) {
		return fmt.Errorf("%s = %q: want http://host:port or https://host:port", name, s)
	}
	return nil
}

func checkAddress(addr string) error {
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return fmt.Errorf("address %q: want host:port", addr)
	}
	return nil
}
