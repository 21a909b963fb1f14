package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func fullResult() Result {
	return Result{
		Workload: "failover", Nodes: []string{"http://a", "http://b"}, Clients: 8, Interrupted: true,
		Figures:  Figures{Seconds: 2.5, Count: 1234, Rate: 493.6, Errors: 3, ErrorsByClass: map[string]int64{"503": 2, "403": 1}, FirstError: "403: no", Unsent: 7},
		Latency:  Latency{Mean: 1.234, P50: 1, P90: 9.999, P99: 12.34, P999: 123.4, Max: 1234, curve: []quantile{{0, 0.5}, {0.5, 1}, {0.99, 12.34}, {1, 1234}}},
		Timeline: Timeline{SliceSeconds: 0.1, Counts: []int64{5, 0, 7}, Errors: []int64{0, 3, 0}},
		Null:     &Null{Rate: 1000, P99: 2, Ratio: 0.4936},
		Tree:     &TreeFigures{Descendants: 9, Depth: 2, BuildSeconds: 0.5, RevokeMillis: 3.21, Sampled: 20, Alive: 1},
		Failover: &FailoverFigures{LongestGap: 712.5, GapAt: 3.1, KilledAt: 3, Acknowledged: 1234, Lost: 2, Checks: 50, ChecksFailed: 4, ChecksRefused: 1},
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	const want = `workload  clients      count      per s   mean ms       p50       p90       p99     p99.9       max   errors null per s   ratio
failover        8       1234      493.6      1.23      1.00     10.00      12.3       123      1234        3     1000.0   0.494
  errors: 1 × 403, 2 × 503; the first: 403: no
  revoking a parent of 9 (depth 2): 3.21 ms; building it: 0.5 s
  alive afterwards: 1 of 20 lookups on 2 nodes, 0 unverified; longest wait of bystanders: 1234 ms
  longest gap between acknowledged writes: 712 ms, 3.1 s after the start (kill: 3.0 s)
  acknowledged: 1234, lost: 2, unverified: 0
  checks meanwhile: 50, failed: 4, refused: 1
  7 requests were due and not sent: the servers or the clients did not keep up with the rate
  interrupted after 2.5 s
create          0          0        0.0      0.00      0.00      0.00      0.00      0.00      0.00        0
`
	var b bytes.Buffer
	table := NewTable(&b, true)
	for _, r := range []Result{fullResult(), {Workload: "create"}} {
		if err := table.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	const want = `{"workload":"failover","nodes":["http://a","http://b"],"clients":8,"target_rate":0,"started":"0001-01-01T00:00:00Z","interrupted":true,` +
		`"seconds":2.5,"count":1234,"rate":493.6,"errors":3,"errors_by_status":{"403":1,"503":2},"first_error":"403: no","unsent":7,` +
		`"latency_ms":{"mean":1.234,"p50":1,"p90":9.999,"p99":12.34,"p99_9":123.4,"max":1234},"timeline":{"slice_seconds":0.1,"counts":[5,0,7],"errors":[0,3,0]},` +
		`"null":{"rate":1000,"p99_ms":2,"ratio":0.4936},` +
		`"tree":{"descendants":9,"depth":2,"build_seconds":0.5,"revoke_ms":3.21,"sampled":20,"alive":1,"unverified":0},` +
		`"failover":{"longest_gap_ms":712.5,"longest_gap_at_seconds":3.1,"killed_at_seconds":3,"acknowledged":1234,"lost":2,"unverified":0,"checks":50,"checks_failed":4,"checks_refused":1}}` + "\n"
	var b bytes.Buffer
	if err := WriteJSON(&b, fullResult()); err != nil || b.String() != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, b.String(), want)
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	for name, magic := range map[string]string{"a.svg": "<?xml", "b.PNG": "\x89PNG"} {
		file := filepath.Join(t.TempDir(), name)
		c, err := NewChart(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Save(); err != nil {
			t.Errorf("without a result: %v", err)
		}
		if _, err := os.Stat(file); err == nil {
			t.Error("a chart without a result")
		}
		for _, r := range []Result{{Workload: "empty"}, fullResult(), {Workload: "one", Timeline: Timeline{SliceSeconds: 1, Counts: []int64{0}}, Latency: Latency{curve: []quantile{{0, 0}, {1, 0}}}}} {
			c.Add(r)
			if err := c.Save(); err != nil {
				t.Errorf("%s with %s: %v", name, r.Workload, err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil || !bytes.HasPrefix(got, []byte(magic)) {
			t.Errorf("%s: %v, starts with %.8q", name, err, got)
		}
		if name == "a.svg" && !bytes.Contains(got, []byte("failover")) {
			t.Error("the chart lacks its legend")
		}
	}
}

func TestChartRefuses(t *testing.T) {
	t.Parallel()
	if _, err := NewChart("a.pdf"); err == nil || !strings.Contains(err.Error(), "-plot=a.pdf: want a name that ends with .svg or .png") {
		t.Errorf("%v", err)
	}
	c, err := NewChart(filepath.Join(t.TempDir(), "none", "a.svg"))
	if err != nil {
		t.Fatal(err)
	}
	c.Add(fullResult())
	if err := c.Save(); err == nil {
		t.Error("a chart in a folder that is not there")
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	p := paceAt(Load{Warmup: time.Hour, Duration: 5 * time.Second}, 0)
	if got := status("use", p, glance{}); got != "use: warming up" {
		t.Errorf("%q", got)
	}
	p.start = p.start.Add(-time.Hour - 2*time.Second)
	if got := status("use", p, glance{count: 10, errors: 1, p99: 1500 * time.Microsecond}); got != "use: 2 s of 5  10/s  p99 1.50 ms  1 errors" {
		t.Errorf("%q", got)
	}
}

func TestProgress(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	var b bytes.Buffer
	cfg := f.config("lookup")
	cfg.Progress = &b
	if _, err := runAll(t, cfg); err != nil {
		t.Fatal(err)
	}
	got := b.String()
	for _, want := range []string{"lookup: making 10 tokens", "lookup: 0 s", "revoking the tokens of the run"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("%q: the line stays", got)
	}
}

func TestNullHandler(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(NullHandler())
	defer s.Close()
	for _, w := range workloads {
		if !w.comparable {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			cfg := Config{Addresses: []string{s.URL}, Token: "t", Workloads: []string{w.name}, Load: Load{Clients: 2, Count: 20}, Tokens: Tokens{Stock: 20}}
			all, err := runAll(t, cfg)
			if r := all[w.name]; err != nil || r.Count != 20 || r.Errors != 0 {
				t.Errorf("%+v, %v", r.Figures, err)
			}
		})
	}
	resp, err := http.Get(s.URL + pathLookupSelf)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var in struct{ Data map[string]any }
	if err := json.NewDecoder(resp.Body).Decode(&in); err != nil || in.Data["id"] != nullToken {
		t.Errorf("%+v, %v", in, err)
	}
	bad, err := http.Post(s.URL+pathCreate, "application/json", strings.NewReader("{"))
	if err != nil {
		t.Fatal(err)
	}
	defer bad.Body.Close()
	if bad.StatusCode != http.StatusBadRequest {
		t.Errorf("half a body: %s", bad.Status)
	}
}

func TestServeNull(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan error, 1)
	err := ServeNull(ctx, "127.0.0.1:0", nil, func(url string) error {
		go func() {
			resp, err := http.Get(url + pathLookupSelf)
			if err == nil {
				err = resp.Body.Close()
			}
			asked <- err
			cancel()
		}()
		return nil
	})
	if err != nil {
		t.Errorf("stopped with %v", err)
	}
	if err := <-asked; err != nil {
		t.Error(err)
	}
	if err := ServeNull(t.Context(), "nowhere:x", nil, nil); err == nil {
		t.Error("served an address that is none")
	}
	if err := ServeNull(t.Context(), "127.0.0.1:0", nil, func(string) error { return io.ErrShortWrite }); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("%v, want the error of ready", err)
	}
}

func TestServeNullTLS(t *testing.T) {
	t.Parallel()
	like := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate and a client that trusts it
	defer like.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	asked := make(chan error, 1)
	err := ServeNull(ctx, "127.0.0.1:0", &tls.Config{Certificates: like.TLS.Certificates}, func(url string) error {
		go func() {
			resp, err := like.Client().Get(url + pathLookupSelf)
			if err == nil && resp.StatusCode != http.StatusOK {
				err = errors.New(resp.Status)
			}
			if err == nil {
				err = resp.Body.Close()
			}
			asked <- err
			cancel()
		}()
		return nil
	})
	if err := errors.Join(err, <-asked); err != nil {
		t.Error(err)
	}
}

func TestNullProcess(t *testing.T) {
	t.Parallel()
	url, stop, err := NullProcess("sh", "-c", "echo serving on http://127.0.0.1:1; exec sleep 600")(t.Context())
	if err != nil || url != "http://127.0.0.1:1" {
		t.Fatalf("%q, %v", url, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, _, err := NullProcess("sh", "-c", "exit 1")(t.Context()); err == nil || !strings.Contains(err.Error(), "does not come up") {
		t.Errorf("%v", err)
	}
	if _, _, err := NullProcess("/none")(t.Context()); err == nil {
		t.Error("a program that is not there runs")
	}
}
