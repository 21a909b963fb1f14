package api

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestRoleDefaults(t *testing.T) {
	u := root(t)
	n := u.role(obj{})
	r := u.get("auth/token/roles/" + n).want(200)
	for k, want := range (obj{
		"name": n, "orphan": false, "renewable": true, "path_suffix": "", "period": 0, "token_period": 0, "explicit_max_ttl": 0, "token_explicit_max_ttl": 0,
		"allowed_policies": []string{}, "disallowed_policies": []string{}, "allowed_policies_glob": []string{}, "disallowed_policies_glob": []string{},
		"token_type": "default-service", "token_no_default_policy": false,
	}) {
		r.is("data."+k, want)
	}
	for _, k := range []string{"token_bound_cidrs", "bound_cidrs", "token_num_uses"} {
		r.is("data."+k, nil)
	}
}

// TestRolePolicies: which policies a role gives, asked for by a parent that has few.
func TestRolePolicies(t *testing.T) {
	u := root(t)
	p, q := u.name("p"), u.name("q")
	tests := []struct {
		name      string
		role, ask obj
		want      []string
		text      string
	}{
		{"nothing asked: all that are allowed", obj{"allowed_policies": []string{p, q}}, obj{}, []string{"default", p, q}, ""},
		{"allowed to whom has it not", obj{"allowed_policies": p}, obj{"policies": []string{p}}, []string{"default", p}, ""},
		{"cleaned", obj{"allowed_policies": []string{" " + strings.ToUpper(p), p}}, obj{"policies": []string{strings.ToUpper(p)}}, []string{"default", p}, ""},
		{"not allowed", obj{"allowed_policies": p}, obj{"policies": []string{q}}, nil, "must be subset of the role's allowed policies"},
		{"allowed by a pattern", obj{"allowed_policies_glob": p + "*"}, obj{"policies": []string{p + "-x"}, "no_default_policy": true}, []string{p + "-x"}, ""},
		{"allowed by a pattern with a star inside", obj{"allowed_policies_glob": "p*" + p[len(p)-2:]}, obj{"policies": []string{p}, "no_default_policy": true}, []string{p}, ""},
		{"not allowed by a pattern", obj{"allowed_policies_glob": p + "*"}, obj{"policies": []string{q}, "no_default_policy": true}, nil, "must be subset of the role's allowed policies"},
		{"forbidden", obj{"disallowed_policies": p, "allowed_policies": []string{p, q}}, obj{"policies": []string{p}}, nil, fmt.Sprintf("token policy %q is disallowed by this role", p)},
		{"forbidden wins", obj{"disallowed_policies": p, "allowed_policies": p}, obj{}, nil, "is disallowed by this role"},
		{"forbidden by a pattern", obj{"disallowed_policies_glob": "*" + p, "allowed_policies_glob": "*"}, obj{"policies": []string{"x-" + p}}, nil, "is disallowed by this role"},
		{"no default", obj{"allowed_policies": p, "token_no_default_policy": true}, obj{}, []string{p}, ""},
		{"no role rules: the parent's", obj{}, obj{"policies": []string{q}}, nil, "child policies must be subset of parent"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := user{t, u.token}
			n := u.role(tt.role)
			parent := u.child(obj{"policies": []string{u.policy(rule("auth/token/create/"+n, "update"))}, "ttl": "1h"})
			r := u.as(parent.id).post("auth/token/create/"+n, tt.ask)
			if tt.want == nil {
				r.refused(400, tt.text)
				return
			}
			slices.Sort(tt.want)
			r.want(200).is("auth.policies", tt.want)
		})
	}
}

func TestRoleTokens(t *testing.T) {
	u := root(t)
	tests := []struct {
		name      string
		role, ask obj
		want      obj // of lookup
	}{
		{"plain", obj{}, obj{"ttl": "1h"}, obj{"orphan": false, "renewable": true, "num_uses": 0, "explicit_max_ttl": 0, "period": nil}},
		{"orphan", obj{"orphan": true}, obj{}, obj{"orphan": true}},
		{"orphan cannot be asked away", obj{"orphan": true}, obj{"no_parent": false}, obj{"orphan": true}},
		{"not renewable", obj{"renewable": false}, obj{"renewable": true}, obj{"renewable": false}},
		{"period", obj{"token_period": "300s"}, obj{}, obj{"creation_ttl": 300}},
		{"old period", obj{"period": "300s"}, obj{}, obj{"creation_ttl": 300}},
		{"period over ttl", obj{"token_period": "300s"}, obj{"ttl": "1h"}, obj{"creation_ttl": 300}},
		{"uses of the role", obj{"token_num_uses": 3}, obj{}, obj{"num_uses": 3}},
		{"fewer uses", obj{"token_num_uses": 3}, obj{"num_uses": 2}, obj{"num_uses": 2}},
		{"more uses", obj{"token_num_uses": 3}, obj{"num_uses": 9}, obj{"num_uses": 3}},
		{"max", obj{"token_explicit_max_ttl": "100s"}, obj{"ttl": "1h"}, obj{"creation_ttl": 100}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := user{t, u.token}
			n := u.role(tt.role)
			tt.ask["policies"] = []string{"default"}
			tk, _ := u.issue("create/"+n, tt.ask)
			r := u.post("auth/token/lookup", obj{"token": tk.id}).want(200).is("data.role", n).is("data.path", "auth/token/create/"+n)
			for k, want := range tt.want {
				r.is("data."+k, want)
			}
		})
	}
	n := u.role(obj{"path_suffix": "v-2"})
	tk, _ := u.issue("create/"+n, obj{"policies": []string{"default"}})
	u.post("auth/token/lookup", obj{"token": tk.id}).want(200).is("data.path", "auth/token/create/"+n+"/v-2")
	u.post("auth/token/create/"+u.name("none"), obj{}).refused(400, "unknown role")
}
