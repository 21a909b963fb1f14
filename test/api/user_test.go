package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// obj is a JSON object.
type obj = map[string]any

// user sends requests with one token; each goes to the next node.
type user struct {
	*testing.T
	token string
}

var (
	turn   atomic.Uint64
	serial atomic.Uint64
	start  = time.Now().UnixNano()
	client = &http.Client{Timeout: 40 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 32}}
)

// root is the user with the root token. The test runs beside all others.
func root(t *testing.T) user {
	t.Parallel()
	return user{t, *tokenFlag}
}

// as is the same test with another token.
func (u user) as(token string) user { return user{u.T, token} }

// name gives a name that no other test or run uses.
func (u user) name(prefix string) string {
	return fmt.Sprintf("%s-%x-%d", prefix, start, serial.Add(1))
}

// reply is an answer.
type reply struct {
	u      user
	what   string
	status int
	header http.Header
	raw    []byte
	body   obj
}

// do sends a request. body is nil, an object, or a string that is sent as it is.
func (u user) do(method, path string, body any, headers ...string) *reply {
	u.Helper()
	var rd io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		rd = strings.NewReader(b)
	default:
		j, err := json.Marshal(b)
		if err != nil {
			u.Fatal(err)
		}
		rd = bytes.NewReader(j)
	}
	if !strings.HasPrefix(path, "/") {
		path = "/v1/" + path
	}
	ctx, cancel := context.WithTimeout(context.Background(), 40*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, nodes[turn.Add(1)%uint64(len(nodes))]+path, rd)
	if err != nil {
		u.Fatal(err)
	}
	if u.token != "" {
		req.Header.Set("X-Vault-Token", u.token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := client.Do(req)
	if err != nil {
		u.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	r := &reply{u: u, what: method + " " + path, status: resp.StatusCode, header: resp.Header}
	if r.raw, err = io.ReadAll(resp.Body); err != nil {
		u.Fatal(err)
	}
	d := json.NewDecoder(bytes.NewReader(r.raw))
	d.UseNumber()
	d.Decode(&r.body)
	return r
}

func (u user) get(path string) *reply            { u.Helper(); return u.do("GET", path, nil) }
func (u user) list(path string) *reply           { u.Helper(); return u.do("LIST", path, nil) }
func (u user) post(path string, body any) *reply { u.Helper(); return u.do("POST", path, body) }
func (u user) remove(path string) *reply         { u.Helper(); return u.do("DELETE", path, nil) }

// want checks the status.
func (r *reply) want(status int) *reply {
	r.u.Helper()
	if r.status != status {
		r.u.Fatalf("%s: status %d, want %d: %.300s", r.what, r.status, status, r.raw)
	}
	return r
}

// refused checks the status and that an error has the text.
func (r *reply) refused(status int, text string) *reply {
	r.u.Helper()
	r.want(status)
	if _, ok := r.body["errors"].([]any); !ok || !strings.Contains(fmt.Sprint(r.body["errors"]), text) {
		r.u.Errorf("%s: errors %v, want one with %q", r.what, r.body["errors"], text)
	}
	return r
}

// at gives the value at a dotted path, nil if there is none.
func (r *reply) at(path string) any {
	var v any = r.body
	for _, k := range strings.Split(path, ".") {
		m, ok := v.(obj)
		if !ok {
			return nil
		}
		v = m[k]
	}
	return v
}

// is checks the value at a path.
func (r *reply) is(path string, want any) *reply {
	r.u.Helper()
	b, err := json.Marshal(want)
	if err != nil {
		r.u.Fatal(err)
	}
	var w any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	d.Decode(&w)
	if got := r.at(path); !reflect.DeepEqual(got, w) {
		r.u.Errorf("%s: %s is %v, want %v", r.what, path, got, w)
	}
	return r
}

// between checks a number.
func (r *reply) between(path string, lo, hi int64) *reply {
	r.u.Helper()
	n, ok := r.at(path).(json.Number)
	i, err := n.Int64()
	if !ok || err != nil || i < lo || i > hi {
		r.u.Errorf("%s: %s is %v, want %d to %d", r.what, path, r.at(path), lo, hi)
	}
	return r
}

// warns checks that a warning has the text.
func (r *reply) warns(text string) *reply {
	r.u.Helper()
	if !strings.Contains(fmt.Sprint(r.body["warnings"]), text) {
		r.u.Errorf("%s: warnings %v, want one with %q", r.what, r.body["warnings"], text)
	}
	return r
}

// str gives the string at a path.
func (r *reply) str(path string) string {
	r.u.Helper()
	s, ok := r.at(path).(string)
	if !ok {
		r.u.Fatalf("%s: %s is %v, want a string", r.what, path, r.at(path))
	}
	return s
}

// has reports whether the list at a path holds s.
func (r *reply) has(path, s string) bool {
	l, _ := r.at(path).([]any)
	for _, e := range l {
		if e == s {
			return true
		}
	}
	return false
}

// issued is a token that a test made.
type issued struct{ id, accessor string }

// issue makes a token as u, at a path below auth/token/, and revokes it in the end.
func (u user) issue(path string, body obj) (issued, *reply) {
	u.Helper()
	r := u.post("auth/token/"+path, body).want(200)
	t := issued{r.str("auth.client_token"), r.str("auth.accessor")}
	u.Cleanup(func() { u.as(*tokenFlag).post("auth/token/revoke", obj{"token": t.id}) })
	return t, r
}

// token makes a child with the default policy.
func (u user) child(body obj) issued {
	u.Helper()
	if body == nil {
		body = obj{"policies": []string{"default"}}
	}
	t, _ := u.issue("create", body)
	return t
}

// policy writes a policy of its own and returns its name.
func (u user) policy(text string) string {
	u.Helper()
	n := u.name("policy")
	u.post("sys/policies/acl/"+n, obj{"policy": text}).want(204)
	u.Cleanup(func() { u.remove("sys/policies/acl/" + n) })
	return n
}

// with makes a token with just one policy of this text.
func (u user) with(text string) issued {
	u.Helper()
	return u.child(obj{"policies": []string{u.policy(text)}, "no_default_policy": true, "ttl": "10m"})
}

// role writes a token role of its own.
func (u user) role(body obj) string {
	u.Helper()
	n := u.name("role")
	u.post("auth/token/roles/"+n, body).want(204)
	u.Cleanup(func() { u.remove("auth/token/roles/" + n) })
	return n
}

// alive and dead check a token on two nodes, at the very next requests.
func (u user) alive(t issued) {
	u.Helper()
	for range 2 {
		u.as(*tokenFlag).post("auth/token/lookup", obj{"token": t.id}).want(200)
	}
}

func (u user) dead(t issued) {
	u.Helper()
	for range 2 {
		u.as(*tokenFlag).post("auth/token/lookup", obj{"token": t.id}).refused(403, "bad token")
		u.as(t.id).get("auth/token/lookup-self").refused(403, "permission denied")
	}
}
