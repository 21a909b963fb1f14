package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// recordsOf returns the paths of the requests that a file has, one a record.
func recordsOf(t *testing.T, file string) (paths []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(b) {
		var e struct {
			Type    string
			Request struct{ Path string }
		}
		if err := json.Unmarshal(line, &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		paths = append(paths, e.Type+" "+e.Request.Path)
	}
	return paths
}

func ask(t *testing.T, addr, token, method, path, body string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, addr+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Vault-Token", token)
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	a.Body.Close()
	return a.StatusCode
}

// TestAuditOnThreeNodes: what one node enables, all record from the next request on; the command line does
// it.
func TestAuditOnThreeNodes(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil, nil, "-dev", "-dev-nodes=3", "-dev-listen-address=127.0.0.1:0")
	defer s.end(t)
	file := filepath.Join(t.TempDir(), "audit.log")
	do := func(node int, want string, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		vars := map[string]string{"VAULT_ADDR": s.addrs[node], "VAULT_TOKEN": s.root}
		env := &environment{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, getenv: func(k string) string { return vars[k] }}
		run(t.Context(), args, env)
		if !strings.Contains(out.String()+errs.String(), want) {
			t.Fatalf("%v: %s%s, want %q", args, out.String(), errs.String(), want)
		}
		return out.String()
	}
	do(0, "No audit devices are enabled", "audit", "list")
	do(1, "Success! Enabled the file audit device at: log/", "audit", "enable", "-path=log", "-description=all", "file", "file_path="+file)
	for i, addr := range s.addrs {
		before := len(recordsOf(t, file))
		path := fmt.Sprintf("sys/policies/acl/p%d", i)
		if got := ask(t, addr, s.root, "PUT", path, `{"policy":"path \"x\" {}"}`); got != http.StatusNoContent {
			t.Fatalf("node %d: %d", i, got)
		}
		got := recordsOf(t, file)
		if want := []string{"request " + path, "response " + path}; len(got) != before+2 || got[before] != want[0] || got[before+1] != want[1] {
			t.Errorf("node %d: records %v after %d, want %v", i, got, before, want)
		}
	}
	do(2, "log/    file    all", "audit", "list")
	do(2, "file_path", "audit", "list", "-detailed", "-format=json")
	do(2, "already in use", "audit", "enable", "-path=log", "file", "file_path="+file)
	do(0, "sanity check failed", "audit", "enable", "file", "file_path="+filepath.Dir(file))
	do(2, "Success! Disabled audit device (if it was enabled) at: log/", "audit", "disable", "log/")
	before := len(recordsOf(t, file))
	for _, addr := range s.addrs {
		ask(t, addr, s.root, "GET", "auth/token/lookup-self", "")
	}
	if n := len(recordsOf(t, file)); n != before {
		t.Errorf("%d records after the device was disabled", n-before)
	}
}

// TestAuditRotation: SIGHUP opens a file again that was moved away; a restart opens all devices.
func TestAuditRotation(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := filepath.Join(dir, "grove.hcl")
	text := fmt.Sprintf("storage \"raft\" {\n path = %q\n node_id = \"n1\"\n}\nlistener \"tcp\" {\n address = \"127.0.0.1:0\"\n cluster_address = \"127.0.0.1:0\"\n tls_disable = true\n}\n", filepath.Join(dir, "data"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	hangup := make(chan os.Signal, 1)
	s := startServer(t, nil, hangup, "-config="+config)
	addr := "http://" + s.addrs[0]
	root := initialized(t, addr)
	file := filepath.Join(dir, "audit.log")
	if got := ask(t, addr, root, "PUT", "sys/audit/f", fmt.Sprintf(`{"type":"file","options":{"file_path":%q}}`, file)); got != http.StatusNoContent {
		t.Fatalf("enable: %d", got)
	}
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	hangup <- syscall.SIGHUP
	soon(t, "the new file", func() bool {
		return ask(t, addr, root, "GET", "auth/token/lookup-self", "") == 200 && len(recordsOf(t, file)) > 0
	})
	s.end(t)
	before := len(recordsOf(t, file))
	s = startServer(t, nil, nil, "-config="+config)
	defer s.end(t)
	addr = "http://" + s.addrs[0]
	soon(t, "an answer after the restart", func() bool { return ask(t, addr, root, "GET", "auth/token/lookup-self", "") == 200 })
	if n := len(recordsOf(t, file)); n < before+2 {
		t.Errorf("%d records after the restart, %d before", n, before)
	}
}

// initialized makes the cluster and returns its root token.
func initialized(t *testing.T, addr string) string {
	t.Helper()
	var out struct {
		Root string `json:"root_token"`
	}
	soon(t, "init", func() bool {
		a, err := http.Post(addr+"/v1/sys/init", "application/json", strings.NewReader(`{"secret_shares":1,"secret_threshold":1}`))
		if err != nil {
			return false
		}
		defer a.Body.Close()
		return a.StatusCode == 200 && json.NewDecoder(a.Body).Decode(&out) == nil
	})
	return out.Root
}

func soon(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: " + what)
		}
	}
}
