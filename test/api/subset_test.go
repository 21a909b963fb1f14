package api

import (
	"slices"
	"testing"
)

// TestSubset: what policies a child may get.
func TestSubset(t *testing.T) {
	u := root(t)
	create, sudo, other := u.policy(rule("auth/token/create*", "update")), u.policy(rule("auth/token/create*", "update,sudo")), u.policy(rule("q", "read"))
	missing := u.name("missing")
	tests := []struct {
		name   string
		parent obj
		child  obj
		want   []string // nil: refused with
		text   string
	}{
		{"nothing asked: the parent's", obj{"policies": []string{create, other}}, obj{}, []string{"default", create, other}, ""},
		{"an empty list: the parent's", obj{"policies": []string{create}}, obj{"policies": []string{}}, []string{"default", create}, ""},
		{"one of them", obj{"policies": []string{create, other}}, obj{"policies": []string{other}}, []string{"default", other}, ""},
		{"without default", obj{"policies": []string{create, other}}, obj{"policies": []string{other}, "no_default_policy": true}, []string{other}, ""},
		{"default only if the parent has it", obj{"policies": []string{create, other}, "no_default_policy": true}, obj{"policies": []string{other}}, []string{other}, ""},
		{"default that the parent has not", obj{"policies": []string{create}, "no_default_policy": true}, obj{"policies": []string{"default"}}, nil, "child policies must be subset of parent"},
		{"one that the parent has not", obj{"policies": []string{create}}, obj{"policies": []string{other}}, nil, "child policies must be subset of parent"},
		{"one of two", obj{"policies": []string{create}}, obj{"policies": []string{create, other}}, nil, "child policies must be subset of parent"},
		{"sudo gives any", obj{"policies": []string{sudo}}, obj{"policies": []string{other, missing}}, []string{"default", missing, other}, ""},
		{"sudo does not give root", obj{"policies": []string{sudo}}, obj{"policies": []string{"root"}}, nil, "root tokens may not be created without parent token being root"},
		{"root from less", obj{"policies": []string{create}}, obj{"policies": []string{"root"}}, nil, ""},
		{"root gives any", obj{"policies": []string{"root"}, "ttl": "1h"}, obj{"policies": []string{missing}}, []string{"default", missing}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := user{t, u.token}
			parent := u.child(tt.parent)
			r := u.as(parent.id).post("auth/token/create", tt.child)
			if tt.want == nil {
				r.refused(400, tt.text)
				return
			}
			slices.Sort(tt.want)
			r.want(200).is("auth.policies", tt.want).is("auth.token_policies", tt.want)
			u.post("auth/token/lookup", obj{"token": r.str("auth.client_token")}).want(200).is("data.policies", tt.want)
		})
	}
}

func TestCreateOrphan(t *testing.T) {
	u := root(t)
	maker := u.child(obj{"policies": []string{u.policy(rule("auth/token/create-orphan", "update"))}, "ttl": "1h"})
	r := u.as(maker.id).post("auth/token/create-orphan", obj{"ttl": "10m"}).want(200).is("auth.orphan", true).is("auth.lease_duration", 600)
	orphan := issued{r.str("auth.client_token"), r.str("auth.accessor")}
	u.Cleanup(func() { u.post("auth/token/revoke", obj{"token": orphan.id}) })
	u.post("auth/token/lookup", obj{"token": orphan.id}).want(200).is("data.orphan", true).is("data.path", "auth/token/create-orphan")
	u.post("auth/token/revoke", obj{"token": maker.id}).want(204)
	u.dead(maker)
	u.alive(orphan)

	no := u.with(rule("auth/token/create", "update,sudo"))
	u.as(no.id).post("auth/token/create-orphan", obj{}).refused(403, "permission denied")
	u.get("auth/token/create-orphan").refused(405, "unsupported operation")
	limited := u.child(obj{"policies": []string{"root"}, "ttl": "1h", "num_uses": 5})
	u.as(limited.id).post("auth/token/create-orphan", obj{}).refused(400, "restricted use token cannot generate child tokens")
}

func TestRootTokens(t *testing.T) {
	u := root(t)
	forever := u.child(obj{"policies": []string{"root"}})
	r := u.post("auth/token/lookup", obj{"token": forever.id}).want(200)
	r.is("data.ttl", 0).is("data.creation_ttl", 0).is("data.expire_time", nil).is("data.renewable", false).is("data.policies", []string{"root"})
	u.as(forever.id).post("auth/token/renew-self", obj{}).refused(400, "lease is not renewable")
	u.as(forever.id).get("auth/token/lookup-self").want(200).is("data.id", forever.id).is("data.orphan", false)

	mortal := u.child(obj{"policies": []string{"root"}, "ttl": "10m"})
	u.as(mortal.id).post("auth/token/renew-self", obj{"increment": "20m"}).want(200).is("auth.lease_duration", 1200).is("auth.policies", []string{"root"})
	u.as(mortal.id).post("auth/token/create", obj{"policies": []string{"root"}}).refused(400, "expiring root tokens cannot create non-expiring root tokens")
	u.as(mortal.id).post("auth/token/create", obj{"policies": []string{"root"}, "ttl": "5m"}).want(200).is("auth.lease_duration", 300)
	periodic, made := u.issue("create", obj{"policies": []string{"root"}, "period": "1h"})
	made.is("auth.lease_duration", 3600).is("auth.renewable", true).is("auth.policies", []string{"root"})
	u.as(periodic.id).post("auth/token/renew-self", obj{"increment": "1m"}).want(200).is("auth.lease_duration", 3600)

	u.as(forever.id).post("auth/token/revoke-self", nil).want(204)
	u.dead(forever)
	u.alive(mortal)
	u.get("auth/token/lookup-self").want(200).is("data.policies", []string{"root"}).is("data.orphan", true)
}
