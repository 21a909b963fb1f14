package api

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestPolicies(t *testing.T) {
	u := root(t)
	n, text := u.name("pol"), `path "secret/*" { capabilities = ["read"] } # why`
	u.Cleanup(func() { u.remove("sys/policies/acl/" + n) })
	u.do("PUT", "sys/policies/acl/"+n, obj{"policy": text}).want(204)
	u.get("sys/policies/acl/"+n).want(200).is("data.name", n).is("data.policy", text)
	u.get("sys/policy/"+n).want(200).is("data.rules", text).is("rules", text)
	for _, r := range []*reply{u.list("sys/policies/acl"), u.get("sys/policies/acl?list=true"), u.get("sys/policy")} {
		if !r.want(200).has("data.keys", n) || !r.has("data.keys", "root") || !r.has("data.keys", "default") {
			t.Errorf("%s: %v", r.what, r.at("data.keys"))
		}
	}
	u.post("sys/policies/acl/"+strings.ToUpper(n), obj{"policy": text}).want(200).warns("policy name was converted to " + n)
	u.remove("sys/policies/acl/" + n).want(204)
	u.get("sys/policies/acl/"+n).want(404).is("errors", []string{})
	u.remove("sys/policies/acl/" + n).want(204)
	for text, body := range map[string]any{
		"'policy' parameter not supplied or empty":                              obj{},
		`failed to parse policy: path "x": invalid capability "bogus"`:          obj{"policy": `path "x" { capabilities = ["bogus"] }`},
		"failed to parse policy: At 1:10: expected: IDENT | STRING got: LBRACE": obj{"policy": "garbage {{"},
		`failed to parse policy: path "x": invalid policy "admin"`:              obj{"policy": `path "x" { policy = "admin" }`},
		`invalid key "nonsense" on line 1`:                                      obj{"policy": `path "x" { nonsense = 1 }`},
	} {
		u.post("sys/policies/acl/"+u.name("bad"), body).refused(400, text)
	}
	u.post("sys/policies/acl/root", obj{"policy": text}).refused(400, `cannot update "root" policy`)
	u.remove("sys/policies/acl/root").refused(400, `cannot delete "root" policy`)
	u.remove("sys/policies/acl/default").refused(400, "cannot delete default policy")
}

func TestPolicyChangeTakesEffectAtOnce(t *testing.T) {
	u := root(t)
	p := u.policy(`path "auth/token/lookup-self" { capabilities = ["read"] }`)
	tk := u.child(obj{"policies": []string{p}, "no_default_policy": true})
	for range 10 {
		u.as(tk.id).get("auth/token/lookup-self").want(200)
		u.post("sys/policies/acl/"+p, obj{"policy": `path "x" { capabilities = ["read"] }`}).want(204)
		u.as(tk.id).get("auth/token/lookup-self").refused(403, "permission denied")
		u.post("sys/policies/acl/"+p, obj{"policy": `path "auth/token/lookup-self" { capabilities = ["read"] }`}).want(204)
	}
}

func TestCapabilities(t *testing.T) {
	u := root(t)
	tk := u.with(`path "kv/a" { capabilities = ["update", "read", "sudo"] }
path "kv/+/x" { capabilities = ["list"] }
path "kv/b/*" { policy = "deny" }`)
	u.post("sys/capabilities", obj{"token": tk.id, "path": "kv/a"}).want(200).is("capabilities", []string{"read", "sudo", "update"})
	r := u.post("sys/capabilities-accessor", obj{"accessor": tk.accessor, "paths": []string{"kv/z/x", "kv/b/c", "q"}}).want(200)
	r.is("data.kv/z/x", []string{"list"}).is("data.kv/b/c", []string{"deny"}).is("data.q", []string{"deny"})
	u.post("sys/capabilities-self", obj{"path": "x"}).want(200).is("capabilities", []string{"root"})
	u.post("sys/capabilities-self", obj{}).refused(400, "paths must be supplied")
	u.post("sys/capabilities", obj{"token": "hvs.none", "path": "x"}).refused(400, "invalid token")
	u.post("sys/capabilities-accessor", obj{"accessor": "none", "path": "x"}).refused(400, "invalid accessor")
	u.as(tk.id).post("sys/capabilities-self", obj{"path": "x"}).refused(403, "permission denied")
}

func TestParameterConstraints(t *testing.T) {
	u := root(t)
	tk := u.child(obj{"ttl": "10m", "policies": []string{u.policy(`path "auth/token/create" {
  capabilities = ["update"]
  allowed_parameters = { "ttl" = ["5m", "1*"] "display_name" = [] }
  denied_parameters = { "display_name" = ["bad*"] }
}`)}})
	v := u.as(tk.id)
	v.post("auth/token/create", obj{"ttl": "5m"}).want(200)
	v.post("auth/token/create", obj{"ttl": "10m", "display_name": "good"}).want(200)
	v.post("auth/token/create", obj{"ttl": "20m"}).refused(403, "permission denied")
	v.post("auth/token/create", obj{"display_name": "bad one"}).refused(403, "permission denied")
	v.post("auth/token/create", obj{"num_uses": 2}).refused(403, "permission denied")
}

func TestLeases(t *testing.T) {
	u := root(t)
	n := u.role(obj{})
	a, _ := u.issue("create/"+n, obj{"policies": []string{"default"}, "ttl": "10m"})
	r := u.list("sys/leases/lookup/auth/token/create/" + n).want(200)
	keys, _ := r.at("data.keys").([]any)
	if len(keys) != 1 {
		t.Fatalf("leases %v, want one", keys)
	}
	last, _ := keys[0].(string)
	if len(last) != 65 || last[0] != 'h' {
		t.Errorf("lease id %q, want h and 64 hex digits", last)
	}
	id := "auth/token/create/" + n + "/" + last
	u.post("sys/leases/lookup", obj{"lease_id": id}).want(200).is("data.id", id).between("data.ttl", 590, 600).is("data.last_renewal", nil)
	u.post("sys/leases/renew", obj{"lease_id": id, "increment": 300}).refused(400, "tokens cannot be renewed through this endpoint")
	u.post("sys/leases/revoke", obj{"lease_id": id}).want(204)
	u.dead(a)
	u.post("sys/leases/lookup", obj{"lease_id": id}).refused(400, "invalid lease")
	u.post("sys/leases/lookup", obj{}).refused(400, "lease_id must be specified")
	u.post("sys/leases/renew", obj{"lease_id": "none"}).refused(400, "lease not found")
	u.post("sys/leases/revoke", obj{"lease_id": "no/such"}).want(204)
	u.list("sys/leases/lookup/auth/" + u.name("none") + "/").want(404)
}

func TestBreakGlass(t *testing.T) {
	u := root(t)
	n := u.role(obj{})
	other := u.role(obj{})
	stays, _ := u.issue("create/"+other, obj{"policies": []string{"default"}})
	for _, path := range []string{"sys/leases/revoke-prefix/", "sys/leases/revoke-force/", "sys/revoke-prefix/"} {
		var all []issued
		for range 5 {
			a, _ := u.issue("create/"+n, obj{"policies": []string{"root"}, "ttl": "1h"})
			all = append(all, a, u.as(a.id).child(nil))
		}
		u.do("PUT", path+"auth/token/create/"+n, nil).want(204)
		for _, a := range all {
			u.dead(a)
		}
	}
	u.alive(stays)
	near, _ := u.issue("create-orphan", obj{"policies": []string{"default"}, "ttl": "1h"})
	u.do("PUT", "sys/leases/revoke-prefix/auth/token/create-orp", nil).want(204) // whole segments only
	u.alive(near)
	weak := u.with(`path "sys/leases/revoke-prefix/*" { capabilities = ["update"] }`)
	u.as(weak.id).do("PUT", "sys/leases/revoke-prefix/auth/token/create/"+other, nil).refused(403, "permission denied")
	u.alive(stays)
}

func TestErrorShapes(t *testing.T) {
	u := root(t)
	tests := []struct {
		method, path string
		body         any
		status       int
		text         string
	}{
		{"GET", "nomount/x", nil, 404, `no handler for route "nomount/x". route entry not found.`},
		{"GET", "auth/token/nosuch", nil, 404, "unsupported path"},
		{"GET", "sys/nosuch", nil, 404, "unsupported path"},
		{"GET", "auth/token/create", nil, 405, "unsupported operation"},
		{"DELETE", "auth/token/lookup-self", nil, 405, "unsupported operation"},
		{"GET", "auth/token/roles", nil, 405, "unsupported operation"},
		{"LIST", "auth/token/create", nil, 404, "unsupported path"},
		{"FOO", "auth/token/create", nil, 405, ""},
		{"GET", "auth/token/roles?list=banana", nil, 400, ""},
		{"PATCH", "auth/token/lookup-self", obj{}, 415, "PATCH requires Content-Type"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			r := user{t, u.token}.do(tt.method, tt.path, tt.body, "Content-Type", "application/json").refused(tt.status, tt.text)
			if got := r.header.Get("Cache-Control") + " " + r.header.Get("Content-Type"); got != "no-store application/json" {
				t.Errorf("headers %q", got)
			}
		})
	}
	u.do("GET", "/v2/x", nil).want(404)
	nobody := u.child(nil)
	u.as(nobody.id).get("nomount/x").refused(403, "permission denied") // not even whether it is there
	u.as("").get("auth/token/lookup-self").want(403).is("errors", []string{"permission denied"})
	u.as("hvs.none").get("auth/token/lookup-self").refused(403, "invalid token")
	u.as("").do("GET", "auth/token/lookup-self", nil, "Authorization", "Bearer "+nobody.id).want(200)
	u.as("").do("GET", "auth/token/lookup-self", nil, "Authorization", "Basic cm9vdDpyb290").refused(403, "permission denied")
	u.post("auth/token/create", obj{"ttl": "1m", "zzz": 1, "aaa": 2}).want(200).warns("unrecognized parameters: [aaa zzz]")
}

func TestBodyOverTheLimit(t *testing.T) {
	u := root(t)
	u.post("auth/token/create", `{"display_name":"`+strings.Repeat("x", 33<<20)+`"}`).refused(413, "too large")
}

func TestHealthAndStatus(t *testing.T) {
	u := root(t).as("")
	u.get("sys/health").want(200).is("initialized", true).is("sealed", false).is("standby", false).between("server_time_utc", time.Now().Unix()-60, time.Now().Unix()+60)
	u.get("sys/health?activecode=299").want(299)
	u.get("sys/health?activecode=x").refused(400, "")
	if r := u.do("HEAD", "sys/health", nil).want(200); len(r.raw) != 0 {
		t.Errorf("HEAD has a body of %d bytes", len(r.raw))
	}
	u.get("sys/seal-status").want(200).is("sealed", false).is("storage_type", "raft")
	u.get("sys/init").want(200).is("initialized", true)
	u.do("PUT", "sys/init", obj{}).refused(400, "already initialized")
	if u.get("sys/leader").want(200).str("leader_address") == "" {
		t.Error("no leader address")
	}
	r := root2(t).get("sys/storage/raft/configuration").want(200)
	servers, _ := r.at("data.config.servers").([]any)
	if len(servers) == 0 {
		t.Error("no server in the raft configuration")
	}
	h := root2(t).get("sys/ha-status").want(200)
	active := 0
	list, _ := h.at("data.nodes").([]any)
	for _, n := range list {
		if n.(obj)["active_node"] == true {
			active++
		}
	}
	if active != 1 {
		t.Errorf("%d active nodes in %v", active, list)
	}
	root2(t).get("sys/internal/counters/tokens").want(200)
	root2(t).get("sys/auth").want(200).is("data.token/.type", "token")
	root2(t).get("sys/auth/token/tune").want(200).is("data.force_no_cache", false)
	root2(t).get("sys/mounts").want(200)
	root2(t).post("auth/token/tidy", nil).want(http.StatusAccepted).warns("Tidy operation")
}

// root2 is root in a test that is parallel already.
func root2(t *testing.T) user { return user{t, *tokenFlag} }
