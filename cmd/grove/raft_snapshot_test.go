package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inspected is what `inspect` says of a file.
func inspected(t *testing.T, file string) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal([]byte(grove(t, "http://127.0.0.1:1", "", "operator", "raft", "snapshot", "inspect", "-format=json", file)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestSnapshotCommands: what was saved of one cluster is the state of another, through any node.
func TestSnapshotCommands(t *testing.T) {
	t.Parallel()
	from := startServer(t, nil, nil, "-dev", "-dev-nodes=3", "-dev-listen-address=127.0.0.1:0")
	to := startServer(t, nil, nil, "-dev", "-dev-nodes=3", "-dev-listen-address=127.0.0.1:0")
	dir := t.TempDir()
	file, again := filepath.Join(dir, "a.snap"), filepath.Join(dir, "b.snap")
	snap := func(args ...string) []string { return append([]string{"operator", "raft", "snapshot"}, args...) }
	id := grove(t, from.addrs[0], from.root, "token", "create", "-field=token", "-ttl=1h")
	if out := grove(t, from.addrs[1], from.root, snap("save", file)...); !strings.Contains(out, "verified") {
		t.Errorf("save: %q", out)
	}
	grove(t, from.addrs[1], from.root, "token", "revoke", id)
	denied(t, from.addrs[2], id, "token", "lookup")

	before := inspected(t, file)
	if before["counts"].(map[string]any)["tokens"].(float64) < 2 || before["live_tokens"].(float64) < 2 {
		t.Errorf("inspect: %v", before)
	}
	r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": to.addrs[0], "VAULT_TOKEN": to.root}, "", snap("restore", file)...)
	if r.code != 2 || !strings.Contains(r.errOut, "-force") {
		t.Errorf("a snapshot of another cluster without force: %+v", r)
	}
	out := grove(t, to.addrs[1], to.root, snap("restore", "-force", "-format=json", file)...)
	if !strings.Contains(out, before["state_hash"].(string)) || !strings.Contains(out, "WORK AGAIN") {
		t.Errorf("restore: %s", out)
	}
	for _, addr := range to.addrs {
		grove(t, addr, id, "token", "lookup")
		denied(t, addr, to.root, "token", "lookup")
	}
	grove(t, to.addrs[2], from.root, snap("save", again)...)
	if after := inspected(t, again); after["state_hash"] != before["state_hash"] || after["cluster_id"] == before["cluster_id"] {
		t.Errorf("after the restore: %v, before %v", after, before)
	}
	wrongFiles(t, to.addrs, from.root, file)
	grove(t, to.addrs[0], id, "token", "lookup")
	from.end(t)
	to.end(t)
}

// wrongFiles are refused by the commands, and by the API of every node.
func wrongFiles(t *testing.T, addrs []string, root, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(b)
	flipped[len(b)/3] ^= 0x10
	bad := filepath.Join(t.TempDir(), "bad.snap")
	for name, content := range map[string][]byte{"flipped": flipped, "cut": b[:len(b)-3], "longer": append(bytes.Clone(b), "x"...), "large garbage": make([]byte, 33<<20)} {
		if err := os.WriteFile(bad, content, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"restore", "inspect"} {
			r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": addrs[0], "VAULT_TOKEN": root}, "", "operator", "raft", "snapshot", command, bad)
			if r.code == 0 || !strings.Contains(r.errOut, "corrupt snapshot") {
				t.Errorf("%s of a %s file: %+v", command, name, r)
			}
		}
		for _, addr := range addrs[:2] {
			if status, text := post(t, addr, root, content); status != http.StatusBadRequest || !strings.Contains(text, "corrupt snapshot") {
				t.Errorf("a %s file sent to the API: %d %s", name, status, text)
			}
		}
	}
	if status, _ := post(t, addrs[0], "wrong", b); status != http.StatusForbidden {
		t.Errorf("without a token: %d", status)
	}
}

func post(t *testing.T, addr, token string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, addr+"/v1/sys/storage/raft/snapshot-force", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// TestHalfASnapshotIsNotSaved: an answer that ends early, or is none, leaves no file and the old one.
func TestHalfASnapshotIsNotSaved(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(int, http.ResponseWriter){
		"cut": func(_ int, w http.ResponseWriter) {
			io.WriteString(w, "GROVESNP\x00\x01")
			panic(http.ErrAbortHandler)
		},
		"garbage": always(200, `{"data":{}}`),
		"denied":  always(403, `{"errors":["permission denied"]}`),
	} {
		f := newFake(t, answer)
		dir := t.TempDir()
		file := filepath.Join(dir, "x.snap")
		if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": f.URL, "VAULT_TOKEN": "t"}, "", "operator", "raft", "snapshot", "save", file)
		if r.code == 0 {
			t.Errorf("%s: saved: %+v", name, r)
		}
		b, err := os.ReadFile(file)
		entries, _ := os.ReadDir(dir)
		if err != nil || string(b) != "old" || len(entries) != 1 {
			t.Errorf("%s: the old file is %q, %v; the folder has %v", name, b, err, entries)
		}
	}
}
