package api

import (
	"fmt"
	"strings"
	"testing"
)

// TestWhichRuleWins asks for capabilities under several rules. Every rule is a policy of its
// own, so that no order of them can matter.
func TestWhichRuleWins(t *testing.T) {
	u := root(t)
	tests := []struct {
		name  string
		rules map[string]string // pattern: capabilities
		want  map[string]string // path: capabilities
	}{
		{"exact only", map[string]string{"kv/a": "read"}, map[string]string{"kv/a": "read", "kv/ab": "deny", "kv/a/b": "deny", "kv": "deny", "kv/": "deny"}},
		{"a slash at the start", map[string]string{"/kv/a": "read"}, map[string]string{"kv/a": "read"}},
		{"prefix", map[string]string{"kv/a*": "read"}, map[string]string{"kv/a": "read", "kv/ab": "read", "kv/a/b/c": "read", "kv/b": "deny"}},
		{"prefix with its slash", map[string]string{"kv/a/*": "read"}, map[string]string{"kv/a/": "read", "kv/a/b": "read", "kv/a": "deny"}},
		{"everything", map[string]string{"*": "list"}, map[string]string{"a": "list", "sys/policies/acl/x": "list"}},
		{"exact before prefix", map[string]string{"kv/*": "read,update", "kv/a": "list"}, map[string]string{"kv/a": "list", "kv/b": "read,update"}},
		{"the longest prefix", map[string]string{"kv/*": "read", "kv/a/*": "update", "kv/a/b*": "delete"}, map[string]string{"kv/x": "read", "kv/a/x": "update", "kv/a/bc": "delete"}},
		{"denied below", map[string]string{"kv/*": "read", "kv/a/*": "deny"}, map[string]string{"kv/x": "read", "kv/a/x": "deny"}},
		{"allowed below a deny", map[string]string{"kv/*": "deny", "kv/a": "read"}, map[string]string{"kv/a": "read", "kv/b": "deny"}},
		{"one segment", map[string]string{"kv/+/x": "read"}, map[string]string{"kv/a/x": "read", "kv/a/b/x": "deny", "kv/x": "deny", "kv/a/y": "deny"}},
		{"one segment at the end", map[string]string{"kv/+": "read"}, map[string]string{"kv/a": "read", "kv/a/b": "deny", "kv": "deny"}},
		{"several segments", map[string]string{"+/+/c": "read"}, map[string]string{"a/b/c": "read", "b/c": "deny", "a/b/c/d": "deny"}},
		{"segment and prefix", map[string]string{"kv/+/x/*": "read", "kv/+/y*": "list"}, map[string]string{"kv/a/x/y/z": "read", "kv/a/x": "deny", "kv/b/yes/no": "list"}},
		{"the later wildcard", map[string]string{"kv/+/x": "read", "kv/a/*": "update"}, map[string]string{"kv/a/x": "update", "kv/b/x": "read"}},
		{"no star at the end", map[string]string{"kv/*": "read", "kv/+": "update"}, map[string]string{"kv/a": "update", "kv/a/b": "read"}},
		{"fewer plus", map[string]string{"+/+/c": "read", "+/b/c": "update"}, map[string]string{"a/b/c": "update", "a/x/c": "read"}},
		{"the longer", map[string]string{"kv/+/a*": "read", "kv/+/ab*": "update"}, map[string]string{"kv/x/abc": "update", "kv/x/ac": "read"}},
		{"templates need an identity", map[string]string{"kv/{{identity.entity.id}}": "read"}, map[string]string{"kv/": "deny", "kv/x": "deny", "kv/{{identity.entity.id}}": "deny"}},
		{"all capabilities", map[string]string{"kv": "sudo,update,create,read,delete,list,patch,subscribe"}, map[string]string{"kv": "create,delete,list,patch,read,subscribe,sudo,update"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := user{t, u.token}
			var policies []string
			for pattern, caps := range tt.rules {
				policies = append(policies, u.policy(rule(pattern, caps)))
			}
			tk := u.child(obj{"policies": policies, "no_default_policy": true})
			u.mayOn(tk, tt.want)
		})
	}
}

func rule(pattern, capabilities string) string {
	return fmt.Sprintf("path %q { capabilities = [\"%s\"] }\n", pattern, strings.ReplaceAll(capabilities, ",", `", "`))
}

// mayOn checks the capabilities of a token on paths, as root and by accessor.
func (u user) mayOn(tk issued, want map[string]string) {
	u.Helper()
	var paths []string
	for p := range want {
		paths = append(paths, p)
	}
	for _, r := range []*reply{
		u.post("sys/capabilities", obj{"token": tk.id, "paths": paths}).want(200),
		u.post("sys/capabilities-accessor", obj{"accessor": tk.accessor, "paths": paths}).want(200),
	} {
		data, _ := r.body["data"].(obj)
		for p, w := range want {
			if got := strings.Trim(fmt.Sprint(data[p]), "[]"); got != strings.ReplaceAll(w, ",", " ") {
				u.Errorf("%s: %s: %s, want %s", r.what, p, got, w)
			}
		}
	}
}

func TestRulesAreMerged(t *testing.T) {
	u := root(t)
	read, update, deny := u.policy(rule("kv/a", "read")), u.policy(rule("kv/a", "update")), u.policy(rule("kv/a", "deny"))
	for _, tt := range []struct {
		policies []string
		want     string
	}{
		{[]string{read, update}, "read,update"},
		{[]string{read, update, deny}, "deny"},
		{[]string{deny, read}, "deny"},
		{[]string{u.name("missing"), read}, "read"},
		{[]string{u.name("missing")}, "deny"},
	} {
		tk := u.child(obj{"policies": tt.policies, "no_default_policy": true})
		u.mayOn(tk, map[string]string{"kv/a": tt.want, "kv/b": "deny"})
	}
	tk := u.child(obj{"policies": []string{read}, "no_default_policy": true})
	u.mayOn(tk, map[string]string{"kv/a": "read"})
	u.post("sys/policies/acl/"+read, obj{"policy": rule("kv/a", "list")}).want(204)
	u.mayOn(tk, map[string]string{"kv/a": "list"})
	u.remove("sys/policies/acl/" + read).want(204)
	u.mayOn(tk, map[string]string{"kv/a": "deny"})
}

// TestVerbsNeedTheirCapability sends every verb with every capability to a role.
func TestVerbsNeedTheirCapability(t *testing.T) {
	u := root(t)
	n := u.role(obj{})
	verbs := []struct {
		method, path, capability string
		status                   int
	}{
		{"GET", "auth/token/roles/" + n, "read", 200},
		{"POST", "auth/token/roles/" + n, "update", 204},
		{"PUT", "auth/token/roles/" + n, "update", 204},
		{"POST", "auth/token/roles/" + n + "-new", "create", 204},
		{"DELETE", "auth/token/roles/" + n + "-other", "delete", 204},
		{"LIST", "auth/token/roles", "list", 200},
		{"GET", "auth/token/roles?list=true", "list", 200},
	}
	u.Cleanup(func() { u.remove("auth/token/roles/" + n + "-new") })
	for _, granted := range []string{"create", "read", "update", "delete", "list", "patch", "sudo", "subscribe"} {
		tk := u.with(rule("auth/token/roles*", granted))
		for _, v := range verbs {
			r := u.as(tk.id).do(v.method, v.path, body(v.method))
			if v.capability == granted {
				r.want(v.status)
				u.remove("auth/token/roles/" + n + "-new").want(204)
			} else {
				r.refused(403, "permission denied")
			}
		}
	}
}

func body(method string) any {
	if method == "POST" || method == "PUT" {
		return obj{}
	}
	return nil
}

// TestListRules: a rule for a folder may be written with and without its slash.
func TestListRules(t *testing.T) {
	u := root(t)
	u.role(obj{})
	for text, want := range map[string]int{
		rule("auth/token/roles", "list"):                                              200,
		rule("auth/token/roles/", "list"):                                             200,
		rule("auth/token/roles/*", "list"):                                            200,
		rule("auth/token/+", "list"):                                                  200,
		rule("auth/+/roles/", "list"):                                                 200,
		rule("auth/token/roles", "read"):                                              403,
		rule("auth/token/role", "list"):                                               403,
		rule("auth/token/roles/", "read") + rule("auth/token/roles", "list"):          403,
		rule("auth/token/*", "list") + rule("auth/token/roles/*", "deny"):             403,
		rule("auth/*", "deny") + rule("auth/token/roles", "list"):                     200,
		`path "auth/token/roles" { policy = "read" }`:                                 200,
		`{"path": {"auth/token/roles": {"capabilities": ["list"]}}}`:                  200,
		`{"path": [{"auth/token/roles": {"policy": "deny"}}, {"x": {"policy": ""}}]}`: 403,
	} {
		tk := u.with(text)
		for _, path := range []string{"auth/token/roles", "auth/token/roles/"} {
			if r := u.as(tk.id).list(path); r.status != want {
				t.Errorf("%s with %s: status %d, want %d", r.what, text, r.status, want)
			}
		}
	}
}

func TestSudo(t *testing.T) {
	u := root(t)
	victim := u.child(nil)
	tests := []struct {
		name, method, path string
		body               any
		status             int
	}{
		{"accessors", "LIST", "auth/token/accessors", nil, 200},
		{"revoke-orphan", "POST", "auth/token/revoke-orphan", obj{"token": "hvs.none"}, 400},
		{"revoke-prefix", "PUT", "sys/leases/revoke-prefix/auth/token/create/" + u.name("none"), nil, 204},
		{"revoke-force", "PUT", "sys/leases/revoke-force/auth/token/create/" + u.name("none"), nil, 204},
		{"leases", "LIST", "sys/leases/lookup/auth/token/create/" + u.name("none"), nil, 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := user{t, u.token}
			for caps, status := range map[string]int{
				"create,read,update,delete,list": 403,
				"sudo":                           403,
				"update,list,sudo":               tt.status,
			} {
				for _, pattern := range []string{tt.path + "*", "*"} {
					tk := u.with(fmt.Sprintf("path %q { capabilities = [%s] }", pattern, `"`+strings.ReplaceAll(caps, ",", `","`)+`"`))
					u.as(tk.id).do(tt.method, tt.path, tt.body).want(status)
				}
			}
		})
	}
	u.alive(victim)
}

// TestParameters: what a request may say.
func TestParameters(t *testing.T) {
	u := root(t)
	tests := []struct {
		name, rules string
		yes, no     []obj
	}{
		{"allowed", `allowed_parameters = { "TTL" = ["5m", "1*"] "display_name" = [] "renewable" = [true] }`,
			[]obj{{}, {"ttl": "5m"}, {"ttl": "10m"}, {"display_name": "any"}, {"renewable": true}},
			[]obj{{"ttl": "20m"}, {"ttl": "5m", "meta": obj{}}, {"num_uses": 2}, {"renewable": false}, {"renewable": "true"}}},
		{"allowed and the rest", `allowed_parameters = { "ttl" = ["5m"] "*" = [] }`,
			[]obj{{"ttl": "5m", "display_name": "any"}}, []obj{{"ttl": "6m"}}},
		{"denied", `denied_parameters = { "ttl" = [] "display_name" = ["bad*", "*evil"] }`,
			[]obj{{}, {"display_name": "good"}}, []obj{{"ttl": "5m"}, {"TTL": "5m"}, {"display_name": "bad one"}, {"display_name": "more evil"}}},
		{"nothing may be said", `denied_parameters = { "*" = [] }`, []obj{{}}, []obj{{"ttl": "5m"}}},
		{"required", `required_parameters = ["ttl"]`, []obj{{"ttl": "5m"}}, []obj{{}, {"display_name": "x"}}},
		{"lists", `denied_parameters = { "policies" = ["admin*"] }`,
			[]obj{{"policies": []string{"default"}}, {"policies": "default"}},
			[]obj{{"policies": []string{"default", "admin"}}, {"policies": "default,admins"}, {"policies": "Admin"}}},
		{"wrapping", `min_wrapping_ttl = "1m"`, nil, []obj{{}, {"ttl": "5m"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := user{t, u.token}
			tk := u.child(obj{"ttl": "10m", "policies": []string{u.policy(`path "auth/token/create" { capabilities = ["update"] ` + tt.rules + ` }`)}})
			for _, b := range tt.yes {
				u.as(tk.id).post("auth/token/create", b).want(200)
			}
			for _, b := range tt.no {
				u.as(tk.id).post("auth/token/create", b).refused(403, "permission denied")
			}
		})
	}
}

func TestPolicyTexts(t *testing.T) {
	u := root(t)
	n := u.name("policy")
	u.Cleanup(func() { u.remove("sys/policies/acl/" + n) })
	for _, text := range []string{
		"# only a comment", "path \"x\" {\r\n capabilities = [\"read\"]\r\n}", `path "ä/ö" { policy = "read" } # ü`, "{\"path\":{\"x\":{\"policy\":\"read\"}}}",
	} {
		u.post("sys/policies/acl/"+n, obj{"policy": text}).want(204)
		u.get("sys/policies/acl/"+n).want(200).is("data.policy", text)
	}
	const last = "# the last good one"
	u.post("sys/policies/acl/"+n, obj{"policy": last}).want(204)
	for text, want := range map[string]string{
		`path "x" { policy = "read" policy = "write" }`:                              "Each argument can only be defined once",
		`path "x" { nonsense = 1 more = 2 }`:                                         "2 errors occurred:\n\t* path \"x\": invalid key \"nonsense\" on line 1\n\t* path \"x\": invalid key \"more\" on line 1\n\n",
		`other = 1`:                                                                  "failed to parse policy: 1 error occurred:\n\t* invalid key \"other\" on line 1\n\n",
		`path "a/+*" { policy = "read" }`:                                            `failed to parse policy: path "a/+*": invalid use of wildcards ('+*' is forbidden)`,
		`path "a/{{x" { policy = "read" }`:                                           "unbalanced templating characters",
		`path "x" { min_wrapping_ttl = "2m" max_wrapping_ttl = "1m" }`:               "failed to parse policy: max_wrapping_ttl cannot be less than min_wrapping_ttl",
		`path "x" { max_wrapping_ttl = "soon" }`:                                     "error parsing max_wrapping_ttl",
		`path "x" { control_group = { ttl = "1h" } }`:                                "no control group factors provided",
		`path "x\xff" { policy = "read" }`:                                           "UTF-8",
		"a = " + strings.Repeat("[", 100_000):                                        "deeper",
		"#" + strings.Repeat("x", 1<<20):                                             "exceeds allowed length",
		`path "x" { capabilities = ["read"] allowed_parameters = { "a" = "text" } }`: "failed to parse policy",
	} {
		u.post("sys/policies/acl/"+n, obj{"policy": text}).refused(400, "")
		r := u.post("sys/policies/acl/"+n, obj{"policy": text})
		if got := fmt.Sprint(r.body["errors"]); !strings.Contains(got, want) {
			t.Errorf("%.60s: %.300s, want %s", text, got, want)
		}
	}
	u.get("sys/policies/acl/"+n).want(200).is("data.policy", last)
}

func TestDefaultPolicy(t *testing.T) {
	u := root(t)
	tk := u.child(nil)
	u.mayOn(tk, map[string]string{
		"auth/token/lookup-self": "read", "auth/token/renew-self": "update", "auth/token/revoke-self": "update", "sys/capabilities-self": "update",
		"sys/renew": "update", "sys/leases/renew": "update", "sys/leases/lookup": "update", "cubbyhole/x": "create,delete,list,read,update",
		"sys/wrapping/unwrap": "update", "sys/tools/hash": "update", "auth/token/create": "deny", "sys/policies/acl": "deny", "auth/token/lookup": "deny",
	})
	v := u.as(tk.id)
	v.post("sys/capabilities-self", obj{"path": "auth/token/lookup-self"}).want(200).is("capabilities", []string{"read"})
	v.get("sys/policies/acl/default").refused(403, "permission denied")
	v.list("sys/policies/acl").refused(403, "permission denied")
	v.post("sys/policies/acl/"+u.name("x"), obj{"policy": rule("x", "read")}).refused(403, "permission denied")
	v.post("auth/token/renew-self", obj{}).want(200)
	v.post("auth/token/revoke-self", nil).want(204)
	u.dead(tk)
}
