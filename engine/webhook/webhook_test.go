package webhook

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/enginetest"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

// world is a mount whose requests run one after the other.
type world struct {
	*testing.T
	hooks  *hooks
	store  storage.Store
	sealer engine.Sealer
}

func newWorld(t *testing.T) *world {
	t.Parallel()
	return &world{T: t, hooks: New().(*hooks), sealer: enginetest.NewSealer()}
}

func (w *world) request(v engine.Values) *engine.Request {
	return &engine.Request{
		Storage: engine.NewTx(w.store), Values: v, Rand: rand.Reader, Sealer: w.sealer, Now: token.InstantOf(time.Unix(1_800_000_000, 0)),
		Mount: engine.Mount{Path: "hook/", UUID: "u", DefaultTTL: time.Hour, MaxTTL: 24 * time.Hour},
	}
}

// do runs a request, and what it wrote if it was not refused.
func (w *world) do(op engine.Operation, pattern string, v engine.Values) (*engine.Response, error) {
	w.Helper()
	for _, p := range w.hooks.Paths() {
		if p.Pattern != pattern {
			continue
		}
		rq := w.request(v)
		rs, err := p.Ops[op](context.Background(), rq)
		if err != nil {
			return nil, err
		}
		var c fsm.Transact
		rq.Storage.Into(&c)
		for _, write := range c.Writes {
			if write.Kind == fsm.WritePut {
				w.store = w.store.Put(write.Key, storage.Entry{Value: write.Value, Version: 1})
			} else {
				w.store = w.store.Delete(write.Key)
			}
		}
		return rs, nil
	}
	w.Fatalf("no path %s", pattern)
	return nil, nil
}

func (w *world) ok(op engine.Operation, pattern string, v engine.Values) *engine.Response {
	w.Helper()
	rs, err := w.do(op, pattern, v)
	if err != nil {
		w.Fatalf("%s: %v", pattern, err)
	}
	return rs
}

func (w *world) refused(text string, op engine.Operation, pattern string, v engine.Values) {
	w.Helper()
	_, err := w.do(op, pattern, v)
	var e *fsm.Error
	if !errors.As(err, &e) || !strings.Contains(e.Message, text) {
		w.Errorf("%s %v: %v, want a refusal with %q", pattern, v, err, text)
	}
}

// leaseOf is the lease of what a registration answered.
func (w *world) leaseOf(rs *engine.Response) *engine.Lease {
	w.Helper()
	internal, err := json.Marshal(rs.Secret.Internal)
	if err != nil {
		w.Fatal(err)
	}
	return &engine.Lease{ID: "hook/leases/x1", Path: "leases", Attempt: 3, Internal: internal, Issued: token.InstantOf(time.Unix(1_800_000_000, 0))}
}

func (w *world) revoke(rs *engine.Response) error {
	w.Helper()
	return w.hooks.Revoke(context.Background(), w.request(engine.Values{}), w.leaseOf(rs))
}

// received is what a receiver got.
type received struct {
	*http.Request
	body []byte
}

// receiver answers with a status, and tells of every call.
func receiver(t *testing.T, start func(http.Handler) *httptest.Server, status int) (*httptest.Server, chan received) {
	calls := make(chan received, 16)
	s := start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		calls <- received{r, body}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
	}))
	t.Cleanup(s.Close)
	return s, calls
}

const secret = "a secret of twenty-odd bytes"

func TestCallIsSigned(t *testing.T) {
	w := newWorld(t)
	s, calls := receiver(t, httptest.NewServer, 204)
	w.ok(engine.Write, "config", engine.Values{"allowed_urls": []string{s.URL + "/hooks"}, "secret": secret})
	rs := w.ok(engine.Write, "leases", engine.Values{
		"url": s.URL + "/hooks/ci?x=1", "ttl": time.Minute, "resource": "db", "method": "put", "data": map[string]any{"n": json.Number("12345678901234567890")},
	})
	if rs.Secret.Resource != "db" || rs.Secret.TTL != time.Minute || rs.Secret.Make != nil || rs.Data["method"] != "PUT" {
		t.Errorf("registered as %+v with %v", rs.Secret, rs.Data)
	}
	if err := w.revoke(rs); err != nil {
		t.Fatal(err)
	}
	got := <-calls
	if got.Method != "PUT" || got.URL.String() != "/hooks/ci?x=1" || got.Header.Get("X-Grove-Id") != "hook/leases/x1" || got.Header.Get("Content-Type") != "application/json" {
		t.Errorf("called with %s %s %v", got.Method, got.URL, got.Header)
	}
	stamp := got.Header.Get("X-Grove-Timestamp")
	if sig := got.Header.Get("X-Grove-Signature"); sig != Sign([]byte(secret), stamp, got.body) || sig == Sign([]byte("another secret"), stamp, got.body) || stamp == "" {
		t.Errorf("signature %q of %q at %q", sig, got.body, stamp)
	}
	const want = `{"id":"hook/leases/x1","event":"lease.revoked","resource":"db","data":{"n":12345678901234567890},"issue_time":"2027-01-15T08:00:00Z","attempt":3}`
	if string(got.body) != want {
		t.Errorf("body %s\nwant %s", got.body, want)
	}
	if r, err := w.hooks.Renew(context.Background(), w.request(nil), w.leaseOf(rs)); err != nil || r.TTL != time.Minute || r.Make != nil {
		t.Errorf("renewed by %+v, %v", r, err)
	}
}

// TestWhatIsNoSuccess: anything but a 2xx from where the call was meant to go is tried again.
func TestWhatIsNoSuccess(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		text   string
	}{"refused": {500, "answered 500"}, "gone": {404, "answered 404"}, "redirected": {307, "answered 307"}} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			s, calls := receiver(t, httptest.NewServer, c.status)
			w.ok(engine.Write, "config", engine.Values{"allowed_urls": []string{s.URL}, "secret": secret})
			rs := w.ok(engine.Write, "leases", engine.Values{"url": s.URL + "/a"})
			if err := w.revoke(rs); err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %q", err, c.text)
			}
			if len(calls) != 1 {
				t.Errorf("%d calls, want one: no redirect is followed", len(calls))
			}
		})
	}
	w := newWorld(t)
	s, _ := receiver(t, httptest.NewServer, 204)
	w.ok(engine.Write, "config", engine.Values{"allowed_urls": []string{s.URL}, "secret": secret})
	rs := w.ok(engine.Write, "leases", engine.Values{"url": s.URL + "/a?key=hidden"})
	s.Close()
	if err := w.revoke(rs); err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("a receiver that is down: %v, want an error without the query", err)
	}
}

func TestConfigDecidesAtEveryCall(t *testing.T) {
	w := newWorld(t)
	s, calls := receiver(t, httptest.NewServer, 200)
	w.refused("not configured", engine.Write, "leases", engine.Values{"url": s.URL})
	w.ok(engine.Write, "config", engine.Values{"allowed_urls": []string{s.URL}, "secret": secret})
	rs := w.ok(engine.Write, "leases", engine.Values{"url": s.URL + "/a"})
	w.ok(engine.Write, "config", engine.Values{"allowed_urls": []string{"https://other.example"}})
	if err := w.revoke(rs); err == nil || !strings.Contains(err.Error(), "may not be called") {
		t.Errorf("a URL that is allowed no more: %v", err)
	}
	w.ok(engine.Write, "config", engine.Values{"allowed_urls": []string{s.URL}, "secret": "the next secret of a mount"})
	if err := w.revoke(rs); err != nil {
		t.Fatal(err)
	}
	if got := <-calls; got.Header.Get("X-Grove-Signature") != Sign([]byte("the next secret of a mount"), got.Header.Get("X-Grove-Timestamp"), got.body) {
		t.Error("not signed with the new secret")
	}
	w.ok(engine.Delete, "config", nil)
	if err := w.revoke(rs); err == nil || !strings.Contains(err.Error(), "not configured") {
		t.Errorf("without a configuration: %v", err)
	}
}

// TestHTTPS: the receiver's certificate counts, and its authority is the mount's.
func TestHTTPS(t *testing.T) {
	w := newWorld(t)
	s, calls := receiver(t, httptest.NewTLSServer, 200)
	host := strings.TrimPrefix(s.URL, "https://")
	w.ok(engine.Write, "config", engine.Values{"allowed_hosts": []string{host}, "secret": secret})
	rs := w.ok(engine.Write, "leases", engine.Values{"url": s.URL + "/a"})
	if err := w.revoke(rs); err == nil || !strings.Contains(err.Error(), "certificate") || len(calls) > 0 {
		t.Errorf("an unknown authority: %v, %d calls", err, len(calls))
	}
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	w.ok(engine.Write, "config", engine.Values{"ca_pem": string(ca)})
	if err := w.revoke(rs); err != nil || len(calls) != 1 {
		t.Errorf("%v, %d calls", err, len(calls))
	}
	w.ok(engine.Write, "config", engine.Values{"allowed_hosts": []string{}})
	if err := w.revoke(rs); err == nil || !strings.Contains(err.Error(), "not a public address") || len(calls) != 1 {
		t.Errorf("a loopback address that nothing names: %v, %d calls", err, len(calls))
	}
}

func TestAllowed(t *testing.T) {
	w := newWorld(t)
	listed := &config{AllowedURLs: []string{"http://in.example:8080/hooks/", "https://ci.example"}, AllowedHosts: []string{"Hooks.example", "[2001:db8::1]", "h.example:8443"}}
	for text, want := range map[string]bool{
		"http://in.example:8080/hooks": true, "http://in.example:8080/hooks/a/b": true, "http://IN.example:8080/hooks/a": true, "http://in.example:8080/hooksx": false,
		"http://in.example:8080/": false, "http://in.example/hooks": false, "https://in.example:8080/hooks": false, "http://in.example:8080/hooks/../x": false,
		"http://in.example:8080/hooks/%2e%2e/x": false, "http://in.example:8080//hooks": false, "https://ci.example": true, "https://ci.example:443/x": true, "https://ci.example./x": true,
		"https://ci.example.evil.example": false, "https://ci.example@evil.example": false, "https://hooks.example/x": true, "http://hooks.example/x": false,
		"https://hooks.example:8443": false, "https://h.example:8443": true, "https://h.example": false, "https://[2001:db8::1]/x": true, "https://127.0.0.1": false,
		"ftp://ci.example": false, "https:ci.example": false, "/x": false, "": false, "https://ci.example/#x": false, `https://ci.example/a\b`: false,
	} {
		if _, err := listed.allowed(text); (err == nil) != want {
			w.Errorf("%q: %v, want it allowed: %v", text, err, want)
		}
	}
	open := &config{}
	if to, err := open.allowed("https://anything.example"); err != nil || !to.public {
		w.Errorf("an https URL without any list: %+v, %v", to, err)
	}
	if _, err := open.allowed("http://anything.example"); err == nil {
		w.Error("an http URL without any list is allowed")
	}
}

func TestIsPublic(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"93.184.216.34": true, "2606:4700::1": true, "127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false,
		"100.64.0.1": false, "0.0.0.0": false, "224.0.0.1": false, "255.255.255.255": false, "::1": false, "fe80::1": false, "fc00::1": false, "64:ff9b::7f00:1": false, "::": false,
	} {
		if got := isPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s public %v, want %v", text, got, want)
		}
	}
	if err := onlyPublic("tcp", "[::ffff:127.0.0.1]:80", nil); err == nil {
		t.Error("a loopback address in the form of IPv6 counts as public")
	}
}

func TestConfigRefusals(t *testing.T) {
	w := newWorld(t)
	for text, v := range map[string]engine.Values{
		"no URL to call": {"allowed_urls": []string{"ftp://x"}},
		"is no host":     {"allowed_hosts": []string{"*.example"}},
		"no certificate": {"ca_pem": "nothing"},
		"is too long":    {"timeout": time.Hour},
		"at least 16":    {"secret": "short"},
	} {
		w.refused(text, engine.Write, "config", v)
	}
	sealer := w.sealer
	w.sealer = nil
	w.refused("no key to seal", engine.Write, "config", engine.Values{"secret": secret})
	w.sealer = sealer
	if _, err := w.do(engine.Read, "config", nil); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("reading no configuration: %v", err)
	}
	minted, _ := w.ok(engine.Write, "config", engine.Values{"allowed_hosts": []string{"a.example"}}).Data["secret"].(string)
	if len(minted) < 40 {
		t.Errorf("minted the secret %q", minted)
	}
	if rs := w.ok(engine.Write, "config", engine.Values{"timeout": 5 * time.Second}); rs != nil {
		t.Errorf("a second write answers %v, want nothing", rs.Data)
	}
	read := w.ok(engine.Read, "config", nil).Data
	if _, shown := read["secret"]; shown || read["timeout"] != int64(5) || strings.Contains(string(w.store.Find("config").Value), minted) {
		t.Errorf("the configuration shows %v", read)
	}
	w.refused("method", engine.Write, "leases", engine.Values{"url": "https://a.example", "method": "GET"})
	w.refused("may not be called", engine.Write, "leases", engine.Values{"url": "https://b.example"})
	w.refused("at most", engine.Write, "leases", engine.Values{"url": "https://a.example", "resource": strings.Repeat("x", maxResource+1)})
	w.refused("user or password", engine.Write, "leases", engine.Values{"url": "https://u:p@a.example"})
}

// TestReceiverThatHangs ends at the mount's time-out.
func TestReceiverThatHangs(t *testing.T) {
	w := newWorld(t)
	stop := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-stop:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(stop)
	w.ok(engine.Write, "config", engine.Values{"allowed_urls": []string{s.URL}, "secret": secret, "timeout": time.Second})
	rs := w.ok(engine.Write, "leases", engine.Values{"url": s.URL})
	if err := w.revoke(rs); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the time-out", err)
	}
}
