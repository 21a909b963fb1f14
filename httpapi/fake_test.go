package httpapi

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster/seal"
	"github.com/tokengrove/grove/engine/catalogue"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

// fakeStore is a cluster in memory: a leader's machine and the replica of the node under test.
type fakeStore struct {
	t       *testing.T
	mu      sync.Mutex
	leader  *fsm.Machine
	replica *fsm.Machine
	behind  [][]byte // entries that the replica has not applied
	index   uint64
	now     func() time.Time

	// lag: the replica applies nothing until it must.
	lag bool
	// propose, barrier: what these calls answer instead, if not nil.
	propose, barrier func() error
	// before runs once, before the next command is applied.
	before func()
	// log is what was applied.
	log      []fsm.Command
	barriers int
}

func (s *fakeStore) Propose(_ context.Context, c fsm.Command) (fsm.Result, error) {
	if f := s.before; f != nil {
		s.before = nil
		f()
	}
	if s.propose != nil {
		if err := s.propose(); err != nil {
			return fsm.Result{}, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kind, body, err := fsm.EncodeCommand(c)
	if err != nil {
		return fsm.Result{}, err
	}
	s.index++
	entry := fsm.AppendEntry(nil, fsm.Entry{At: token.InstantOf(s.now()), Groups: []fsm.Group{{Items: []fsm.Item{{Kind: kind, Body: body}}}}})
	rs, err := s.leader.Apply(s.index, entry)
	if err != nil {
		s.t.Errorf("apply %T: %v", c, err)
		return fsm.Result{}, err
	}
	s.log = append(s.log, c)
	s.behind = append(s.behind, entry)
	if !s.lag {
		s.catchUp()
	}
	return rs[0], nil
}

// catchUp applies what the replica is behind. The caller holds the lock.
func (s *fakeStore) catchUp() {
	for i, entry := range s.behind {
		if _, err := s.replica.Apply(s.index-uint64(len(s.behind)-1-i), entry); err != nil {
			s.t.Errorf("apply on the replica: %v", err)
		}
	}
	s.behind = nil
}

func (s *fakeStore) Barrier(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.barriers++
	if s.barrier != nil {
		if err := s.barrier(); err != nil {
			return err
		}
	}
	s.catchUp()
	return nil
}

func (s *fakeStore) WaitIndex(ctx context.Context, index uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if index > s.index {
		return fsm.Errorf(fsm.Unavailable, "index %d is not applied here yet", index)
	}
	s.catchUp()
	return ctx.Err()
}

func (s *fakeStore) View(f func(m *fsm.Machine)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.replica)
}

// fakeCluster is the node's side of the sys/ routes.
type fakeCluster struct {
	store  *fakeStore
	status fsm.ClusterStatus
	asked  []string
	err    error
}

func (c *fakeCluster) Status() fsm.ClusterStatus { return c.status }

func (c *fakeCluster) Init(ctx context.Context, init fsm.Initialize) error {
	if c.status.Initialized {
		return fsm.Errorf(fsm.Invalid, "Vault is already initialized")
	}
	r, err := c.store.Propose(ctx, &init)
	c.status.Initialized = err == nil
	if err == nil {
		err = r.Err()
	}
	return err
}

func (c *fakeCluster) Join(_ context.Context, addr, token string, nonVoter bool) error {
	if nonVoter {
		token += " without a vote"
	}
	c.asked = append(c.asked, strings.TrimSpace("join "+addr+" "+token))
	return c.err
}

func (c *fakeCluster) RemovePeer(_ context.Context, id string) error {
	c.asked = append(c.asked, "remove "+id)
	return c.err
}

func (c *fakeCluster) StepDown(context.Context) error {
	c.asked = append(c.asked, "step down")
	return c.err
}

// server is a handler under test, over an initialized cluster unless it is bare.
type server struct {
	*testing.T
	handler http.Handler
	store   *fakeStore
	cluster *fakeCluster
	keys    *seal.Keyring
	clock   time.Time
	remote  string
	grand   string // of a test of three generations
}

const rootID = "root"

// newBareServer is not initialized yet.
func newBareServer(t *testing.T, change ...func(*Config)) *server {
	t.Helper()
	s := &server{T: t, clock: time.Unix(1_800_000_000, 0).UTC(), remote: "192.0.2.1:4711"}
	s.store = &fakeStore{t: t, leader: fsm.New(), replica: fsm.New(), now: func() time.Time { return s.clock }}
	s.cluster = &fakeCluster{store: s.store, status: fsm.ClusterStatus{NodeID: "n1"}}
	s.keys = seal.New(s.store.View, func() seal.Key { return seal.Key{1} }, rand.Reader)
	var err error
	c := Config{
		Operations: Operations{Keys: s.keys},
		Store:      s.store, Cluster: s.cluster, Now: func() time.Time { return s.clock }, Version: "1.2.3", Genesis: Genesis{RootTokenID: rootID, ClusterName: "test"},
		Engines: Engines{Methods: catalogue.Methods(), Secrets: catalogue.Secrets(), Sealer: s.keys},
	}
	for _, f := range change {
		f(&c)
	}
	if s.handler, err = New(c); err != nil {
		t.Fatal(err)
	}
	return s
}

func newServer(t *testing.T, change ...func(*Config)) *server {
	t.Helper()
	s := newBareServer(t, change...)
	s.put("", "sys/init", obj{"secret_shares": 1, "secret_threshold": 1}).want(200)
	s.rotate()
	s.store.log = nil
	s.cluster.status = fsm.ClusterStatus{NodeID: "n1", Initialized: true, IsLeader: true, Leader: fsm.Member{ID: "n1", APIAddr: "http://a", ClusterAddr: "b:1"}}
	return s
}

// rotate adds a data key, as a leader does.
func (s *server) rotate() {
	s.Helper()
	k, err := s.keys.Mint()
	if err != nil {
		s.Fatal(err)
	}
	if r, err := s.store.Propose(context.Background(), &fsm.AddKey{Key: k}); err != nil || r.Err() != nil || r.Stale {
		s.Fatalf("adding a data key: %+v, %v", r, err)
	}
}

type (
	obj = map[string]any
	arr = []any
)

// answer is what a request got.
type answer struct {
	*testing.T
	what   string
	status int
	header http.Header
	raw    string
	body   obj
}

// call makes a request; a body that is a string is sent as it is. headers are pairs.
func (s *server) call(method, id, path string, body any, headers ...string) *answer {
	s.Helper()
	var b []byte
	switch body := body.(type) {
	case nil:
	case string:
		b = []byte(body)
	default:
		var err error
		if b, err = json.Marshal(body); err != nil {
			s.Fatal(err)
		}
	}
	r := httptest.NewRequest(method, "/v1/"+path, bytes.NewReader(b))
	r.RemoteAddr = s.remote
	if id != "" {
		r.Header.Set("X-Vault-Token", id)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	a := &answer{T: s.T, what: method + " " + path, status: w.Code, header: w.Result().Header, raw: w.Body.String()}
	if err := json.Unmarshal(w.Body.Bytes(), &a.body); err != nil && len(a.raw) > 0 && a.header.Get("Content-Type") == "application/json" {
		s.Errorf("%s: the body is no JSON object: %v: %q", a.what, err, a.raw)
	}
	return a
}

func (s *server) get(id, path string) *answer  { s.Helper(); return s.call("GET", id, path, nil) }
func (s *server) list(id, path string) *answer { s.Helper(); return s.call("LIST", id, path, nil) }
func (s *server) put(id, path string, body any) *answer {
	s.Helper()
	return s.call("PUT", id, path, body)
}
func (s *server) delete(id, path string) *answer { s.Helper(); return s.call("DELETE", id, path, nil) }
func (s *server) post(id, path string, body any) *answer {
	s.Helper()
	return s.call("POST", id, path, body)
}

// token makes a child of root and returns its ID.
func (s *server) token(body obj) string {
	s.Helper()
	return s.post(rootID, "auth/token/create", body).want(200).text("auth.client_token")
}

// with makes a token that has one policy with the given text.
func (s *server) with(text string, more ...obj) string {
	s.Helper()
	name := fmt.Sprintf("p%d", len(s.store.log))
	s.put(rootID, "sys/policies/acl/"+name, obj{"policy": text}).want(204)
	body := obj{"policies": arr{name}, "no_default_policy": true}
	for _, m := range more {
		for k, v := range m {
			body[k] = v
		}
	}
	return s.token(body)
}

func (a *answer) want(status int) *answer {
	a.Helper()
	if a.status != status {
		a.Fatalf("%s: status %d %s, want %d", a.what, a.status, a.raw, status)
	}
	return a
}

// refused checks status and the one error text, which must hold the given part.
func (a *answer) refused(status int, part string) *answer {
	a.Helper()
	errs, _ := a.body["errors"].([]any)
	got := ""
	if len(errs) > 0 {
		got = fmt.Sprint(errs[0])
	}
	if a.status != status || len(errs) > 1 || !strings.Contains(got, part) || (part == "" && got != "") {
		a.Errorf("%s: %d %q, want %d with %q", a.what, a.status, a.raw, status, part)
	}
	return a
}

// at finds a value by its path with dots.
func (a *answer) at(path string) any {
	var v any = a.body
	for _, k := range strings.Split(path, ".") {
		m, _ := v.(obj)
		v = m[k]
	}
	return v
}

func (a *answer) text(path string) string {
	a.Helper()
	s, ok := a.at(path).(string)
	if !ok {
		a.Fatalf("%s: %s is %v, want a string", a.what, path, a.at(path))
	}
	return s
}

// is compares a value with one that is written as JSON would have it.
func (a *answer) is(path string, want any) *answer {
	a.Helper()
	b, err := json.Marshal(want)
	if err != nil {
		a.Fatal(err)
	}
	var norm any
	if err := json.Unmarshal(b, &norm); err != nil {
		a.Fatal(err)
	}
	if got := a.at(path); !reflect.DeepEqual(got, norm) {
		a.Errorf("%s: %s is %v, want %v", a.what, path, got, want)
	}
	return a
}

func (a *answer) warns(texts ...string) *answer {
	a.Helper()
	if len(texts) == 0 {
		return a.is("warnings", nil)
	}
	return a.is("warnings", texts)
}

// usesLeft is what root sees of a token; -1 if it is dead.
func (s *server) usesLeft(id string) int {
	s.Helper()
	a := s.post(rootID, "auth/token/lookup", obj{"token": id})
	if a.status != 200 {
		return -1
	}
	n, _ := a.at("data.num_uses").(float64)
	return int(n)
}
