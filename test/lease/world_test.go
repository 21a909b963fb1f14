package lease

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/enginetest"
	"github.com/tokengrove/grove/engine/revoker"
	"github.com/tokengrove/grove/engine/webhook"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi"
	"github.com/tokengrove/grove/test/harness"
)

const (
	rootID = "the root token of the test"
	secret = "a secret of the receiver and the mount"
)

// world is a cluster whose mount hook/ calls one receiver.
type world struct {
	*testing.T
	*harness.Cluster
	*receiver
}

func newWorld(t *testing.T, nodes int) *world {
	t.Helper()
	w := &world{T: t, receiver: newReceiver(t)}
	secrets, sealer := map[string]engine.Secrets{"webhook": webhook.New()}, enginetest.NewSealer()
	worker := revoker.New(revoker.Config{Engines: secrets, Sealer: sealer, Limits: revoker.Limits{Longest: 200 * time.Millisecond, Rate: 5000}})
	w.Cluster = harness.Start(t, harness.Options{
		Nodes: nodes,
		Duty:  func(ctx context.Context, n *cluster.Node) { worker.Run(ctx, n) },
		Handler: func(n *cluster.Node) http.Handler {
			h, err := httpapi.New(httpapi.Config{Store: n, Cluster: n, Version: "test", Engines: httpapi.Engines{Secrets: secrets, Sealer: sealer}})
			if err != nil {
				t.Error(err)
			}
			return h
		},
	})
	first := token.Record{Hash: token.Salt{}.Hash(rootID), Accessor: "known", Type: token.Service, Policies: []string{policy.Root}, Path: "auth/token/create"}
	first.Parent = w.Root
	r, err := w.Leader().Propose(context.Background(), &fsm.CreateToken{Caller: fsm.Caller{Token: w.Root, Epoch: 1}, Token: first})
	if err != nil || r.Err() != nil || r.Stale {
		t.Fatalf("the root token: %+v, %v", r, err)
	}
	w.do(rootID, "POST", "sys/mounts/hook", map[string]any{"type": "webhook"})
	w.do(rootID, "POST", "hook/config", map[string]any{"allowed_urls": []string{w.receiver.URL}, "secret": secret})
	return w
}

// answer is the body of an answer.
type answer struct {
	LeaseID string         `json:"lease_id"`
	Data    map[string]any `json:"data"`
	Auth    struct {
		ClientToken string `json:"client_token"`
	} `json:"auth"`
}

// call makes a request of a node that is up. Nodes take turns.
func (w *world) call(id, method, path string, body any) (int, *answer, error) {
	b, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	var n *harness.Node
	for _, n = range w.Nodes {
		if n.Up() {
			break
		}
	}
	rq, err := http.NewRequest(method, n.API()+"/v1/"+path, bytes.NewReader(b))
	if err != nil {
		return 0, nil, err
	}
	rq.Header.Set("X-Vault-Token", id)
	rs, err := http.DefaultClient.Do(rq)
	if err != nil {
		return 0, nil, err
	}
	defer rs.Body.Close()
	text, err := io.ReadAll(rs.Body)
	a := &answer{}
	if err == nil && len(text) > 0 {
		err = json.Unmarshal(text, a)
	}
	if err == nil && rs.StatusCode >= 300 {
		err = fmt.Errorf("%s %s: %d %s", method, path, rs.StatusCode, text)
	}
	return rs.StatusCode, a, err
}

func (w *world) do(id, method, path string, body any) *answer {
	w.Helper()
	_, a, err := w.call(id, method, path, body)
	if err != nil {
		w.Fatal(err)
	}
	return a
}

// child makes a token.
func (w *world) child(parent string) string {
	w.Helper()
	return w.do(parent, "POST", "auth/token/create", map[string]any{"policies": []string{"root"}, "ttl": "1h"}).Auth.ClientToken
}

// register registers one thing of a token.
func (w *world) register(id, resource, name string) string {
	w.Helper()
	return w.do(id, "POST", "hook/leases", map[string]any{
		"url": w.receiver.URL + "/gone", "ttl": "1h", "resource": resource, "data": map[string]any{"name": name},
	}).LeaseID
}

// left is how many revocations a node knows of.
func (w *world) left(n *harness.Node) (left int) {
	n.View(func(m *fsm.Machine) {
		t := m.CountRevocations(token.InstantOf(time.Now()))
		left = t.Pending + t.Retrying + t.Parked
	})
	return left
}

// awaitDone waits until every node that is up has nothing left to take back.
func (w *world) awaitDone() {
	w.Helper()
	harness.Await(w, "nothing left to take back", func() bool {
		for _, n := range w.Nodes {
			if n.Up() && w.left(n) > 0 {
				return false
			}
		}
		return true
	})
	for _, n := range w.Nodes {
		if n.Up() {
			n.View(func(m *fsm.Machine) {
				if err := m.Check(); err != nil {
					w.Errorf("%s: %v", n.Name, err)
				}
			})
		}
	}
}

// receiver is the service that is called.
type receiver struct {
	*httptest.Server
	t       *testing.T
	mu      sync.Mutex
	got     []string // names, in the order of successful calls, repetitions included
	down    bool
	refused int
	hold    chan struct{} // if not nil, calls wait for it
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{t: t}
	r.Server = httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) serve(w http.ResponseWriter, rq *http.Request) {
	body, err := io.ReadAll(rq.Body)
	if err != nil {
		return
	}
	r.mu.Lock()
	down, hold := r.down, r.hold
	if down {
		r.refused++
	}
	r.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if hold != nil {
		select {
		case <-hold:
		case <-rq.Context().Done():
			return
		}
	}
	if webhook.Sign([]byte(secret), rq.Header.Get("X-Grove-Timestamp"), body) != rq.Header.Get("X-Grove-Signature") {
		r.t.Errorf("the signature of %s is wrong", body)
	}
	var n struct {
		Data struct {
			Name string `json:"name"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &n); err != nil {
		r.t.Errorf("body %q: %v", body, err)
	}
	r.mu.Lock()
	r.got = append(r.got, n.Data.Name)
	r.mu.Unlock()
}

// set changes how the receiver behaves, and lets go of what it held.
func (r *receiver) set(down bool, hold chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down, r.hold = down, hold
}

// firsts are the names in the order in which they came first.
func (r *receiver) firsts() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen, out := map[string]bool{}, []string{}
	for _, n := range r.got {
		if !seen[n] {
			seen[n] = true
			out = append(out, n)
		}
	}
	return out
}

func (r *receiver) refusals() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refused
}
