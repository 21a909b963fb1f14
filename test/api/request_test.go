package api

import (
	"strings"
	"testing"
)

func TestTokenHeaders(t *testing.T) {
	u := root(t)
	tk := u.child(nil)
	none := u.as("")
	for _, tt := range []struct {
		name    string
		headers []string
		status  int
		text    string
	}{
		{"X-Vault-Token", []string{"X-Vault-Token", tk.id}, 200, ""},
		{"bearer", []string{"Authorization", "Bearer " + tk.id}, 200, ""},
		{"basic", []string{"Authorization", "Basic cm9vdDpyb290"}, 403, "permission denied"},
		{"bearer of nothing", []string{"Authorization", "Bearer "}, 403, "permission denied"},
		{"unknown", []string{"X-Vault-Token", "hvs.none"}, 403, "invalid token"},
		{"an accessor", []string{"X-Vault-Token", tk.accessor}, 403, "permission denied"},
		{"nothing", nil, 403, "permission denied"},
		{"the header wins", []string{"X-Vault-Token", tk.id, "Authorization", "Bearer hvs.none"}, 200, ""},
		{"X-Vault-Request", []string{"X-Vault-Token", tk.id, "X-Vault-Request", "true"}, 200, ""},
		{"no namespace", []string{"X-Vault-Token", tk.id, "X-Vault-Namespace", ""}, 200, ""},
		{"root namespace", []string{"X-Vault-Token", tk.id, "X-Vault-Namespace", "root"}, 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := user{t, none.token}.do("GET", "auth/token/lookup-self", nil, tt.headers...)
			if tt.status == 200 {
				r.want(200).is("data.id", tk.id)
			} else {
				r.refused(tt.status, tt.text)
			}
			if c, ct := r.header.Get("Cache-Control"), r.header.Get("Content-Type"); c != "no-store" || ct != "application/json" {
				t.Errorf("Cache-Control %q, Content-Type %q", c, ct)
			}
		})
	}
}

// TestEnvelope: every answer with data has the same keys.
func TestEnvelope(t *testing.T) {
	u := root(t)
	n := u.role(obj{})
	ids := map[string]bool{}
	for _, r := range []*reply{
		u.get("auth/token/lookup-self"), u.list("auth/token/roles"), u.get("auth/token/roles/" + n), u.get("sys/policies/acl/default"),
		u.post("sys/capabilities-self", obj{"path": "x"}), u.post("auth/token/create", obj{"ttl": "1m"}),
	} {
		r.want(200)
		for _, k := range []string{"request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth"} {
			if _, ok := r.body[k]; !ok {
				t.Errorf("%s: no %s", r.what, k)
			}
		}
		r.is("lease_id", "").is("renewable", false).is("lease_duration", 0).is("wrap_info", nil).is("warnings", nil)
		ids[r.str("request_id")] = true
	}
	if len(ids) != 6 {
		t.Errorf("%d request ids for 6 requests", len(ids))
	}
}

func TestListVerb(t *testing.T) {
	u := root(t)
	n := u.role(obj{})
	for _, p := range []string{"auth/token/roles?list=true", "auth/token/roles?list=1", "auth/token/roles?list=t", "auth/token/roles?list=TRUE", "auth/token/roles/?list=true"} {
		if r := u.get(p).want(200); !r.has("data.keys", n) {
			t.Errorf("%s: %v", p, r.at("data.keys"))
		}
	}
	for _, p := range []string{"auth/token/roles", "auth/token/roles/"} {
		if r := u.list(p).want(200); !r.has("data.keys", n) || len(r.body["data"].(obj)) != 1 {
			t.Errorf("LIST %s: %v", p, r.body["data"])
		}
	}
	u.get("auth/token/roles?list=false").refused(405, "unsupported operation")
	u.get("auth/token/roles/").refused(405, "unsupported operation")
	u.get("sys/policies/acl/").refused(405, "unsupported operation")
	u.get("auth/token/roles?list=banana").want(400).is("errors", []string{})
	u.list("auth/token/create").refused(404, "unsupported path")
	u.list("auth/token/lookup-self").refused(404, "unsupported path")
	u.list("auth/token/roles/"+n).refused(404, "unsupported path")
}

// TestBodies: what counts as a body.
func TestBodies(t *testing.T) {
	u := root(t)
	const form, js = "application/x-www-form-urlencoded", "application/json"
	for _, tt := range []struct {
		name, kind, body string
		status           int
		text             string
	}{
		{"JSON", js, `{"ttl":"5m"}`, 200, ""},
		{"no kind", "", `{"ttl":"5m"}`, 200, ""},
		{"another kind", "text/plain", `{"ttl":"5m"}`, 200, ""},
		{"form", form, "ttl=5m&policies=default", 200, ""},
		{"form with a charset", form + "; charset=utf-8", "ttl=5m", 200, ""},
		{"JSON that curl -d calls a form", form, ` {"ttl":"5m"}`, 200, ""},
		{"a list that is called a form", form, `["ttl"]`, 400, "JSON"},
		{"a form that is called JSON", js, "ttl=5m", 400, "JSON"},
		{"bad escape in a form", form, "ttl=%zz", 400, ""},
		{"two objects: the first counts", js, `{"ttl":"5m"}{"ttl":"1m"}`, 200, ""},
		{"cut off", js, `{"ttl":"5m"`, 400, "error parsing JSON"},
		{"list", js, `[]`, 400, "cannot unmarshal array"},
		{"text", js, `"x"`, 400, "cannot unmarshal string"},
		{"number", js, `5`, 400, "cannot unmarshal number"},
		{"not JSON", js, `notjson`, 400, "error parsing JSON"},
		{"deep", js, `{"meta":` + strings.Repeat(`{"a":`, 20_000) + `1` + strings.Repeat(`}`, 20_001), 400, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := user{t, u.token}
			var headers []string
			if tt.kind != "" {
				headers = []string{"Content-Type", tt.kind}
			}
			r := u.do("POST", "auth/token/create", tt.body, headers...)
			if tt.status == 200 {
				r.want(200).is("auth.lease_duration", 300)
				u.post("auth/token/revoke", obj{"token": r.str("auth.client_token")}).want(204)
				return
			}
			r.refused(tt.status, tt.text)
		})
	}
	tk, made := u.issue("create", obj{})
	made.is("auth.policies", []string{"root"})
	u.do("PUT", "auth/token/revoke", obj{"token": tk.id}).want(204)
}

// TestHostileText sends what is not text everywhere where text is stored. Whatever is
// answered, every node must still serve afterwards.
func TestHostileText(t *testing.T) {
	u := root(t)
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	for _, tt := range []struct{ method, path, body string }{
		{"POST", "auth/token/create", "display_name=%ff&policies=%fe&ttl=1m"},
		{"POST", "auth/token/create", "id=%ffx&ttl=1m"},
		{"POST", "auth/token/create", "type=%ff&period=%ff"},
		{"POST", "auth/token/create/" + u.name("none") + "%ff", "ttl=1m"},
		{"POST", "auth/token/roles/" + u.name("role") + "%ff", "path_suffix=a"},
		{"POST", "auth/token/roles/" + u.name("role"), "allowed_policies=%ff&allowed_policies_glob=%ff*&disallowed_policies_glob=%fe"},
		{"POST", "auth/token/roles/" + u.name("role"), "path_suffix=%ff"},
		{"POST", "auth/token/roles/" + u.name("role"), "token_bound_cidrs=%ff&token_type=%ff&allowed_entity_aliases=%ff"},
		{"PUT", "sys/policies/acl/" + u.name("policy"), "policy=%23%ff"},
		{"PUT", "sys/policies/acl/" + u.name("policy") + "%ff", "policy=%23"},
		{"PUT", "sys/leases/revoke-prefix/" + u.name("none") + "%ff", ""},
		{"PUT", "sys/leases/revoke", "lease_id=" + u.name("none") + "%ff"},
		{"PUT", "sys/leases/renew", "lease_id=%ff&increment=%ff"},
		{"POST", "auth/token/revoke", "token=%ff"},
		{"POST", "auth/token/revoke-accessor", "accessor=%ff"},
		{"POST", "auth/token/renew", "token=%ff&increment=%ff"},
		{"DELETE", "auth/token/roles/" + u.name("none") + "%ff%00", ""},
		{"DELETE", "sys/policies/acl/" + u.name("none") + "%ff%00", ""},
	} {
		r := u.do(tt.method, tt.path, tt.body, form...)
		if r.status >= 500 {
			t.Errorf("%s with %q: status %d: %.300s", r.what, tt.body, r.status, r.raw)
		}
	}
	r := u.post("auth/token/create", "{\"ttl\":\"1m\",\"meta\":{\"a\xff\":\"\\ud800\\u0000\"}}")
	if r.status >= 500 {
		t.Errorf("meta: status %d: %.300s", r.status, r.raw)
	}
	for range 2 * len(nodes) {
		u.post("auth/token/create", obj{"ttl": "1m"}).want(200)
		u.get("auth/token/lookup-self").want(200)
	}
}
