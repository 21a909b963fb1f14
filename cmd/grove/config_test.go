package main

import (
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// testEnv is an environment with the given variables.
func testEnv(vars map[string]string) *environment {
	return &environment{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, getenv: func(k string) string { return vars[k] }}
}

// writeFiles writes files into a new folder, and returns it.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	plainListener = "listener \"tcp\" {\n  address = \"127.0.0.1:8200\"\n  tls_disable = true\n}\n"
	someStorage   = "storage \"raft\" {\n  path = \"/data\"\n}\n"
)

// reference is a file as it is written for Vault's integrated storage.
const reference = `
ui            = true
disable_mlock = true
cluster_name  = "prod"
api_addr      = "https://a.example:8200"
cluster_addr  = "https://a.example:8201"
log_level     = "warn"
log_format    = "json"
default_lease_ttl = "24h"
max_lease_ttl     = 2592000

listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "10.0.0.1:8201"
  tls_cert_file   = "/tls/a.pem"
  tls_key_file    = "/tls/a.key"
  tls_min_version = "tls13"
  tls_client_ca_file = "/tls/ca.pem"
  telemetry { unauthenticated_metrics_access = true }
}
listener "tcp" {
  address     = "127.0.0.1:8300"
  tls_disable = 1
}

storage "raft" {
  path    = "/data"
  node_id = "a"
  performance_multiplier = 2
  trailing_logs = "10000"
  snapshot_threshold = 8192
  snapshot_interval = "2m"
  max_clock_skew = "5s"
  state_check_interval = "90s"
  max_entry_size = 1048576
  retry_join {
    leader_api_addr       = "https://b.example:8200"
    leader_tls_servername = "b"
    leader_ca_cert_file   = "/tls/ca.pem"
  }
  retry_join {
    leader_api_addr = "https://c.example:8200"
  }
}

telemetry {
  statsite_address = "127.0.0.1:8125"
}
seal "awskms" {
  region = "eu"
}
`

func TestReferenceConfiguration(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{"a.hcl": reference})
	got, warnings, err := loadConfig([]string{dir}, testEnv(nil))
	if err != nil {
		t.Fatal(err)
	}
	want := &config{
		APIAddr: "https://a.example:8200", ClusterAddr: "https://a.example:8201", ClusterName: "prod", LogLevel: "warn", LogFormat: "json",
		DefaultTTL: 24 * time.Hour, MaxTTL: 720 * time.Hour,
		Listeners: []listenerBlock{
			{Address: "0.0.0.0:8200", ClusterAddress: "10.0.0.1:8201", TLS: tlsBlock{CertFile: "/tls/a.pem", KeyFile: "/tls/a.key", MinVersion: "tls13", ClientCAFile: "/tls/ca.pem"}},
			{Address: "127.0.0.1:8300", TLS: tlsBlock{Disable: true}},
		},
		Storage: &storageBlock{Path: "/data", NodeID: "a", Multiplier: 2, Joins: []joinBlock{
			{APIAddr: "https://b.example:8200", ServerName: "b", CAFile: "/tls/ca.pem"}, {APIAddr: "https://c.example:8200"},
		}, Snapshots: snapshotOptions{Threshold: 8192, Trailing: 10000, Interval: 2 * time.Minute}, ClockSkew: 5 * time.Second, CheckInterval: 90 * time.Second},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	file := filepath.Join(dir, "a.hcl")
	wantWarnings := []string{
		file + `:2:1: option "ui" has no effect in Grove`,
		file + `:3:1: option "disable_mlock" has no effect in Grove`,
		file + `:19:3: option "telemetry" in listener "tcp" has no effect in Grove`,
		file + `:35:3: option "max_entry_size" in storage "raft" has no effect in Grove`,
		file + `:46:1: option "telemetry" has no effect in Grove`,
		file + `:49:1: option "seal" has no effect in Grove`,
	}
	if !reflect.DeepEqual(warnings, wantWarnings) {
		t.Errorf("warnings %q\nwant     %q", warnings, wantWarnings)
	}
}

func TestBadConfiguration(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"no storage":          {plainListener, `a storage "raft" block with a path is needed`},
		"no listener":         {someStorage, `a listener "tcp" block is needed`},
		"no path":             {plainListener + `storage "raft" {}`, `storage "raft" needs a path`},
		"unknown at the top":  {plainListener + someStorage + "\n  foo = 1", `x.hcl:9:3: unknown option "foo"`},
		"unknown in a block":  {"storage \"raft\" {\n  pth = \"/data\"\n}", `x.hcl:2:3: unknown option "pth" in storage "raft"`},
		"unknown in a join":   {"storage \"raft\" {\n  retry_join {\n    leader = \"x\"\n  }\n}", `x.hcl:3:5: unknown option "leader" in retry_join`},
		"negative threshold":  {plainListener + "storage \"raft\" {\n  path = \"/d\"\n  snapshot_threshold = -1\n}", "cannot be negative"},
		"list for text":       {`api_addr = ["x"]`, `x.hcl:1:1: option "api_addr": want text, got a list`},
		"flag for text":       {`cluster_name = true`, `x.hcl:1:1: option "cluster_name": want text, got true`},
		"text for flag":       {"listener \"tcp\" {\n  tls_disable = \"maybe\"\n}", `x.hcl:2:3: option "tls_disable": want true or false, got "maybe"`},
		"text for number":     {"storage \"raft\" {\n  performance_multiplier = \"fast\"\n}", `x.hcl:2:3: option "performance_multiplier": want a number, got "fast"`},
		"text for duration":   {`max_lease_ttl = "long"`, `x.hcl:1:1: option "max_lease_ttl": want a number of seconds or a duration such as "768h", got "long"`},
		"block for value":     {`log_level "x" { }`, `x.hcl:1:1: option "log_level" is written as a block`},
		"value for block":     {`listener = 3`, `x.hcl:1:1: listener "": only listener "tcp" is supported`},
		"other storage":       {`storage "file" { path = "/x" }`, `x.hcl:1:1: storage "file": only storage "raft" is supported`},
		"two storages":        {someStorage + someStorage, `x.hcl:4:1: a second storage block`},
		"other listener":      {`listener "unix" { address = "/x" }`, `x.hcl:1:1: listener "unix": only listener "tcp" is supported`},
		"no certificate":      {`listener "tcp" {}`, `tls_cert_file and tls_key_file are needed, or tls_disable = true`},
		"old TLS":             {`listener "tcp" { tls_cert_file = "a", tls_key_file = "b", tls_min_version = "tls10" }`, `tls_min_version "tls10": tls12 and tls13 are allowed`},
		"insecure cipher":     {`listener "tcp" { tls_cert_file = "a", tls_key_file = "b", tls_cipher_suites = "TLS_RSA_WITH_RC4_128_SHA" }`, `"TLS_RSA_WITH_RC4_128_SHA" is unknown or insecure`},
		"address":             {`listener "tcp" { address = "localhost", tls_disable = true }`, `address "localhost": want host:port`},
		"same address":        {someStorage + plainListener + plainListener, `two listeners have the address 127.0.0.1:8200`},
		"join without":        {"storage \"raft\" {\n  retry_join { }\n}", `x.hcl:2:3: retry_join needs leader_api_addr`},
		"join by cloud":       {"storage \"raft\" {\n  retry_join { auto_join = \"provider=aws\" }\n}", `auto_join is not supported`},
		"join no URL":         {"storage \"raft\" {\n  retry_join { leader_api_addr = \"b:8200\" }\n}", `leader_api_addr = "b:8200": want http`},
		"api_addr no URL":     {plainListener + someStorage + `api_addr = "nope"`, `api_addr = "nope": want http://host:port`},
		"default above max":   {plainListener + someStorage + "default_lease_ttl = \"2h\"\nmax_lease_ttl = \"1h\"", `default_lease_ttl = 2h0m0s is above max_lease_ttl = 1h0m0s`},
		"clock skew":          {plainListener + "storage \"raft\" {\n path = \"/d\"\n max_clock_skew = \"1ms\"\n}", `max_clock_skew = 1ms: want 1s or more`},
		"state check":         {plainListener + "storage \"raft\" {\n path = \"/d\"\n state_check_interval = \"1ms\"\n}", `state_check_interval = 1ms: want 1s or more`},
		"multiplier":          {plainListener + "storage \"raft\" {\n path = \"/d\"\n performance_multiplier = 200\n}", `performance_multiplier = 200: want 0 to 100`},
		"open brace":          {"storage \"raft\" {\n  path = \"/d\"\n", `x.hcl:3:2: object expected closing RBRACE got: EOF`},
		"given twice":         {"log_level = \"a\"\nlog_level = \"b\"", `x.hcl:2:1: `},
		"JSON syntax":         {"{\"log_level\":\n  ,}", `x.hcl:2:3: `},
		"JSON cut":            {`{"log_level": "a"`, `x.hcl:1:18: `},
		"JSON unknown option": {"{\"storage\": {\"raft\": {\"path\": \"/d\",\n  \"foo\": 1}}}", `x.hcl:2:3: unknown option "foo" in storage "raft"`},
		"JSON after the end":  {"{} {}", `text after the closing brace`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := writeFiles(t, map[string]string{"x.hcl": c.text})
			_, _, err := loadConfig([]string{filepath.Join(dir, "x.hcl")}, testEnv(nil))
			if err == nil {
				t.Fatalf("accepted, want an error with %q", c.want)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q, want it to have %q", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("error of several lines: %q", err)
			}
		})
	}
}

func TestConfigFolder(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{
		"b.json": `{"log_level": "debug", "storage": {"raft": {"path": "/data"}}}`,
		"a.hcl":  plainListener + `log_level = "info"`,
		"c.txt":  "not read",
	})
	c, _, err := loadConfig([]string{dir}, testEnv(nil))
	if err != nil {
		t.Fatal(err)
	}
	if c.LogLevel != "debug" || c.Storage.Path != "/data" || len(c.Listeners) != 1 {
		t.Errorf("got %+v, want the later file's log level and both blocks", c)
	}
	if _, _, err := loadConfig([]string{t.TempDir()}, testEnv(nil)); err == nil || !strings.Contains(err.Error(), "no .hcl or .json file") {
		t.Errorf("empty folder: %v", err)
	}
	if _, _, err := loadConfig([]string{filepath.Join(dir, "none")}, testEnv(nil)); err == nil {
		t.Error("a missing file was accepted")
	}
}

func TestConfigEnvironment(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{"a.hcl": plainListener + someStorage + `api_addr = "http://a:1"`})
	c, _, err := loadConfig([]string{dir}, testEnv(map[string]string{
		"VAULT_API_ADDR": "http://b:2", "GROVE_RAFT_NODE_ID": "n", "VAULT_RAFT_NODE_ID": "lost", "VAULT_RAFT_PATH": "/p",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if c.APIAddr != "http://b:2" || c.Storage.NodeID != "n" || c.Storage.Path != "/p" {
		t.Errorf("got api_addr %q, node_id %q, path %q", c.APIAddr, c.Storage.NodeID, c.Storage.Path)
	}
}

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]time.Duration{"0": 0, "90": 90 * time.Second, "1h30m": 90 * time.Minute, "30d": 720 * time.Hour} {
		if got, err := parseDuration(in); err != nil || got != want {
			t.Errorf("parseDuration(%q) = %v, %v, want %v", in, got, err, want)
		}
	}
	for _, in := range []string{"", "d", "1x", "99999999999999", "9999999999d"} {
		if got, err := parseDuration(in); err == nil {
			t.Errorf("parseDuration(%q) = %v, want an error", in, got)
		}
	}
}
