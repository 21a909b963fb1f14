package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// asked is a request as a fake server saw it.
type asked struct{ method, uri, token, body string }

// fake is a server that gives one answer and notes what it was asked.
type fake struct {
	*httptest.Server
	mu   sync.Mutex
	last asked
	seen int
}

func newFake(t *testing.T, answer func(n int, w http.ResponseWriter)) *fake {
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Errorf("reading the request: %v", err)
		}
		f.mu.Lock()
		f.seen++
		n := f.seen
		f.last = asked{r.Method, r.RequestURI, r.Header.Get("X-Vault-Token"), string(b)}
		f.mu.Unlock()
		answer(n, w)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) requests() (asked, int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.seen
}

func always(status int, body string) func(int, http.ResponseWriter) {
	return func(_ int, w http.ResponseWriter) {
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// result is what a run left behind.
type result struct {
	code        int
	out, errOut string
}

// runCLI runs the program with variables and standard input.
func runCLI(ctx context.Context, vars map[string]string, stdin string, args ...string) result {
	var out, errOut bytes.Buffer
	env := &environment{stdin: strings.NewReader(stdin), stdout: &out, stderr: &errOut, getenv: func(k string) string { return vars[k] }}
	code := run(ctx, args, env)
	return result{code, out.String(), errOut.String()}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	dir := writeFiles(t, map[string]string{"p.hcl": `path "a" {}`, "f": "text", "o.json": `{"n": 10000000000000001, "s": "x"}`})
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		args, stdin string
		want        asked
	}{
		{"token create", "", asked{"POST", "/v1/auth/token/create", "t", `{}`}},
		{"token create -id=i -ttl=1h -period 2h -explicit-max-ttl=3h -policy=a -policy=b -orphan -display-name=d -metadata=k=v=w -use-limit=3 -renewable=false -no-default-policy -type=service", "",
			asked{"POST", "/v1/auth/token/create", "t", `{"display_name":"d","explicit_max_ttl":"3h","id":"i","meta":{"k":"v=w"},"no_default_policy":true,"no_parent":true,"num_uses":3,"period":"2h","policies":["a","b"],"renewable":false,"ttl":"1h","type":"service"}`}},
		{"token create -role=r", "", asked{"POST", "/v1/auth/token/create/r", "t", `{}`}},
		{"token lookup", "", asked{"GET", "/v1/auth/token/lookup-self", "t", ""}},
		{"token lookup x", "", asked{"POST", "/v1/auth/token/lookup", "t", `{"token":"x"}`}},
		{"token lookup -accessor x", "", asked{"POST", "/v1/auth/token/lookup-accessor", "t", `{"accessor":"x"}`}},
		{"token renew", "", asked{"PUT", "/v1/auth/token/renew-self", "t", `{}`}},
		{"token renew -increment=1h x", "", asked{"PUT", "/v1/auth/token/renew", "t", `{"increment":"1h","token":"x"}`}},
		{"token renew -accessor x", "", asked{"PUT", "/v1/auth/token/renew-accessor", "t", `{"accessor":"x"}`}},
		{"token revoke x", "", asked{"PUT", "/v1/auth/token/revoke", "t", `{"token":"x"}`}},
		{"token revoke -self", "", asked{"PUT", "/v1/auth/token/revoke-self", "t", ""}},
		{"token revoke -accessor x", "", asked{"PUT", "/v1/auth/token/revoke-accessor", "t", `{"accessor":"x"}`}},
		{"token revoke -mode=orphan x", "", asked{"PUT", "/v1/auth/token/revoke-orphan", "t", `{"token":"x"}`}},
		{"token revoke -mode=path a/b", "", asked{"PUT", "/v1/sys/leases/revoke-prefix/a/b", "t", ""}},
		{"token capabilities p", "", asked{"POST", "/v1/sys/capabilities-self", "t", `{"path":"p"}`}},
		{"token capabilities x p", "", asked{"POST", "/v1/sys/capabilities", "t", `{"path":"p","token":"x"}`}},
		{"token capabilities -accessor x p", "", asked{"POST", "/v1/sys/capabilities-accessor", "t", `{"accessor":"x","path":"p"}`}},
		{"policy list", "", asked{"GET", "/v1/sys/policies/acl?list=true", "t", ""}},
		{"policy read Name", "", asked{"GET", "/v1/sys/policies/acl/name", "t", ""}},
		{"policy write N " + file("p.hcl"), "", asked{"PUT", "/v1/sys/policies/acl/n", "t", `{"policy":"path \"a\" {}"}`}},
		{"policy write n -", "x", asked{"PUT", "/v1/sys/policies/acl/n", "t", `{"policy":"x"}`}},
		{"policy delete n", "", asked{"DELETE", "/v1/sys/policies/acl/n", "t", ""}},
		{"lease lookup l", "", asked{"PUT", "/v1/sys/leases/lookup", "t", `{"lease_id":"l"}`}},
		{"lease renew -increment=5 l", "", asked{"PUT", "/v1/sys/leases/renew", "t", `{"increment":"5","lease_id":"l"}`}},
		{"lease revoke l", "", asked{"PUT", "/v1/sys/leases/revoke", "t", `{"lease_id":"l","sync":false}`}},
		{"lease revoke -prefix -sync p/q", "", asked{"PUT", "/v1/sys/leases/revoke-prefix/p/q", "t", `{"sync":true}`}},
		{"lease revoke -prefix -force p", "", asked{"PUT", "/v1/sys/leases/revoke-force/p", "t", `{}`}},
		{"operator init -key-shares=5", "", asked{"PUT", "/v1/sys/init", "t", `{"secret_shares":5,"secret_threshold":1}`}},
		{"operator members", "", asked{"GET", "/v1/sys/ha-status", "t", ""}},
		{"operator step-down", "", asked{"PUT", "/v1/sys/step-down", "t", ""}},
		{"operator raft list-peers", "", asked{"GET", "/v1/sys/storage/raft/configuration", "t", ""}},
		{"operator raft join -leader-ca-cert=@" + file("f") + " http://x", "", asked{"POST", "/v1/sys/storage/raft/join", "t", `{"leader_api_addr":"http://x","leader_ca_cert":"text"}`}},
		{"operator raft remove-peer n", "", asked{"POST", "/v1/sys/storage/raft/remove-peer", "t", `{"server_id":"n"}`}},
		{"read /a b=c", "", asked{"GET", "/v1/a?b=c", "t", ""}},
		{"list a/", "", asked{"GET", "/v1/a/?list=true", "t", ""}},
		{"delete a%b", "", asked{"DELETE", "/v1/a%25b", "t", ""}},
		{"write -force a", "", asked{"PUT", "/v1/a", "t", `{}`}},
		{"write a k=v k=w l=@" + file("f") + ` m=\@x n=-`, "in", asked{"PUT", "/v1/a", "t", `{"k":["v","w"],"l":"text","m":"@x","n":"in"}`}},
		{"write a @" + file("o.json") + " s=y", "", asked{"PUT", "/v1/a", "t", `{"n":10000000000000001,"s":["x","y"]}`}},
	} {
		t.Run(c.args, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, always(200, `{}`))
			vars := map[string]string{"VAULT_ADDR": f.URL, "VAULT_TOKEN": "t"}
			r := runCLI(t.Context(), vars, c.stdin, strings.Fields(c.args)...)
			if r.code != 0 {
				t.Fatalf("exit code %d: %s", r.code, r.errOut)
			}
			if got, n := f.requests(); got != c.want || n != 1 {
				t.Errorf("%d requests, the last %+v\nwant one, %+v", n, got, c.want)
			}
		})
	}
}

func TestWrongCalls(t *testing.T) {
	t.Parallel()
	f := newFake(t, always(200, `{}`))
	for args, want := range map[string]string{
		"bogus":                             `Unknown command "bogus"`,
		"token bogus":                       `Unknown command "bogus" for "grove token"`,
		"token create -bogus":               "Unknown flag: --bogus",
		"token create x":                    `Unknown command "x"`,
		"token create -metadata=k":          "-metadata=k: want key=value",
		"token lookup -accessor":            "-accessor needs an accessor",
		"token renew -accessor":             "-accessor needs an accessor",
		"token revoke":                      "Want a token",
		"token revoke -self x":              "-self takes no argument",
		"token revoke -self -accessor":      "-self excludes",
		"token revoke -accessor -mode=path": "Want a token",
		"token revoke -mode=tree x":         "-mode=tree: orphan and path are allowed",
		"token capabilities":                "Accepts between 1 and 2 arg(s)",
		"lease revoke -force x":             "-force needs -prefix",
		"write a":                           "Must supply data",
		"write a b":                         `Argument "b": want key=value`,
		"write a k=@/none":                  "no such file",
		"policy write n /none":              "Reading the policy",
		"status -format=xml":                `Format "xml": table, json and yaml are allowed`,
		"status -address=localhost:8200":    `Address "localhost:8200": want http`,
		"status -ca-cert=/none":             "CA certificate",
		"status -client-cert=/none":         "Client certificate",
		"login -method=nonsense x":          `Login method "nonsense" is not supported`,
		"login -":                           "No token was given",
		"server":                            "A node needs -config=FILE, or -dev",
		"server -dev -config=x":             "-dev and -config exclude each other",
		"server -dev -dev-nodes=2":          "-dev-nodes=2: 1, 3 and 5 are allowed",
		"server -dev -dev-listen-address=x": "-dev-listen-address=x: want host:port",
		"server -dev -log-level=loud":       `Log level "loud"`,
	} {
		r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": f.URL, "VAULT_TOKEN": "t"}, "", strings.Fields(args)...)
		if r.code != 1 || !strings.Contains(r.errOut, want) || r.out != "" {
			t.Errorf("grove %s: code %d, error %q, output %q; want code 1 and %q", args, r.code, r.errOut, r.out, want)
		}
	}
	if _, n := f.requests(); n != 0 {
		t.Errorf("%d wrong calls reached the server", n)
	}
}

func TestUnavailableIsTriedAgain(t *testing.T) {
	t.Parallel()
	unavailable := func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, `{"errors":["no leader"]}`)
	}
	f := newFake(t, func(n int, w http.ResponseWriter) {
		if n < 3 {
			unavailable(w)
		} else {
			io.WriteString(w, `{"data":{"id":"x"}}`)
		}
	})
	vars := map[string]string{"VAULT_ADDR": f.URL}
	if r := runCLI(t.Context(), vars, "", "token", "lookup", "-field=id"); r.code != 0 || r.out != "x" {
		t.Errorf("got %+v, want the answer of the third try", r)
	}
	f = newFake(t, func(_ int, w http.ResponseWriter) { unavailable(w) })
	r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": f.URL}, "", "token", "lookup")
	if _, n := f.requests(); r.code != 2 || !strings.Contains(r.errOut, "* no leader") || n != clientRetries+1 {
		t.Errorf("got %+v after %d tries, want code 2 after %d", r, n, clientRetries+1)
	}
}

func TestUnreachable(t *testing.T) {
	t.Parallel()
	f := newFake(t, always(200, `{}`))
	plain := f.URL
	r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": strings.Replace(plain, "http:", "https:", 1)}, "", "token", "lookup")
	if r.code != 2 || !strings.Contains(r.errOut, "It speaks plain HTTP") {
		t.Errorf("TLS to a plain server: %+v", r)
	}
	f.Close()
	r = runCLI(t.Context(), map[string]string{"VAULT_ADDR": plain}, "", "token", "lookup")
	if r.code != 2 || !strings.HasPrefix(r.errOut, "Error looking up token: cannot reach the server: ") {
		t.Errorf("closed server: %+v", r)
	}
	if r = runCLI(t.Context(), map[string]string{"VAULT_ADDR": plain}, "", "status"); r.code != 1 {
		t.Errorf("status of a closed server: %+v, want code 1", r)
	}
}

func TestTokenFiles(t *testing.T) {
	t.Parallel()
	f := newFake(t, always(200, `{"data":{"id":"x","policies":["root"],"ttl":0}}`))
	home := writeFiles(t, map[string]string{".vault-token": "old\n"})
	vars := map[string]string{"VAULT_ADDR": f.URL, "HOME": home}
	check := func(want string, args ...string) {
		t.Helper()
		r := runCLI(t.Context(), vars, "new\n", args...)
		if got, _ := f.requests(); r.code != 0 || got.token != want {
			t.Errorf("grove %q used token %q with code %d, want %q (%s)", args, got.token, r.code, want, r.errOut)
		}
	}
	check("old", "token", "lookup")
	check("once", "login", "-no-store", "once")
	check("old", "token", "lookup")
	check("new", "login", "-")
	check("new", "token", "lookup")
	vars["VAULT_TOKEN"] = "variable"
	check("variable", "token", "lookup")
	vars["GROVE_TOKEN"] = "own"
	check("own", "token", "lookup")
	st, err := os.Stat(filepath.Join(home, ".grove-token"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("token file: %v, %v, want mode 0600", st, err)
	}
	r := runCLI(t.Context(), vars, "", "login", "x")
	if !strings.Contains(r.errOut, "GROVE_TOKEN is set") {
		t.Errorf("login did not warn of the variable: %+v", r)
	}
}
