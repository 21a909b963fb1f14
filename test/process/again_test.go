package process

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	againRequests = flag.Int("again.requests", 60, "requests of each client")
	againKills    = flag.Int("again.kills", 3, "how often the leader is killed")
)

const againClients = 6

// told is what a keyed request was answered.
type told struct {
	code     int
	raw      string
	replayed bool
}

// try sends a request with a key once. A patience that is not zero cuts the connection after that time, wherever the
// request is by then.
func try(nd *node, token, method, path, body, key string, patience time.Duration) (told, error) {
	limit := 30 * time.Second
	if patience > 0 {
		limit = patience
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, nd.addr+"/v1/"+path, struct{ io.Reader }{strings.NewReader(body)})
	if err != nil {
		return told{}, err
	}
	req.Header.Set("X-Vault-Token", token)
	req.Header.Set("Idempotency-Key", key)
	resp, err := client.Do(req)
	if err != nil {
		return told{}, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return told{resp.StatusCode, string(b), resp.Header.Get("Idempotency-Replayed") == "true"}, err
}

// insist sends one request to one node after the other until there is an answer that says what happened, the first
// time with a connection that is cut at random; then once more to another node, which must say the same.
func (c *cluster) insist(at int, token, method, path, body, key string) told {
	try(c.nodes[at%3], token, method, path, body, key, time.Duration(1+rand.IntN(4000))*time.Microsecond)
	first := c.outlast(at+1, token, method, path, body, key)
	again := c.outlast(at+2, token, method, path, body, key)
	if again.code != first.code || again.raw != first.raw || !again.replayed {
		c.t.Errorf("%s %s: answered %d %s\nand again, replayed %v, %d %s", method, path, first.code, first.raw, again.replayed, again.code, again.raw)
	}
	return first
}

func (c *cluster) outlast(at int, token, method, path, body, key string) told {
	deadline := time.Now().Add(2 * time.Minute)
	for ; ; at++ {
		a, err := try(c.nodes[at%3], token, method, path, body, key, 0)
		if err == nil && a.code < 500 {
			return a
		}
		if time.Now().After(deadline) {
			c.t.Errorf("%s %s: not answered within two minutes: %d %s %v", method, path, a.code, a.raw, err)
			return a
		}
		<-time.After(10 * time.Millisecond) // a node that is down answers at once
	}
}

// work is what one client did: it made tokens, some of which it revoked, and used a limited one.
func (c *cluster) work(n int, done *atomic.Int64) (made, revoked int, err error) {
	parent := c.create(c.nodes[0], c.root, map[string]any{"ttl": "2h", "policies": []string{"root"}})
	limited := c.create(c.nodes[0], c.root, map[string]any{"ttl": "2h", "num_uses": *againRequests + 1, "policies": []string{"default"}})
	for i := range *againRequests {
		key := fmt.Sprintf("%d-%d", n, i)
		at := rand.IntN(3)
		a := c.insist(at, parent, "POST", "auth/token/create", `{"ttl":"1h","policies":["default","missing"]}`, key)
		var body struct {
			Auth struct {
				ClientToken string `json:"client_token"`
			}
		}
		if e := json.Unmarshal([]byte(a.raw), &body); e != nil || a.code != 200 {
			return made, revoked, fmt.Errorf("create: %d %s", a.code, a.raw)
		}
		made++
		child := body.Auth.ClientToken
		if i%3 == 0 {
			if a := c.insist(at, child, "POST", "auth/token/renew-self", `{"increment":"30m"}`, key); a.code != 200 {
				return made, revoked, fmt.Errorf("renew: %d %s", a.code, a.raw)
			}
		}
		if i%2 == 0 {
			if a := c.insist(at, child, "POST", "auth/token/revoke-self", "", key+"-end"); a.code != 204 {
				return made, revoked, fmt.Errorf("revoke: %d %s", a.code, a.raw)
			}
			revoked++
		}
		left := fmt.Sprintf(`"num_uses":%d,`, *againRequests-i)
		if a := c.insist(at, limited, "GET", "auth/token/lookup-self", "", key); a.code != 200 || !strings.Contains(a.raw, left) {
			return made, revoked, fmt.Errorf("use %d: %d %s, want %s", i, a.code, a.raw, left)
		}
		done.Add(1)
	}
	return made, revoked, nil
}

// TestEveryRequestAgain lets clients cut the connection of every request at random and send it again to other nodes, under
// its key, while the leader is killed: nothing happens twice, and every answer is given again (P2, P5).
func TestEveryRequestAgain(t *testing.T) {
	t.Parallel()
	c := start(t, 3)
	before := c.countTokens()
	var done atomic.Int64
	var living, made atomic.Int64
	var wg sync.WaitGroup
	for n := range againClients {
		wg.Go(func() {
			m, r, err := c.work(n, &done)
			if err != nil {
				t.Error(err)
			}
			made.Add(int64(m))
			living.Add(int64(2 + m - r))
		})
	}
	total := int64(againClients * *againRequests)
	for k := range *againKills {
		c.await("the clients get on", func() bool { return done.Load() >= total*int64(k+1)/int64(*againKills+2) || t.Failed() })
		if l := c.leader(); l != nil {
			l.kill()
			if err := l.run(c.bin); err != nil {
				t.Fatal(err)
			}
		}
	}
	wg.Wait()
	if got := c.countTokens() - before; int64(got) != living.Load() {
		t.Errorf("%d tokens came to live, want %d: a request happened twice or not at all", got, living.Load())
	}
	t.Logf("%d tokens made, %d live, %d leaders killed", made.Load(), living.Load(), *againKills)
}

// countTokens counts the living tokens.
func (c *cluster) countTokens() int {
	c.t.Helper()
	n := -1
	c.await("the tokens are listed", func() bool {
		a, err := call("LIST", c.nodes[0].addr+"/v1/auth/token/accessors", c.root, nil)
		if err == nil && a.code == 200 {
			data, _ := a.body["data"].(map[string]any)
			keys, _ := data["keys"].([]any)
			n = len(keys)
		}
		return n >= 0
	})
	return n
}
