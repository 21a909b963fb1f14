package bench

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// fakeToken is a token of a fake server.
type fakeToken struct {
	parent string
	uses   int // left; 0: unlimited
}

// fake is a token store in memory that serves one or more addresses, with whatever faults a test wants.
type fake struct {
	addresses []string

	mu     sync.Mutex
	tokens map[string]fakeToken
	asked  map[string]int // requests by path
	nodes  map[string]int // by address
	made   int
	// fault, if set, answers instead of the server, with its lock held.
	fault func(w http.ResponseWriter, r *http.Request) (done bool)
}

const fakeRoot = "root"

func newFake(t *testing.T, nodes int) *fake {
	f := &fake{tokens: map[string]fakeToken{fakeRoot: {}}, asked: map[string]int{}, nodes: map[string]int{}}
	for range nodes {
		s := httptest.NewServer(f)
		t.Cleanup(s.Close)
		f.addresses = append(f.addresses, s.URL)
	}
	return f
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked[r.URL.Path]++
	f.nodes[r.Host]++
	if f.fault != nil && f.fault(w, r) {
		return
	}
	id := r.Header.Get("X-Vault-Token")
	if !f.charge(id) {
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"errors":["permission denied"]}`)
		return
	}
	var in struct {
		Token   string
		NumUses int `json:"num_uses"`
	}
	if r.ContentLength > 0 {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
	}
	switch r.Method + " " + r.URL.Path {
	case "POST " + pathCreate:
		f.made++
		child := fmt.Sprintf("hvs.%d", f.made)
		f.tokens[child] = fakeToken{parent: id, uses: in.NumUses}
		fmt.Fprintf(w, `{"auth": {"client_token": %q, "accessor": "a%d"}}`, child, f.made)
	case "GET " + pathLookupSelf, "POST " + pathRenewSelf:
		fmt.Fprintf(w, `{"data":{"id":%q,"path":%q}}`, id, strings.Repeat("x", 3000)) // long: it comes in chunks
	case "POST " + pathRevoke:
		f.revoke(in.Token)
		w.WriteHeader(http.StatusNoContent)
	case "POST " + pathRevokeSelf:
		f.revoke(id)
		w.WriteHeader(http.StatusNoContent)
	default:
		http.NotFound(w, r)
	}
}

func (f *fake) charge(id string) bool {
	tok, ok := f.tokens[id]
	if ok && tok.uses > 0 {
		if tok.uses--; tok.uses == 0 {
			delete(f.tokens, id)
		} else {
			f.tokens[id] = tok
		}
	}
	return ok
}

func (f *fake) revoke(id string) {
	delete(f.tokens, id)
	for child, tok := range f.tokens {
		if tok.parent == id {
			f.revoke(child)
		}
	}
}

// living is how many tokens there are beside the root.
func (f *fake) living() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.tokens) - 1
}

func (f *fake) count(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asked[path]
}

// config is a short run on the fake.
func (f *fake) config(workloads ...string) Config {
	return Config{
		Addresses: f.addresses, Token: fakeRoot, Workloads: workloads,
		Load: Load{Clients: 4, Count: 40, Timeout: time.Minute}, Tokens: Tokens{Stock: 10}, Tree: Tree{Children: 20},
	}
}

// runAll runs a configuration and returns its results by workload.
func runAll(t *testing.T, cfg Config) (map[string]Result, error) {
	t.Helper()
	got := map[string]Result{}
	err := Run(t.Context(), cfg, func(r Result) error {
		got[r.Workload] = r
		return nil
	})
	return got, err
}
