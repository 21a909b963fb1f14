package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/httpapi"
)

// config is what the configuration files say.
type config struct {
	APIAddr, ClusterAddr, ClusterName string
	LogLevel, LogFormat               string
	DefaultTTL, MaxTTL                time.Duration
	Listeners                         []listenerBlock
	Storage                           *storageBlock
}

// listenerBlock is `listener "tcp"`.
type listenerBlock struct {
	Address, ClusterAddress string
	CertFile, KeyFile       string
	ClientCAFile            string
	MinVersion              string
	TLSDisable              bool
}

// storageBlock is `storage "raft"`.
type storageBlock struct {
	Path, NodeID string
	Joins        []joinBlock
	Multiplier   float64
	NonVoter     bool
}

// joinBlock is `retry_join`.
type joinBlock struct {
	APIAddr, ServerName, CAFile, CertFile, KeyFile string
}

// meaningless options are those of the reference that have nothing to decide here.
var meaningless = []string{
	"disable_mlock", "ui", "pid_file", "telemetry", "seal", "raw_storage_endpoint", "disable_cache", "cache_size", "plugin_directory",
	"plugin_tmpdir", "plugin_file_uid", "plugin_file_permissions", "introspection_endpoint", "enable_response_header_hostname",
	"enable_response_header_raft_node_id", "service_registration", "entropy", "license_path", "disable_clustering",
	"disable_performance_standby", "disable_sealwrap", "disable_printable_check", "user_lockout", "log_file", "log_rotate_bytes",
	"log_rotate_duration", "log_rotate_max_files", "log_requests_level", "detect_deadlocks", "imprecise_lease_role_tracking", "experiments",
	"enable_unauthenticated_access", "administrative_namespace_path", "reporting", "unsafe_cross_namespace_identity", "hostname",
}

// loadConfig reads files and folders, later ones over earlier ones, and returns what to warn of.
func loadConfig(paths []string) (*config, []string, error) {
	c := &config{}
	var warnings []string
	files, err := configFiles(paths)
	if err != nil {
		return nil, nil, err
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, fmt.Errorf("configuration: %w", err)
		}
		ws, err := c.parse(string(b))
		if err != nil {
			return nil, nil, fmt.Errorf("%s:%w", file, err)
		}
		for _, w := range ws {
			warnings = append(warnings, file+":"+w)
		}
	}
	return c, warnings, c.validate()
}

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
		var in []string
		for _, ext := range []string{"*.hcl", "*.json"} {
			m, err := filepath.Glob(filepath.Join(p, ext))
			if err != nil {
				return nil, err
			}
			in = append(in, m...)
		}
		if len(in) == 0 {
			return nil, fmt.Errorf("configuration: no .hcl or .json file in %s", p)
		}
		sort.Strings(in)
		files = append(files, in...)
	}
	return files, nil
}

// parse takes one file. Errors start with line:column.
func (c *config) parse(text string) (warnings []string, err error) {
	defer func() { // the parser of HCL 1 is old
		if r := recover(); r != nil {
			err = fmt.Errorf("1:1: not a configuration: %v", r)
		}
	}()
	f, err := hcl.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("1:1: %w", err)
	}
	list, ok := f.Node.(*ast.ObjectList)
	if !ok {
		return nil, errors.New("1:1: not a configuration")
	}
	b := &block{values: map[string]any{
		"api_addr": &c.APIAddr, "cluster_addr": &c.ClusterAddr, "cluster_name": &c.ClusterName, "log_level": &c.LogLevel,
		"log_format": &c.LogFormat, "default_lease_ttl": &c.DefaultTTL, "max_lease_ttl": &c.MaxTTL,
	}, ignored: meaningless, blocks: map[string]func(*ast.ObjectItem) error{}}
	b.blocks["listener"] = func(it *ast.ObjectItem) error { return c.listener(it, b) }
	b.blocks["storage"] = func(it *ast.ObjectItem) error { return c.storage(it, b) }
	b.blocks["backend"] = b.blocks["storage"]
	b.blocks["ha_storage"] = func(it *ast.ObjectItem) error { return b.ignore(it, "ha_storage") }
	err = b.decode(list)
	return b.warnings, err
}

func (c *config) listener(it *ast.ObjectItem, outer *block) error {
	if kind := label(it); kind != "tcp" {
		return at(it, "listener %q: only \"tcp\" is there", kind)
	}
	var l listenerBlock
	inner := &block{values: map[string]any{
		"address": &l.Address, "cluster_address": &l.ClusterAddress, "tls_cert_file": &l.CertFile, "tls_key_file": &l.KeyFile,
		"tls_disable": &l.TLSDisable, "tls_min_version": &l.MinVersion, "tls_client_ca_file": &l.ClientCAFile,
	}, ignored: []string{
		"tls_cipher_suites", "tls_prefer_server_cipher_suites", "tls_require_and_verify_client_cert", "tls_disable_client_certs", "tls_max_version",
		"proxy_protocol_behavior", "proxy_protocol_authorized_addrs", "x_forwarded_for_authorized_addrs", "x_forwarded_for_hop_skips",
		"x_forwarded_for_reject_not_authorized", "x_forwarded_for_reject_not_present", "max_request_size", "max_request_duration",
		"http_idle_timeout", "http_read_header_timeout", "http_read_timeout", "http_write_timeout", "telemetry", "profiling",
		"inflight_requests_logging", "custom_response_headers", "redact_version", "redact_addresses", "redact_cluster_name", "purpose", "type",
		"disable_replication_status_endpoints", "chroot_namespace",
	}}
	if err := inner.body(it); err != nil {
		return err
	}
	outer.warnings = append(outer.warnings, inner.warnings...)
	if l.Address == "" {
		l.Address = "127.0.0.1:8200"
	}
	if !l.TLSDisable && (l.CertFile == "" || l.KeyFile == "") {
		return at(it, "listener %s: tls_cert_file and tls_key_file are needed, or tls_disable = true", l.Address)
	}
	c.Listeners = append(c.Listeners, l)
	return nil
}

func (c *config) storage(it *ast.ObjectItem, outer *block) error {
	if kind := label(it); kind != "raft" {
		return at(it, "storage %q: only \"raft\" is there", kind)
	}
	if c.Storage != nil {
		return at(it, "a second storage block")
	}
	s := &storageBlock{}
	inner := &block{values: map[string]any{"path": &s.Path, "node_id": &s.NodeID, "performance_multiplier": &s.Multiplier, "retry_join_as_non_voter": &s.NonVoter},
		ignored: []string{
			"trailing_logs", "snapshot_threshold", "snapshot_interval", "max_entry_size", "max_mount_and_namespace_table_entry_size", "autopilot_reconcile_interval",
			"autopilot_update_interval", "autopilot_redundancy_zone", "autopilot_upgrade_version", "raft_wal", "raft_log_verifier_enabled", "raft_log_verification_interval",
		}}
	inner.blocks = map[string]func(*ast.ObjectItem) error{"retry_join": func(j *ast.ObjectItem) error {
		var jb joinBlock
		b := &block{values: map[string]any{
			"leader_api_addr": &jb.APIAddr, "leader_tls_servername": &jb.ServerName, "leader_ca_cert_file": &jb.CAFile,
			"leader_client_cert_file": &jb.CertFile, "leader_client_key_file": &jb.KeyFile,
		}, ignored: []string{"leader_ca_cert", "leader_client_cert", "leader_client_key", "auto_join_scheme", "auto_join_port"}}
		if err := b.body(j); err != nil {
			return err
		}
		inner.warnings = append(inner.warnings, b.warnings...)
		if jb.APIAddr == "" {
			return at(j, "retry_join needs leader_api_addr")
		}
		s.Joins = append(s.Joins, jb)
		return nil
	}}
	if err := inner.body(it); err != nil {
		return err
	}
	outer.warnings = append(outer.warnings, inner.warnings...)
	if s.Path == "" {
		return at(it, "storage \"raft\" needs path")
	}
	c.Storage = s
	return nil
}

func (c *config) validate() error {
	switch {
	case c.Storage == nil:
		return errors.New(`configuration: a storage "raft" block with a path is needed`)
	case len(c.Listeners) == 0:
		return errors.New(`configuration: a listener "tcp" block is needed`)
	}
	for name, u := range map[string]string{"api_addr": c.APIAddr, "cluster_addr": c.ClusterAddr} {
		if u == "" {
			continue
		}
		if p, err := url.Parse(u); err != nil || p.Host == "" || (p.Scheme != "http" && p.Scheme != "https") {
			return fmt.Errorf("configuration: %s = %q: want http://… or https://…", name, u)
		}
	}
	return nil
}

// node turns the files into what wiring needs.
func (c *config) node(log hclog.Logger) (*nodeConfig, error) {
	n := &nodeConfig{
		cluster: cluster.Config{DataDir: c.Storage.Path, NodeID: c.Storage.NodeID, Multiplier: c.Storage.Multiplier, NonVoter: c.Storage.NonVoter, Logger: log},
		api:     httpapi.Config{Logger: log, ClusterName: c.ClusterName, DefaultTTL: c.DefaultTTL, MaxTTL: c.MaxTTL},
	}
	n.cluster.Advertise.API = strings.TrimRight(c.APIAddr, "/")
	if c.ClusterAddr != "" {
		u, err := url.Parse(c.ClusterAddr)
		if err != nil {
			return nil, fmt.Errorf("cluster_addr: %w", err)
		}
		n.cluster.Advertise.Cluster = u.Host
	}
	n.cluster.ClusterAddr = c.Listeners[0].ClusterAddress
	if n.cluster.ClusterAddr == "" {
		addr, err := nextPort(c.Listeners[0].Address)
		if err != nil {
			return nil, err
		}
		n.cluster.ClusterAddr = addr
	}
	for _, l := range c.Listeners {
		t, err := l.tls()
		if err != nil {
			return nil, err
		}
		n.listeners = append(n.listeners, listenerConfig{address: l.Address, tls: t})
	}
	for _, j := range c.Storage.Joins {
		n.cluster.RetryJoin = append(n.cluster.RetryJoin, j.APIAddr)
	}
	var err error
	n.cluster.HTTP, err = c.Storage.httpClient()
	return n, err
}

// nextPort is where the reference puts the cluster port: after the API's.
func nextPort(addr string) (string, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("listener address %q: want host:port: %w", addr, err)
	}
	n, err := net.LookupPort("tcp", p)
	if err != nil || n >= 65535 {
		return "", fmt.Errorf("listener address %q: no port after it for the cluster", addr)
	}
	return net.JoinHostPort(host, fmt.Sprint(n+1)), nil
}

var tlsVersions = map[string]uint16{"": tls.VersionTLS12, "tls12": tls.VersionTLS12, "tls13": tls.VersionTLS13}

func (l *listenerBlock) tls() (*tls.Config, error) {
	if l.TLSDisable {
		return nil, nil
	}
	v, ok := tlsVersions[l.MinVersion]
	if !ok {
		return nil, fmt.Errorf("tls_min_version %q: tls12 and tls13 are allowed", l.MinVersion)
	}
	cert, err := tls.LoadX509KeyPair(l.CertFile, l.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("listener %s: %w", l.Address, err)
	}
	return &tls.Config{MinVersion: v, Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// httpClient asks the retry_join addresses, with the trust that the blocks name.
func (s *storageBlock) httpClient() (*http.Client, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12}
	for _, j := range s.Joins {
		if j.ServerName != "" {
			t.ServerName = j.ServerName
		}
		if j.CAFile != "" {
			pem, err := os.ReadFile(j.CAFile)
			if err != nil {
				return nil, fmt.Errorf("leader_ca_cert_file: %w", err)
			}
			if t.RootCAs == nil {
				t.RootCAs = x509.NewCertPool()
			}
			if !t.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("leader_ca_cert_file: no certificate in %s", j.CAFile)
			}
		}
		if j.CertFile != "" {
			cert, err := tls.LoadX509KeyPair(j.CertFile, j.KeyFile)
			if err != nil {
				return nil, fmt.Errorf("leader_client_cert_file: %w", err)
			}
			t.Certificates = append(t.Certificates, cert)
		}
	}
	return &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{TLSClientConfig: t}}, nil
}

// label is the type of a block: `storage "raft"`.
func label(it *ast.ObjectItem) string {
	if len(it.Keys) < 2 {
		return ""
	}
	s, _ := it.Keys[1].Token.Value().(string)
	return s
}

// at makes an error that starts with where it is.
func at(it *ast.ObjectItem, format string, args ...any) error {
	p := it.Pos()
	return fmt.Errorf("%d:%d: %s", p.Line, p.Column, fmt.Sprintf(format, args...))
}

// block decodes one block: known values, known blocks, and options to warn of.
type block struct {
	values   map[string]any // *string, *bool, *float64 or *time.Duration
	blocks   map[string]func(*ast.ObjectItem) error
	ignored  []string
	warnings []string
}

func (b *block) body(it *ast.ObjectItem) error {
	o, ok := it.Val.(*ast.ObjectType)
	if !ok {
		return at(it, "want a block in braces")
	}
	return b.decode(o.List)
}

func (b *block) decode(list *ast.ObjectList) error {
	for _, it := range list.Items {
		if len(it.Keys) == 0 {
			continue
		}
		key, _ := it.Keys[0].Token.Value().(string)
		if do := b.blocks[key]; do != nil {
			if err := do(it); err != nil {
				return err
			}
			continue
		}
		dst, ok := b.values[key]
		switch {
		case ok:
			if err := b.set(it, key, dst); err != nil {
				return err
			}
		case slices.Contains(b.ignored, key):
			if err := b.ignore(it, key); err != nil {
				return err
			}
		default:
			return at(it, "unknown option %q", key)
		}
	}
	return nil
}

func (b *block) ignore(it *ast.ObjectItem, key string) error {
	b.warnings = append(b.warnings, at(it, "option %q has no effect", key).Error())
	return nil
}

func (b *block) set(it *ast.ObjectItem, key string, dst any) error {
	lit, ok := it.Val.(*ast.LiteralType)
	if !ok {
		return at(it, "option %q: want one value", key)
	}
	text := fmt.Sprint(lit.Token.Value())
	if err := setValue(dst, text); err != nil {
		return at(it, "option %q: %v", key, err)
	}
	return nil
}
