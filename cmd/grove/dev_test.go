package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDevCluster(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	s := startServer(t, map[string]string{"TMPDIR": tmp}, nil, "-dev", "-dev-nodes=3", "-dev-listen-address=127.0.0.1:0")
	if len(s.addrs) != 3 || s.root == "" {
		t.Fatalf("ready with addresses %q and root token %q", s.addrs, s.root)
	}
	banner := s.stdout.String()
	for _, want := range append([]string{s.root, "export VAULT_ADDR=", "grove token create"}, s.addrs...) {
		if !strings.Contains(banner, want) {
			t.Errorf("the banner lacks %q:\n%s", want, banner)
		}
	}
	a, b, c := s.addrs[0], s.addrs[1], s.addrs[2]
	parent := grove(t, a, s.root, "token", "create", "-field=token", "-ttl=1h")
	child := grove(t, b, parent, "token", "create", "-field=token", "-policy=default", "-metadata=a=b")
	if got := grove(t, c, child, "token", "lookup", "-field=meta"); got != "map[a:b]" {
		t.Errorf("meta of the child on the third node: %q", got)
	}
	limited := grove(t, b, s.root, "token", "create", "-field=token", "-policy=default", "-use-limit=3")
	for _, addr := range s.addrs {
		grove(t, addr, limited, "token", "lookup")
	}
	for _, addr := range s.addrs {
		denied(t, addr, limited, "token", "lookup")
	}
	grove(t, c, s.root, "token", "revoke", parent)
	denied(t, a, child, "token", "lookup")

	for _, addr := range s.addrs {
		if got := grove(t, addr, s.root, "operator", "raft", "list-peers"); strings.Count(got, "true") != 3 || strings.Count(got, "leader") != 1 {
			t.Errorf("peers of %s:\n%s", addr, got)
		}
		if got := grove(t, addr, "", "status", "-format=json"); !strings.Contains(got, `"sealed": false`) {
			t.Errorf("status of %s:\n%s", addr, got)
		}
	}
	grove(t, b, s.root, "operator", "step-down")
	grove(t, c, s.root, "write", "auth/token/roles/r", "allowed_policies=default")
	if got := grove(t, a, s.root, "list", "auth/token/roles"); got != "Keys\n----\nr\n" {
		t.Errorf("roles: %q", got)
	}
	if code := s.end(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, s.stderr)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestDevDataIsKept(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	args := []string{"-dev", "-dev-listen-address=127.0.0.1:0", "-dev-data=" + dir}
	vars := map[string]string{"VAULT_DEV_ROOT_TOKEN_ID": "root"}
	s := startServer(t, vars, nil, args...)
	child := grove(t, s.addrs[0], "root", "token", "create", "-field=token")
	if code := s.end(t); code != 0 {
		t.Fatalf("exit code %d:\n%s", code, s.stderr)
	}
	s = startServer(t, vars, nil, args...)
	grove(t, s.addrs[0], "root", "token", "lookup", child)
	grove(t, s.addrs[0], child, "token", "lookup")
	s.end(t)
	r := runCLI(t.Context(), nil, "", append([]string{"server", "-log-level=off", "-dev-root-token-id=other"}, args...)...)
	if r.code != 1 || !strings.Contains(r.errOut, "does not know the given root token") || strings.Count(r.errOut, "\n") != 1 {
		t.Errorf("another root token: %+v", r)
	}
}

func TestDevShape(t *testing.T) {
	t.Parallel()
	one, moved, three := devShape{1, "a:1"}, devShape{1, "a:2"}, devShape{3, "a:2"}
	file := filepath.Join(t.TempDir(), "dev.json")
	for _, s := range []devShape{one, one, moved, three, three} {
		if err := s.keep(file); err != nil {
			t.Fatalf("%+v: %v", s, err)
		}
	}
	for _, s := range []devShape{one, moved, {3, "a:1"}, {5, "a:2"}} {
		if err := s.keep(file); err == nil || !strings.Contains(err.Error(), "-dev-nodes=3 -dev-listen-address=a:2") {
			t.Errorf("%+v over a cluster of three: %v, want a refusal", s, err)
		}
	}
}

func TestDevRefuses(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tmp := t.TempDir()
	vars := map[string]string{"TMPDIR": tmp}
	for _, c := range []struct{ flag, want string }{
		{"-dev-listen-address=" + l.Addr().String(), "Node 1: listener " + l.Addr().String()},
		{"-dev-listen-address=127.0.0.1:65534", "room for 1 node"},
		{"-dev-data=/dev/null/x", "-dev-data: mkdir"},
	} {
		r := runCLI(t.Context(), vars, "", "server", "-dev", c.flag)
		if r.code != 1 || !strings.Contains(r.errOut, c.want) || strings.Count(r.errOut, "\n") != 1 || r.out != "" {
			t.Errorf("%s: %+v, want code 1 and one line with %q", c.flag, r, c.want)
		}
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
