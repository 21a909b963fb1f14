package bench

import (
	"context"
	"errors"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

func TestSteadyWorkloads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		load Load
		path string
		want int // requests of that path, with what is made beforehand
	}{
		{"create", Load{Count: 40}, pathCreate, 41},
		{"create", Load{Count: 40, Rate: 1000}, pathCreate, 41},
		{"lookup", Load{Count: 40}, pathLookupSelf, 40},
		{"use", Load{Count: 40}, pathLookupSelf, 40},
		{"renew", Load{Count: 40}, pathRenewSelf, 40},
		{"revoke", Load{Count: 10}, pathRevoke, 11},
		{"fill", Load{Count: 40}, pathCreate, 40},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 2)
			cfg := f.config(c.name)
			cfg.Load = c.load
			cfg.Load.Clients, cfg.Load.Timeout = 4, time.Minute
			all, err := runAll(t, cfg)
			r := all[c.name]
			if err != nil || r.Count != int64(c.load.Count) || r.Errors != 0 || r.Interrupted || r.Rate <= 0 || r.Latency.Max <= 0 {
				t.Errorf("%+v, %v", r, err)
			}
			if got := f.count(c.path); got != c.want {
				t.Errorf("%d requests of %s, want %d", got, c.path, c.want)
			}
			left := 0
			if c.name == "fill" {
				left = c.load.Count
			}
			if got := f.living(); got != left {
				t.Errorf("%d tokens are left, want %d", got, left)
			}
			for _, a := range f.addresses {
				if f.nodes[strings.TrimPrefix(a, "http://")] == 0 {
					t.Errorf("nobody asked %s", a)
				}
			}
		})
	}
}

func TestMixed(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	cfg := f.config("mixed")
	cfg.Load.Clients, cfg.Load.Count = 1, 1000
	all, err := runAll(t, cfg)
	if r := all["mixed"]; err != nil || r.Count != 1000 || r.Errors != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	looks, renewals, revocations := f.count(pathLookupSelf), f.count(pathRenewSelf), f.count(pathRevokeSelf)
	if looks < 900 || looks > 980 || renewals == 0 || revocations == 0 || f.living() != 0 {
		t.Errorf("of 1000: %d lookups, %d renewals, %d revocations; %d tokens left", looks, renewals, revocations, f.living())
	}
}

func TestWarmupIsNotCounted(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	cfg := f.config("revoke")
	cfg.Load.Warmup, cfg.Load.Count = 50*time.Millisecond, 5
	all, err := runAll(t, cfg)
	if r := all["revoke"]; err != nil || r.Count != 5 || f.count(pathRevoke) != 6 {
		t.Errorf("%+v, %v; %d revocations", r, err, f.count(pathRevoke))
	}
}

func TestRevokeEndsWhenTokensAreUsedUp(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	cfg := f.config("revoke")
	cfg.Load.Count, cfg.Load.Duration = 0, time.Hour
	all, err := runAll(t, cfg)
	if r := all["revoke"]; err != nil || r.Count != 10 || r.Interrupted || r.Seconds > 60 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	cfg := f.config("create")
	cfg.Keep = true
	if _, err := runAll(t, cfg); err != nil || f.living() != 41 {
		t.Errorf("%v; %d tokens are left, want 40 and their parent", err, f.living())
	}
}

func answerWith(status int, body string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(status)
		w.Write([]byte(body))
		return true
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	n := 0
	for name, c := range map[string]struct {
		fault func(w http.ResponseWriter, r *http.Request) bool
		want  string // of the error; "": none
		class string // of failures; "": no result
		fails int64
	}{
		"no permission":          {answerWith(403, `{"errors":["permission denied"]}`), "lookup: making a token: 403: permission denied", "", 0},
		"another kind of server": {answerWith(200, `<html>`), "is it a server of the token API?", "", 0},
		"all fail": {func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == pathLookupSelf && answerWith(503, `{"errors":["no leader"]}`)(w, r)
		}, "lookup: no request succeeded: 503: no leader", "503", 40},
		"most fail": {func(w http.ResponseWriter, r *http.Request) bool {
			n++
			return r.URL.Path == pathLookupSelf && n%4 != 0 && answerWith(429, "")(w, r)
		}, "lookup: most requests failed: 429", "429", 30},
		"connections break": {func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == pathLookupSelf {
				panic(http.ErrAbortHandler)
			}
			return false
		}, "lookup: no request succeeded: connection", "connection", 40},
		"no clean-up": {func(w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == pathRevoke && answerWith(500, "")(w, r)
		}, "left behind, for 24h0m0s at most: revoking their parent (accessor a1): 500", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 1)
			f.fault = c.fault
			all, err := runAll(t, f.config("lookup"))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if r := all["lookup"]; c.class != "" && (r.ErrorsByClass[c.class] != c.fails || r.Errors != c.fails) {
				t.Errorf("%+v, want %d × %s", r.Figures, c.fails, c.class)
			}
		})
	}
}

func TestSomeFailuresAreAResult(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	f.fault = func(w http.ResponseWriter, r *http.Request) bool {
		return r.URL.Path == pathLookupSelf && f.asked[pathLookupSelf]%4 == 0 && answerWith(500, `{"errors":["oops"]}`)(w, r)
	}
	all, err := runAll(t, f.config("lookup"))
	r := all["lookup"]
	if err != nil || r.Count != 30 || r.Errors != 10 || r.FirstError != "500: oops" {
		t.Errorf("%+v, %v", r.Figures, err)
	}
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) }) // before the server is closed, which waits for its handlers
	once := make(chan struct{}, 1)
	once <- struct{}{}
	f.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == pathLookupSelf {
			select {
			case <-once:
				f.mu.Unlock()
				<-release
				f.mu.Lock()
			default:
			}
		}
		return false
	}
	cfg := f.config("lookup")
	cfg.Load.Timeout = time.Second
	all, err := runAll(t, cfg)
	if r := all["lookup"]; err != nil || r.ErrorsByClass[classTimeout] == 0 || r.Count+r.Errors != 40 {
		t.Errorf("%+v, %v, want a time-out among 40", r.Figures, err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	f.fault = func(_ http.ResponseWriter, r *http.Request) bool {
		if f.asked[pathLookupSelf] == 20 {
			cancel()
		}
		return false
	}
	cfg := f.config("lookup", "renew")
	cfg.Load.Count, cfg.Load.Duration = 0, time.Hour
	var got []Result
	err := Run(ctx, cfg, func(r Result) error {
		got = append(got, r)
		return nil
	})
	if !errors.Is(err, ErrInterrupted) || len(got) != 1 || !got[0].Interrupted || got[0].Count == 0 || got[0].Errors != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if f.living() != 0 {
		t.Errorf("%d tokens are left", f.living())
	}
}

func TestInterruptedBeforehand(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := Run(ctx, f.config("create"), func(Result) error { return errors.New("a result") })
	if !errors.Is(err, ErrInterrupted) || strings.Contains(err.Error(), "a result") {
		t.Errorf("%v, want only the interruption", err)
	}
}

func TestOutputFails(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	full := errors.New("disk full")
	n := 0
	err := Run(t.Context(), f.config("create", "lookup"), func(Result) error { n++; return full })
	if !errors.Is(err, full) || n != 1 || f.living() != 0 {
		t.Errorf("%v after %d results, %d tokens left", err, n, f.living())
	}
}

func TestCompareNull(t *testing.T) {
	t.Parallel()
	f, null := newFake(t, 1), newFake(t, 1)
	cfg := f.config("create", "tree")
	started, stopped := 0, 0
	cfg.Null = func(context.Context) (string, func() error, error) {
		started++
		return null.addresses[0], func() error { stopped++; return nil }, nil
	}
	all, err := runAll(t, cfg)
	if err != nil || started != 1 || stopped != 1 || null.count(pathCreate) != 41 {
		t.Fatalf("%v, %d started, %d stopped, %d requests", err, started, stopped, null.count(pathCreate))
	}
	r := all["create"]
	if r.Null == nil || r.Null.Rate <= 0 || r.Null.Ratio != r.Rate/r.Null.Rate || all["tree"].Null != nil {
		t.Errorf("%+v", r.Null)
	}
	cfg.Null = func(context.Context) (string, func() error, error) { return "", nil, errors.New("no port") }
	if _, err := runAll(t, cfg); err == nil || !strings.Contains(err.Error(), "create on the null server: no port") {
		t.Errorf("%v", err)
	}
}

func TestTree(t *testing.T) {
	t.Parallel()
	f := newFake(t, 3)
	cfg := f.config("tree")
	cfg.Tree = Tree{Children: 300, Depth: 4}
	all, err := runAll(t, cfg)
	r := all["tree"]
	if err != nil || r.Tree == nil || r.Count == 0 || r.Errors != 0 || r.Clients != 3 {
		t.Fatalf("%+v, %v", r, err)
	}
	if got := *r.Tree; got.Descendants != 304 || got.Depth != 4 || got.Sampled != 3*treeSample || got.Alive != 0 || got.Unverified != 0 || got.RevokeMillis <= 0 {
		t.Errorf("%+v", got)
	}
	if f.living() != 0 {
		t.Errorf("%d tokens are left", f.living())
	}
}

func TestTreeFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault func(f *fake, w http.ResponseWriter, r *http.Request) bool
		want  string
	}{
		"nothing dies": {func(f *fake, w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == pathRevoke && answerWith(204, "")(w, r)
		}, "tree: 21 of 21 lookups after the revocation succeeded"},
		"refused": {func(f *fake, w http.ResponseWriter, r *http.Request) bool {
			return r.URL.Path == pathRevoke && answerWith(400, `{"errors":["no"]}`)(w, r)
		}, "tree: revoking the parent: 400: no"},
		"blind afterwards": {func(f *fake, w http.ResponseWriter, r *http.Request) bool {
			id := r.Header.Get("X-Vault-Token")
			_, lives := f.tokens[id]
			return !lives && answerWith(503, "")(w, r)
		}, "tree: 21 lookups after the revocation got no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 1)
			f.fault = func(w http.ResponseWriter, r *http.Request) bool { return c.fault(f, w, r) }
			if _, err := runAll(t, f.config("tree")); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestFailover(t *testing.T) {
	t.Parallel()
	f := newFake(t, 2)
	victim := exec.Command("sleep", "600")
	if err := victim.Start(); err != nil {
		t.Skipf("no process to kill: %v", err)
	}
	cfg := f.config("failover")
	cfg.Failover.KillPID = victim.Process.Pid
	cfg.Load.Count, cfg.Load.Duration, cfg.Load.Rate = 0, 500*time.Millisecond, 200
	all, err := runAll(t, cfg)
	if err := victim.Wait(); err == nil {
		t.Error("the process ended by itself")
	}
	r := all["failover"]
	if err != nil || r.Failover == nil || r.Errors != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	g := *r.Failover
	if g.Acknowledged < int(r.Count) || g.Lost != 0 || g.Unverified != 0 || g.ChecksFailed != 0 || g.ChecksRefused != 0 || g.KilledAt <= 0 || g.LongestGap <= 0 {
		t.Errorf("%+v", g)
	}
}

func TestFailoverLosesWrites(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	f.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == pathCreate && f.asked[pathCreate] == 30 {
			delete(f.tokens, "hvs.10")
			delete(f.tokens, "hvs.11")
		}
		return false
	}
	all, err := runAll(t, f.config("failover"))
	if g := all["failover"].Failover; err == nil || !strings.Contains(err.Error(), "failover: 2 of 40 acknowledged tokens are lost") || g.Lost != 2 {
		t.Errorf("%+v, %v", g, err)
	}
}

func TestFailoverToTheNextNode(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	cfg := f.config("failover")
	cfg.Addresses = []string{"http://127.0.0.1:1", f.addresses[0]}
	cfg.Load.Clients = 1
	all, err := runAll(t, cfg)
	r := all["failover"]
	if err != nil || r.Count != 39 || r.ErrorsByClass[classConnection] != 1 || r.Failover.Lost != 0 {
		t.Errorf("%+v, %v: the client was to fail once", r.Figures, err)
	}
}

func TestFailoverKillsNobody(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	cfg := f.config("failover")
	cfg.Failover.KillPID = 1 << 30
	if _, err := runAll(t, cfg); err == nil || !strings.Contains(err.Error(), "-kill-pid=1073741824") {
		t.Errorf("%v", err)
	}
	if f.count(pathCreate) != 0 {
		t.Error("the load began")
	}
}

func TestGaps(t *testing.T) {
	t.Parallel()
	g := &ledger{}
	for _, at := range []time.Duration{10, 20, 500, 510, 500} { // the last came late to the ledger
		g.acknowledge("x", at*time.Millisecond)
	}
	g.acknowledge("", 900*time.Millisecond)
	if g.fig.LongestGap != 480 || g.fig.GapAt != 0.02 || g.fig.Acknowledged != 5 {
		t.Errorf("%+v, want a gap of 480 ms at 0.02 s", g.fig)
	}
	g.acknowledge("", 2*time.Second)
	if g.fig.LongestGap != 1100 || g.fig.Acknowledged != 5 {
		t.Errorf("%+v, want the silence at the end to be a gap", g.fig)
	}
}
