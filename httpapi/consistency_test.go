package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi"
	"github.com/tokengrove/grove/test/harness"
)

// got is an answer.
type got struct {
	code   int
	header http.Header
	raw    string
}

// send makes a request to a node; headers come in pairs.
func send(t *testing.T, n *harness.Node, method, path, id, body string, headers ...string) got {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, n.API()+"/v1/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Vault-Token", id)
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got{resp.StatusCode, resp.Header, string(b)}
}

// startAPI is a cluster with the API on every node, and the ID of an unlimited token with the root policy.
func startAPI(t *testing.T) (*harness.Cluster, string) {
	t.Helper()
	c := harness.Start(t, harness.Options{Nodes: 3, Handler: func(n *cluster.Node) http.Handler {
		h, err := httpapi.New(httpapi.Config{Store: n, Cluster: n})
		if err != nil {
			t.Error(err)
		}
		return h
	}})
	const id = "hvs.the-token-of-this-test"
	r, err := c.Leader().Propose(context.Background(), &fsm.CreateToken{Caller: fsm.Caller{Token: c.Root, Epoch: 1}, Token: token.Record{
		Hash: token.Salt{}.Hash(id), Accessor: "top", Type: token.Service, Parent: c.Root, Path: "auth/token/create", TTL: time.Hour, Policies: []string{policy.Root},
	}})
	if err != nil || r.Err() != nil || r.Stale {
		t.Fatalf("%+v, %v", r, err)
	}
	return c, id
}

// TestConsistencyOfAFollowerThatIsCutOff: by default it refuses rather than answer from a state that may be old; a client
// that asks for a stale answer gets one, with its age; and an index makes any node wait for it.
func TestConsistencyOfAFollowerThatIsCutOff(t *testing.T) {
	t.Parallel()
	c, id := startAPI(t)
	f := c.Followers()[0]
	limited := createdBy(t, send(t, f, "POST", "auth/token/create", id, `{"num_uses":5,"policies":["default"]}`))
	const stale = "X-Grove-Consistency"
	if a := send(t, f, "GET", "auth/token/lookup-self", id, ""); a.code != 200 || a.header.Get("X-Grove-Age-Ms") != "" {
		t.Errorf("a linearizable read: %+v", a)
	}
	c.Isolate(f)
	harness.Await(t, "the follower has lost the leader", func() bool { return f.Status().Leader.ID == "" })
	w := send(t, c.Leader(), "POST", "auth/token/create", id, `{"policies":["default"]}`)
	added := accessorOf(t, w)
	for _, r := range [][2]string{{"GET", "auth/token/lookup-self"}, {"LIST", "auth/token/accessors"}, {"GET", "auth/token/accessors?list=true"}} {
		a := send(t, f, r[0], r[1], id, "", stale, "stale")
		if age, err := strconv.Atoi(a.header.Get("X-Grove-Age-Ms")); a.code != 200 || err != nil || age < 0 || strings.Contains(a.raw, added) {
			t.Errorf("%s %s, stale, cut off: %+v; want an old answer with its age", r[0], r[1], a)
		}
	}
	for name, a := range map[string]got{
		"a read":                        send(t, f, "GET", "auth/token/lookup-self", id, ""),
		"a list":                        send(t, f, "LIST", "auth/token/accessors", id, ""),
		"a write, stale":                send(t, f, "POST", "auth/token/create", id, `{}`, stale, "stale"),
		"a read that is charged, stale": send(t, f, "GET", "auth/token/lookup-self", limited, "", stale, "stale"),
		"a refusal, stale":              send(t, f, "GET", "auth/token/lookup-self", "nobody", "", stale, "stale"),
	} {
		if a.code != 503 || a.header.Get("Retry-After") == "" || a.header.Get("X-Grove-Age-Ms") != "" {
			t.Errorf("%s, cut off: %+v; want 503", name, a)
		}
	}
	c.Heal()
	index := w.header.Get("X-Grove-Index")
	if a := send(t, f, "LIST", "auth/token/accessors", id, "", "X-Grove-Index", index, stale, "stale"); a.code != 200 || !strings.Contains(a.raw, added) {
		t.Errorf("a stale list from index %s on: %+v; want %s in it", index, a, added)
	}
	if a := send(t, f, "LIST", "auth/token/accessors", id, ""); a.code != 200 || !strings.Contains(a.raw, added) || a.header.Get("X-Grove-Age-Ms") != "" {
		t.Errorf("a linearizable list: %+v; want %s in it", a, added)
	}
	if a := send(t, f, "GET", "auth/token/lookup-self", id, "", stale, "eventual"); a.code != 400 || !strings.Contains(a.raw, "linearizable") {
		t.Errorf("an unknown consistency: %+v; want 400 that says what is allowed", a)
	}
}

func accessorOf(t *testing.T, a got) string {
	t.Helper()
	return auth(t, a).Accessor
}

func createdBy(t *testing.T, a got) string {
	t.Helper()
	return auth(t, a).Token
}

// created is what an answer says of a new token.
type created struct {
	Token    string `json:"client_token"`
	Accessor string `json:"accessor"`
}

func auth(t *testing.T, a got) created {
	t.Helper()
	var body struct {
		Auth created `json:"auth"`
	}
	if err := json.Unmarshal([]byte(a.raw), &body); err != nil || a.code != 200 || body.Auth.Accessor == "" {
		t.Fatalf("create: %+v, %v", a, err)
	}
	return body.Auth
}
