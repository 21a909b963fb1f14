package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// benchResult is what the tests look at in the JSON of a result.
type benchResult struct {
	Workload      string
	Count, Errors int
	Latency       struct{ Max float64 } `json:"latency_ms"`
	Tree          struct{ Descendants, Sampled, Alive int }
	Failover      struct{ Acknowledged, Lost, Unverified int }
}

func TestBench(t *testing.T) {
	t.Parallel()
	s := startServer(t, nil, nil, "-dev", "-dev-nodes=3", "-dev-listen-address=127.0.0.1:0")
	vars := map[string]string{"VAULT_ADDR": strings.Join(s.addrs, ","), "VAULT_TOKEN": s.root}
	plot := filepath.Join(t.TempDir(), "plot.svg")
	workloads := []string{"create", "lookup", "use", "renew", "revoke", "mixed", "tree", "fill", "failover"}
	r := runCLI(t.Context(), vars, "", "bench", "-format=json", "-clients=4", "-count=60", "-tokens=60", "-warmup=10ms", "-depth=5", "-children=30", "-timeout=1m",
		"-plot="+plot, "create,lookup,use", "renew", "revoke", "mixed", "tree", "fill", "failover")
	if r.code != 0 || r.errOut != "" {
		t.Fatalf("code %d: %s", r.code, r.errOut)
	}
	d := json.NewDecoder(strings.NewReader(r.out))
	for _, name := range workloads {
		var got benchResult
		if err := d.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got.Workload != name || got.Errors != 0 || got.Latency.Max <= 0 || name != "tree" && got.Count != 60 {
			t.Errorf("%+v, want 60 × %s", got, name)
		}
		if name == "tree" && (got.Tree.Descendants != 35 || got.Tree.Sampled != 3*36 || got.Tree.Alive != 0) {
			t.Errorf("%+v", got.Tree)
		}
		if name == "failover" && (got.Failover.Acknowledged != 60 || got.Failover.Lost != 0 || got.Failover.Unverified != 0) {
			t.Errorf("%+v", got.Failover)
		}
	}
	if b, err := os.ReadFile(plot); err != nil || !strings.Contains(string(b), "failover") {
		t.Errorf("plot: %v, %d bytes", err, len(b))
	}
	if got := strings.Count(grove(t, s.addrs[0], s.root, "list", "auth/token/accessors"), "\n"); got < 60 || got > 64 {
		t.Errorf("%d lines of accessors: want the 60 of fill, and the root's", got)
	}
	table := runCLI(t.Context(), map[string]string{"VAULT_ADDR": s.addrs[1]}, "", "bench", "-token="+s.root, "-count=5", "-warmup=0", "create")
	if table.code != 0 || !strings.HasPrefix(table.out, "workload ") || strings.Count(table.out, "\n") != 2 || table.errOut != "" {
		t.Errorf("%+v", table)
	}
}

func TestBenchRefuses(t *testing.T) {
	t.Parallel()
	f := newFake(t, always(403, `{"errors":["permission denied"]}`))
	vars := map[string]string{"VAULT_ADDR": f.URL, "VAULT_TOKEN": "t"}
	for args, want := range map[string]string{
		"":                            "Name at least one workload: create, lookup",
		"lookup,none":                 `Workload "none": create, lookup, use, renew, revoke, mixed, tree, fill, failover are allowed`,
		"lookup -address=localhost:1": `Address "localhost:1": want http://`,
		"lookup -format=yaml":         `Format "yaml": table and json are allowed`,
		"lookup -plot=x.gif":          "-plot=x.gif: want a name that ends with .svg or .png",
		"lookup -clients=-1":          "-clients=-1",
		"lookup -ca-cert=/none":       "CA certificate",
		"lookup -bogus":               "Unknown flag: --bogus",
		"-null=nowhere:x":             "Null server: listen",
	} {
		r := runCLI(t.Context(), vars, "", append([]string{"bench"}, strings.Fields(args)...)...)
		if r.code != 1 || !strings.Contains(r.errOut, want) || r.out != "" {
			t.Errorf("grove bench %s: %+v, want code 1 and %q", args, r, want)
		}
	}
	if _, n := f.requests(); n != 0 {
		t.Errorf("%d wrong calls reached the server", n)
	}
	r := runCLI(t.Context(), vars, "", "bench", "lookup")
	if r.code != 2 || r.errOut != "Lookup: making a token: 403: permission denied\n" || r.out != "" {
		t.Errorf("%+v, want code 2", r)
	}
	r = runCLI(t.Context(), map[string]string{"VAULT_ADDR": f.URL, "HOME": t.TempDir()}, "", "bench", "lookup")
	if r.code != 1 || !strings.Contains(r.errOut, "No token: set VAULT_TOKEN") {
		t.Errorf("%+v, want code 1", r)
	}
}

func TestBenchNull(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &lockedBuffer{}
	env := &environment{stdin: strings.NewReader(""), stdout: out, stderr: &lockedBuffer{}, getenv: func(string) string { return "" }}
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"bench", "-null=127.0.0.1:0"}, env) }()
	eventually(t, "the null server is up", func() bool { return strings.HasSuffix(out.String(), "\n") })
	url, ok := strings.CutPrefix(strings.TrimSpace(out.String()), "Null server on ")
	if !ok {
		t.Fatalf("%q", out)
	}
	r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": url, "VAULT_TOKEN": "t"}, "", "bench", "-count=10", "-warmup=0", "lookup")
	if r.code != 0 {
		t.Errorf("%+v", r)
	}
	cancel()
	select {
	case c := <-code:
		if c != 0 {
			t.Errorf("code %d", c)
		}
	case <-time.After(time.Minute):
		t.Error("the null server does not stop")
	}
}

func TestBenchNullFlags(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a certificate without -null": {[]string{"-null-cert=x", "lookup"}, "they need -null"},
		"no such certificate":         {[]string{"-null=127.0.0.1:0", "-null-cert=/nowhere", "-null-key=/nowhere"}, "-null-cert and -null-key: open /nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			if r := runCLI(t.Context(), nil, "", append([]string{"bench"}, c.args...)...); r.code != 1 || !strings.Contains(r.errOut, c.want) {
				t.Errorf("%+v, want %q", r, c.want)
			}
		})
	}
}
