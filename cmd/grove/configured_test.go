package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// tlsNode is the configuration of a node on free ports with a certificate.
func tlsNode(dir, id, cert, key, joins string) string {
	return fmt.Sprintf(`
ui = true
pid_file = %q
listener "tcp" {
  address       = "127.0.0.1:0"
  tls_cert_file = %q
  tls_key_file  = %q
}
storage "raft" {
  path    = %q
  node_id = %q
  %s
}
`, filepath.Join(dir, id+".pid"), cert, key, filepath.Join(dir, id), id, joins)
}

func TestConfiguredCluster(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := writeCert(t, dir, 1)
	start := func(id, joins string, vars map[string]string, hangup chan os.Signal) *server {
		file := filepath.Join(dir, id+".hcl")
		if err := os.WriteFile(file, []byte(tlsNode(dir, id, cert, key, joins)), 0o600); err != nil {
			t.Fatal(err)
		}
		return startServer(t, vars, hangup, "-config="+file, "-log-level=warn")
	}
	hangup := make(chan os.Signal)
	a := start("a", "", nil, hangup)
	addr := "https://" + a.addrs[0]
	vars := map[string]string{"VAULT_ADDR": addr, "VAULT_CACERT": cert}
	if !strings.Contains(a.stderr.String(), `a.hcl:2:1: option "ui" has no effect`) {
		t.Errorf("no warning of the option ui:\n%s", a.stderr)
	}
	if r := runCLI(t.Context(), vars, "", "status"); r.code != 2 {
		t.Errorf("status before init: %+v, want code 2", r)
	}
	if r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": addr}, "", "status"); r.code != 1 || !strings.Contains(r.errOut, "certificate") {
		t.Errorf("an unknown certificate: %+v, want code 1", r)
	}
	r := runCLI(t.Context(), vars, "", "operator", "init", "-field=root_token")
	if r.code != 0 {
		t.Fatalf("init: %+v", r)
	}
	vars["VAULT_TOKEN"] = r.out
	if r := runCLI(t.Context(), vars, "", "operator", "init"); r.code != 2 || !strings.Contains(r.errOut, "already initialized") {
		t.Errorf("second init: %+v", r)
	}

	token := func() string {
		r := runCLI(t.Context(), vars, "", "operator", "join-token", "-ttl=5m", "-field=join_token")
		if r.code != 0 || !strings.HasPrefix(r.out, "gjt.") {
			t.Fatalf("join-token: %+v", r)
		}
		return r.out
	}
	voters := func(n int) func() bool {
		return func() bool {
			r := runCLI(t.Context(), vars, "", "operator", "raft", "list-peers")
			return r.code == 0 && strings.Count(r.out, "true") == n
		}
	}
	joins := fmt.Sprintf("retry_join {\n leader_api_addr = %q\n leader_ca_cert_file = %q\n }", addr, cert)
	b := start("b", joins, map[string]string{"GROVE_JOIN_TOKEN": token()}, nil)
	eventually(t, "the second node joined by itself", voters(2))
	c := start("c", joins, nil, nil) // asks, and has nothing that lets it in
	by := token()
	onC := map[string]string{"VAULT_ADDR": "https://" + c.addrs[0], "VAULT_CACERT": cert}
	join := []string{"operator", "raft", "join", "-join-token=-", addr}
	if r := runCLI(t.Context(), onC, "", "operator", "raft", "join", addr); r.code != 2 || !strings.Contains(r.errOut, "nothing that lets it in") {
		t.Errorf("join without a token: %+v", r)
	}
	if r := runCLI(t.Context(), onC, "gjt.nonsense\n", join...); r.code != 2 || !strings.Contains(r.errOut, "malformed join token") {
		t.Errorf("join with nonsense: %+v", r)
	}
	if r := runCLI(t.Context(), onC, by+"\n", join...); r.code != 0 {
		t.Errorf("join: %+v", r)
	}
	eventually(t, "the third node joined when it was told to", voters(3))
	vars["VAULT_ADDR"] = "https://" + b.addrs[0]
	if r := runCLI(t.Context(), vars, "", "token", "lookup", "-field=display_name"); r.out != "root" {
		t.Errorf("the root token on the second node: %+v", r)
	}

	before := runCLI(t.Context(), vars, "", "operator", "rotate-ca", "-status", "-format=json")
	if r := runCLI(t.Context(), vars, "", "operator", "rotate-ca"); r.code != 0 || strings.Count(r.out, "true") != 1 || strings.Count(r.out, "\n") != 3 {
		t.Errorf("rotate-ca: %+v", r)
	}
	after := runCLI(t.Context(), vars, "", "operator", "rotate-ca", "-status", "-format=json")
	if before.code != 0 || after.code != 0 || before.out == after.out || !strings.Contains(after.out, `"rotating": false`) {
		t.Errorf("the authority before: %+v\nand after: %+v", before, after)
	}

	writeCert(t, dir, 7)
	hangup <- syscall.SIGHUP
	eventually(t, "the certificate was read again", func() bool { return serialAt(t, a.addrs[0]) == 7 })

	pid, err := os.ReadFile(filepath.Join(dir, "a.pid"))
	if want := fmt.Sprintln(os.Getpid()); err != nil || string(pid) != want {
		t.Errorf("pid file: %q, %v, want %q", pid, err, want)
	}
	for _, s := range []*server{c, b, a} {
		if code := s.end(t); code != 0 {
			t.Errorf("exit code %d:\n%s", code, s.stderr)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "a.pid")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the pid file is left: %v", err)
	}
}

// serialAt is the serial number of the certificate that a server shows.
func serialAt(t *testing.T, addr string) int64 {
	t.Helper()
	c, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestServerRefusesToStart(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	node := func(api, cluster, path string) string {
		return fmt.Sprintf("listener \"tcp\" {\n address = %q\n cluster_address = %q\n tls_disable = true\n}\nstorage \"raft\" {\n path = %q\n}\n", api, cluster, path)
	}
	const free = "127.0.0.1:0"
	for name, c := range map[string]struct{ text, want string }{
		"API port in use":     {node(busy.Addr().String(), free, t.TempDir()), busy.Addr().String() + " is in use by another process"},
		"cluster port in use": {node(free, busy.Addr().String(), t.TempDir()), busy.Addr().String() + " is in use by another process"},
		"folder not possible": {node(free, free, "/dev/null/x"), "/dev/null"},
		"bad HCL":             {"listener \"tcp\" {", "bad.hcl:1:"},
		"log level":           {node(free, free, t.TempDir()) + "log_level = \"loud\"", `Log level "loud"`},
		"pid file":            {node(free, free, t.TempDir()) + "pid_file = \"/dev/null/x\"", "Pid_file: "},
	} {
		file := filepath.Join(writeFiles(t, map[string]string{"bad.hcl": c.text}), "bad.hcl")
		r := runCLI(t.Context(), nil, "", "server", "-config="+file)
		if r.code != 1 || !strings.Contains(r.errOut, c.want) || strings.Count(r.errOut, "\n") != 1 || r.out != "" {
			t.Errorf("%s: %+v, want code 1 and one line with %q", name, r, c.want)
		}
	}
}

func TestNodeFailureEndsTheServer(t *testing.T) {
	t.Parallel()
	c := &config{Listeners: []listenerBlock{{Address: "127.0.0.1:0", TLS: tlsBlock{Disable: true}}}, Storage: &storageBlock{Path: t.TempDir(), NodeID: "n"}}
	n, err := c.plan(hclog.NewNullLogger())
	if err != nil {
		t.Fatal(err)
	}
	in, err := startNode(*n)
	if err != nil {
		t.Fatal(err)
	}
	in.failed <- errors.New("diverged")
	err = wait(context.Background(), testEnv(nil), nil, in)
	if err == nil || !strings.Contains(err.Error(), "node n FAILED and stops: diverged") {
		t.Errorf("got %v, want the node's failure", err)
	}
	if l, err := net.Listen("tcp", in.addrs[0]); err != nil {
		t.Errorf("the listener is still there: %v", err)
	} else {
		l.Close()
	}
}
