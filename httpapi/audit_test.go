package httpapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/tokengrove/grove/engine/audit"
	"github.com/tokengrove/grove/engine/catalogue"
	"github.com/tokengrove/grove/fsm"
	table "github.com/tokengrove/grove/fsm/audit"
)

// reference is every field that a record may have, as the reference documents them. A name that ends in
// ".*" has anything below it.
var reference = strings.Fields(`
	time type error forwarded forwarded_from
	auth.accessor auth.client_token auth.display_name auth.entity_created auth.entity_id auth.external_namespace_policies.* auth.identity_policies
	auth.metadata.* auth.no_default_policy auth.num_uses auth.policies auth.remaining_uses auth.token_policies auth.token_issue_time auth.token_ttl auth.token_type
	auth.policy_results.allowed auth.policy_results.granting_policies
	request.client_certificate_serial_number request.client_id request.client_token request.client_token_accessor request.data.* request.headers.* request.id
	request.mount_accessor request.mount_class request.mount_is_external_plugin request.mount_point request.mount_running_sha256 request.mount_running_version
	request.mount_type request.namespace.id request.namespace.path request.operation request.path request.policy_override request.remote_address
	request.remote_port request.replication_cluster request.request_uri request.wrap_ttl
	response.auth.accessor response.auth.client_token response.auth.display_name response.auth.entity_id response.auth.metadata.* response.auth.num_uses
	response.auth.policies response.auth.token_policies response.auth.token_issue_time response.auth.token_ttl response.auth.token_type
	response.data.* response.headers.* response.mount_accessor response.mount_class response.mount_is_external_plugin response.mount_point
	response.mount_running_sha256 response.mount_running_plugin_version response.mount_type response.redirect response.secret.lease_id response.warnings
	response.wrap_info.accessor response.wrap_info.creation_path response.wrap_info.creation_time response.wrap_info.token response.wrap_info.ttl
	response.wrap_info.wrapped_accessor`)

// must is what every record has; of responses, those of the third line too.
var (
	must         = strings.Fields("time type request.id request.operation request.path request.namespace.id request.remote_address request.remote_port request.mount_point request.mount_type request.mount_accessor")
	mustKnown    = strings.Fields("auth.client_token auth.accessor auth.display_name auth.policies auth.token_policies auth.policy_results.allowed auth.token_issue_time auth.token_type request.client_id request.client_token request.client_token_accessor")
	mustResponse = strings.Fields("response.mount_point response.mount_type response.mount_accessor")
)

// recorded is a server whose requests are recorded.
type recorded struct {
	*server
	trail *audit.Trail
	file  string
}

func newRecorded(t *testing.T) *recorded {
	t.Helper()
	r := &recorded{server: newServer(t), trail: audit.New(audit.Config{}), file: filepath.Join(t.TempDir(), "audit.log")}
	t.Cleanup(r.trail.Close)
	var err error
	r.handler, err = New(Config{
		Store: r.store, Cluster: r.cluster, Now: r.store.now, Version: "1.2.3", Operations: Operations{Audit: r.trail},
		Engines: Engines{Methods: catalogue.Methods()},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// enable enables the file device at name.
func (r *recorded) enable(name, file string) {
	r.Helper()
	r.put(rootID, "sys/audit/"+name, obj{"type": "file", "options": obj{"file_path": file}}).want(204)
}

// lines reads what was recorded, flattened to names with dots.
func (r *recorded) lines() (out []map[string]any) {
	r.Helper()
	f, err := os.Open(r.file)
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		var m map[string]any
		if err := json.Unmarshal(sc.Bytes(), &m); err != nil {
			r.Fatalf("line %q: %v", sc.Text(), err)
		}
		flat := map[string]any{}
		flatten(flat, "", m)
		out = append(out, flat)
	}
	return out
}

func flatten(into map[string]any, prefix string, m map[string]any) {
	for k, v := range m {
		if below, ok := v.(map[string]any); ok && len(below) > 0 {
			flatten(into, prefix+k+".", below)
			continue
		}
		into[prefix+k] = v
	}
}

// last returns the last request and the last response, and checks that they are one pair.
func (r *recorded) last() (request, response map[string]any) {
	r.Helper()
	ls := r.lines()
	if len(ls) < 2 {
		r.Fatalf("%d records", len(ls))
	}
	request, response = ls[len(ls)-2], ls[len(ls)-1]
	if request["type"] != "request" || response["type"] != "response" || request["request.id"] != response["request.id"] {
		r.Fatalf("no pair:\n%v\n%v", request, response)
	}
	return request, response
}

func inReference(name string) bool {
	return slices.ContainsFunc(reference, func(f string) bool {
		below, open := strings.CutSuffix(f, "*")
		return f == name || (open && strings.HasPrefix(name, below))
	})
}

// TestAuditFields sends a request to every family of routes and holds every record to the reference's
// list of fields.
func TestAuditFields(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	r.put(rootID, "sys/config/auditing/request-headers/X-Vault-Token", obj{"hmac": true}).want(204)
	r.enable("f", r.file)
	child := r.token(obj{"policies": "default", "num_uses": 9, "meta": obj{"a": "b"}, "display_name": "ci"})
	accessor := r.post(rootID, "auth/token/lookup", obj{"token": child}).want(200).text("data.accessor")
	r.get(child, "auth/token/lookup-self").want(200)
	r.post(child, "auth/token/renew-self", obj{"increment": "10m"}).want(200)
	r.post(rootID, "auth/token/lookup-accessor", obj{"accessor": accessor}).want(200)
	r.list(rootID, "auth/token/accessors").want(200)
	r.post(rootID, "auth/token/roles/ci", obj{"orphan": true}).want(204)
	r.list(rootID, "auth/token/roles").want(200)
	r.get(rootID, "auth/token/roles/ci").want(200)
	r.post(rootID, "auth/token/create/ci", obj{}).want(200)
	r.delete(rootID, "auth/token/roles/ci").want(204)
	r.put(rootID, "sys/policies/acl/p", obj{"policy": `path "x" { capabilities = ["read"] }`}).want(204)
	r.get(rootID, "sys/policies/acl/p").want(200)
	r.post(rootID, "sys/capabilities-self", obj{"path": "x"}).want(200)
	r.get(rootID, "sys/internal/ui/resultant-acl").want(200)
	r.list(rootID, "sys/leases/lookup/").want(200)
	r.get(rootID, "sys/auth").want(200)
	r.get(rootID, "sys/auth/token/tune").want(200)
	r.get(rootID, "sys/ha-status").want(200)
	r.post(rootID, "sys/auth/userpass", obj{"type": "userpass"}).want(204)
	r.post(rootID, "auth/userpass/users/alice", obj{"password": "wonderland"}).want(204)
	r.post("", "auth/userpass/login/alice", obj{"password": "wonderland"}).want(200)
	r.post("", "auth/userpass/login/alice", obj{"password": "queen"}).want(400)
	r.get(child, "sys/mounts").want(403)
	r.get("", "sys/mounts").want(403)
	r.get("hvs.unknown", "sys/mounts").want(403)
	r.get(rootID, "no/such/path").want(404)
	r.post(rootID, "auth/token/create", obj{"ttl": "soon"}).want(400)
	r.post(rootID, "auth/token/revoke-accessor", obj{"accessor": accessor}).want(204)
	r.put(rootID, "sys/leases/revoke-prefix/auth/userpass", nil).want(204)

	ls := r.lines()
	if len(ls) < 60 {
		t.Errorf("only %d records", len(ls))
	}
	for i, l := range ls {
		if l["request.path"] == "sys/audit/test" {
			continue
		}
		for name := range l {
			if !inReference(name) && name != "auth" && name != "response" {
				t.Errorf("record %d of %s: the reference has no field %q", i, l["request.path"], name)
			}
		}
		want := must
		if l["auth.policy_results.allowed"] == true {
			want = slices.Concat(want, mustKnown)
		}
		if l["type"] == "response" {
			want = slices.Concat(want, mustResponse)
		}
		for _, name := range want {
			if l[name] == nil && l["request.path"] != "no/such/path" {
				t.Errorf("record %d of %s has no %q", i, l["request.path"], name)
			}
		}
	}
	b, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{child, accessor, "wonderland", "hvs."} {
		if strings.Contains(string(b), secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

// TestAuditRecord looks at one pair closely.
func TestAuditRecord(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	r.put(rootID, "sys/config/auditing/request-headers/x-trace", nil).want(204)
	r.enable("f", r.file)
	limited := r.token(obj{"policies": "default", "num_uses": 5, "ttl": "1h"})
	hash := func(s string) string {
		return r.post(rootID, "sys/audit-hash/f", obj{"input": s}).want(200).text("data.hash")
	}
	id, data := hash(limited), hash("soon")
	r.call("POST", limited, "auth/token/renew-self", obj{"increment": "soon"}, "X-Trace", "abc").want(400)
	q, p := r.last()
	for name, want := range map[string]any{
		"request.client_token": id, "auth.client_token": id, "request.operation": "update", "request.path": "auth/token/renew-self",
		"request.data.increment": data, "request.remote_address": "192.0.2.1", "request.remote_port": 4711.0, "request.namespace.id": "root",
		"request.mount_point": "auth/token/", "request.mount_type": "token", "request.mount_class": "auth", "auth.remaining_uses": 5.0,
		"auth.policy_results.allowed": true, "auth.token_ttl": 3600.0, "auth.token_type": "service", "request.headers.x-trace": []any{"abc"},
	} {
		if !reflect.DeepEqual(q[name], want) || !reflect.DeepEqual(p[name], want) {
			t.Errorf("%s: %v in the request, %v in the response, want %v", name, q[name], p[name], want)
		}
	}
	if q["error"] != nil || p["error"] == nil {
		t.Errorf("errors %v and %v, want one in the response only", q["error"], p["error"])
	}
	want := []any{map[string]any{"name": "default", "namespace_id": "root", "type": "acl"}}
	if got := q["auth.policy_results.granting_policies"]; !reflect.DeepEqual(got, want) {
		t.Errorf("granted by %v, want %v", got, want)
	}
}

// TestAuditDenial: a denial is recorded with its reason, and before it is charged.
func TestAuditDenial(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	r.enable("f", r.file)
	limited := r.token(obj{"policies": "default", "num_uses": 5})
	r.get(limited, "sys/mounts").want(403)
	q, p := r.last()
	if q["auth.policy_results.allowed"] != false || q["error"] == nil || p["error"] != q["error"] || q["auth.remaining_uses"] != 5.0 {
		t.Errorf("request %v\nresponse %v", q, p)
	}
	r.get("", "sys/mounts").want(403)
	if q, _ := r.last(); q["error"] == nil || q["request.client_token"] != nil {
		t.Errorf("without a token: %v", q)
	}
}

// TestAuditSilent: questions about the node are recorded nowhere, and need no device that works.
func TestAuditSilent(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	r.enable("f", r.file)
	before := len(r.lines())
	for _, path := range []string{"sys/health", "sys/init", "sys/seal-status", "sys/leader"} {
		r.get("", path).want(200)
	}
	if n := len(r.lines()); n != before {
		t.Errorf("%d more records", n-before)
	}
}

// breakAll makes all devices of the table fail, on all nodes at once, as full disks do.
func (r *recorded) breakAll(paths ...string) {
	r.Helper()
	for _, path := range paths {
		d := table.Device{Path: path, Type: "file", Options: map[string]string{"file_path": "/dev/full"}}
		if _, err := r.store.Propose(r.Context(), &fsm.EnableAudit{Device: d}); err != nil {
			r.Fatal(err)
		}
	}
}

// TestAuditRefuses: with no device that works nothing happens; with one that does, everything goes on.
func TestAuditRefuses(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full")
	}
	r := newRecorded(t)
	limited := r.token(obj{"policies": "default", "num_uses": 5})
	r.breakAll("full/")
	commands := len(r.store.log)
	for range 2 {
		r.post(rootID, "auth/token/create", obj{}).refused(500, "1 error occurred:\n\t* internal error\n\n")
		r.get(rootID, "auth/token/lookup-self").refused(500, "internal error")
		r.get(limited, "auth/token/lookup-self").refused(500, "internal error")
		r.get(limited, "sys/mounts").refused(500, "internal error")
		r.delete(rootID, "sys/audit/full").refused(500, "internal error")
		r.post("", "auth/userpass/login/alice", obj{"password": "x"}).want(500)
	}
	for _, c := range r.store.log[commands:] {
		t.Errorf("%T was proposed by a request that nobody could record", c)
	}
	r.get("", "sys/health").want(200)
	if _, err := r.store.Propose(r.Context(), &fsm.EnableAudit{Device: table.Device{Path: "good/", Type: "file", Options: map[string]string{"file_path": r.file}}}); err != nil {
		t.Fatal(err)
	}
	r.post(rootID, "auth/token/create", obj{}).want(200)
	if n := r.usesLeft(limited); n != 5 {
		t.Errorf("%d uses left, want 5: what was refused with 500 is not charged", n)
	}
	r.delete(rootID, "sys/audit/full").want(204)
	r.get(limited, "auth/token/lookup-self").want(200)
}

// TestAuditLate: a node that has not heard of a device yet evaluates again before anything happens.
func TestAuditLate(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	r.store.lag = true
	d := table.Device{Path: "f/", Type: "file", Options: map[string]string{"file_path": r.file}}
	if _, err := r.store.Propose(r.Context(), &fsm.EnableAudit{Device: d}); err != nil {
		t.Fatal(err)
	}
	r.post(rootID, "auth/token/create", obj{}).want(200)
	q, _ := r.last()
	if q["request.path"] != "auth/token/create" {
		t.Errorf("recorded %v", q)
	}
}

// TestAuditLateLogin: the same without a token.
func TestAuditLateLogin(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	r.post(rootID, "sys/auth/userpass", obj{"type": "userpass"}).want(204)
	r.post(rootID, "auth/userpass/users/alice", obj{"password": "wonderland"}).want(204)
	r.store.lag = true
	d := table.Device{Path: "f/", Type: "file", Options: map[string]string{"file_path": r.file}}
	if _, err := r.store.Propose(r.Context(), &fsm.EnableAudit{Device: d}); err != nil {
		t.Fatal(err)
	}
	r.post("", "auth/userpass/login/alice", obj{"password": "wonderland"}).want(200)
	if q, p := r.last(); q["request.path"] != "auth/userpass/login/alice" || p["response.auth.client_token"] == nil {
		t.Errorf("recorded %v, %v", q, p)
	}
}

func TestSysAudit(t *testing.T) {
	t.Parallel()
	r := newRecorded(t)
	r.get(rootID, "sys/audit").want(200)
	r.enable("a/b", "discard")
	r.put(rootID, "sys/audit/a/b", obj{"type": "file", "options": obj{"file_path": "discard"}}).refused(400, "path already in use: invalid configuration")
	r.put(rootID, "sys/audit/a", obj{"type": "file", "options": obj{"file_path": "discard"}}).refused(400, "path already in use")
	r.put(rootID, "sys/audit/c", obj{"type": "file", "options": obj{"file_path": filepath.Dir(r.file)}}).refused(400, "sanity check failed; unable to open")
	r.put(rootID, "sys/audit/c", obj{"type": "tape"}).refused(400, `unknown backend type: "tape"`)
	r.put(rootID, "sys/audit/c", obj{"type": "socket", "options": obj{"address": "127.0.0.1:1"}}).refused(400, "unable to reach")
	r.put(rootID, "sys/audit/c", obj{"type": "file", "options": obj{"file_path": "discard", "format": "jsonx"}}).refused(400, "jsonx")
	r.put(rootID, "sys/audit/c", obj{"type": "file", "options": obj{"file_path": "discard"}, "description": strings.Repeat("x", 1<<16)}).refused(400, "bytes in all")
	l := r.get(rootID, "sys/audit").want(200)
	if got := fmt.Sprint(l.at("data")); got != `map[a/b/:map[description: local:false options:map[file_path:discard] path:a/b/ type:file]]` {
		t.Errorf("got %s", got)
	}
	r.post(rootID, "sys/audit-hash/a/b", obj{}).refused(400, `the "input" parameter is empty`)
	r.post(rootID, "sys/audit-hash/x", obj{"input": "x"}).refused(400, `unknown audit backend "x/"`)
	r.delete(rootID, "sys/audit/a/b").want(204)
	r.delete(rootID, "sys/audit/a/b").want(204)
	r.get(r.with(`path "sys/audit*" { capabilities = ["read", "update", "delete"] }`), "sys/audit").want(403) // no sudo
	newServer(t).put(rootID, "sys/audit/a", obj{"type": "file"}).refused(404, "unsupported path")
}

func TestAuditedHeaders(t *testing.T) {
	t.Parallel()
	const path = "sys/config/auditing/request-headers"
	r := newRecorded(t)
	r.put(rootID, path+"/X-Forwarded-For", obj{"hmac": true}).want(204)
	r.get(rootID, path+"/X-Forwarded-For").want(200).is("data.X-Forwarded-For.hmac", true)
	r.get(rootID, path).want(200).is("data.headers.x-forwarded-for.hmac", true)
	r.get(rootID, path+"/other").refused(400, "Could not find header in config")
	r.put(rootID, path+"/a:b", nil).refused(400, "no name of a header")
	r.delete(rootID, path+"/x-forwarded-for").want(204)
	r.get(rootID, path+"/X-Forwarded-For").refused(400, "Could not find")
}
