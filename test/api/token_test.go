package api

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestCreate(t *testing.T) {
	u := root(t)
	tests := []struct {
		name string
		body any
		want obj
	}{
		{"as root inherits root for ever", nil, obj{"policies": []string{"root"}, "lease_duration": 0, "renewable": false}},
		{"null is no body", "null", obj{"policies": []string{"root"}}},
		{"ttl", obj{"ttl": "1h"}, obj{"lease_duration": 3600, "renewable": true, "token_type": "service", "orphan": false, "num_uses": 0, "entity_id": "", "metadata": nil}},
		{"ttl as a number", obj{"ttl": 90}, obj{"lease_duration": 90}},
		{"ttl as a string of seconds", obj{"ttl": "90"}, obj{"lease_duration": 90}},
		{"ttl in days", obj{"ttl": "2d"}, obj{"lease_duration": 172800}},
		{"policies are cleaned", obj{"policies": []string{" B ", "a", "A"}}, obj{"policies": []string{"a", "b", "default"}}},
		{"policies as a string", obj{"policies": "default"}, obj{"policies": []string{"default"}}},
		{"no default policy", obj{"policies": []string{"a"}, "no_default_policy": true}, obj{"policies": []string{"a"}}},
		{"not renewable", obj{"ttl": "1h", "renewable": false}, obj{"renewable": false}},
		{"metadata", obj{"ttl": "1h", "meta": obj{"k": "v"}}, obj{"metadata": obj{"k": "v"}}},
		{"uses", obj{"ttl": "1h", "num_uses": "3"}, obj{"num_uses": 3}},
		{"no parent", obj{"ttl": "1h", "no_parent": true}, obj{"orphan": true}},
		{"period", obj{"period": "1h"}, obj{"lease_duration": 3600}},
		{"period over ttl", obj{"period": "300s", "ttl": "50s"}, obj{"lease_duration": 300}},
		{"explicit max caps", obj{"ttl": "2h", "explicit_max_ttl": "1h"}, obj{"lease_duration": 3600}},
		{"form", "policies=default&ttl=5m", obj{"lease_duration": 300}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			u := user{t, u.token}
			headers := []string{"Content-Type", "application/json"}
			if s, ok := tt.body.(string); ok && strings.Contains(s, "=") {
				headers[1] = "application/x-www-form-urlencoded"
			}
			r := u.do("POST", "auth/token/create", tt.body, headers...).want(200)
			for k, v := range tt.want {
				r.is("auth."+k, v)
			}
			if id := r.str("auth.client_token"); !strings.HasPrefix(id, "hvs.") || len(r.str("auth.accessor")) != 24 {
				t.Errorf("token %q accessor %q", id, r.str("auth.accessor"))
			}
			u.post("auth/token/revoke", obj{"token": r.str("auth.client_token")}).want(204)
		})
	}
}

func TestCreateRefusals(t *testing.T) {
	u := root(t)
	plain := u.child(obj{"policies": []string{u.policy(`path "auth/token/create" { capabilities = ["update"] }`)}})
	sudo := u.child(obj{"policies": []string{u.policy(`path "auth/token/create" { capabilities = ["update", "sudo"] }`)}})
	limited := u.child(obj{"policies": []string{"root"}, "ttl": "1h", "num_uses": 20})
	mortal := u.child(obj{"policies": []string{"root"}, "ttl": "1h"})
	chosen := u.name("chosen")
	_, made := u.issue("create", obj{"id": chosen, "policies": []string{"default"}})
	made.warns("SHA1").is("auth.client_token", chosen)
	tests := []struct {
		name, token string
		body        any
		status      int
		text        string
	}{
		{"negative ttl", u.token, obj{"ttl": "-1h"}, 400, "ttl must be positive"},
		{"ttl is nonsense", u.token, obj{"ttl": "abc"}, 400, "invalid duration"},
		{"negative period", u.token, obj{"period": "-1h"}, 400, "period must be positive"},
		{"negative uses", u.token, obj{"num_uses": -1}, 400, "number of uses cannot be negative"},
		{"uses of a wrong type", u.token, obj{"num_uses": obj{"a": 1}}, 400, `field "num_uses"`},
		{"uses are nonsense", u.token, obj{"num_uses": "abc"}, 400, `field "num_uses"`},
		{"renewable is nonsense", u.token, obj{"renewable": "maybe"}, 400, `field "renewable"`},
		{"policies of a wrong type", u.token, obj{"policies": 1.5}, 200, ""},
		{"meta of a wrong type", u.token, obj{"meta": "x"}, 400, `field "meta"`},
		{"unknown type", u.token, obj{"type": "bogus"}, 400, "invalid 'token_type' value"},
		{"entity alias without role", u.token, obj{"entity_alias": "x"}, 400, "only allowed in combination with token role"},
		{"the same id", u.token, obj{"id": chosen}, 400, "duplicate ID"},
		{"id without sudo", plain.id, obj{"id": u.name("x")}, 400, "root or sudo privileges required to specify token id"},
		{"orphan without sudo", plain.id, obj{"no_parent": true}, 400, "root or sudo privileges required to create orphan token"},
		{"period without sudo", plain.id, obj{"period": "1h"}, 400, "root or sudo privileges required to create periodic token"},
		{"more than the parent has", plain.id, obj{"policies": []string{"other"}}, 400, "child policies must be subset of parent"},
		{"root from sudo", sudo.id, obj{"policies": []string{"root"}}, 400, "root tokens may not be created"},
		{"limited parent", limited.id, obj{}, 400, "restricted use token cannot generate child tokens"},
		{"immortal from mortal", mortal.id, obj{"policies": []string{"root"}}, 400, "expiring root tokens cannot create"},
		{"malformed", u.token, "notjson", 400, "JSON"},
		{"a list", u.token, "[]", 400, "JSON"},
		{"cut off", u.token, `{"ttl":`, 400, "JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := user{t, tt.token}.post("auth/token/create", tt.body)
			if tt.status == 200 {
				r.want(200)
				return
			}
			r.refused(tt.status, tt.text)
		})
	}
}

func TestUses(t *testing.T) {
	u := root(t)
	three := u.child(obj{"policies": []string{"default"}, "num_uses": 3})
	for left := 2; left >= 0; left-- {
		u.as(three.id).get("auth/token/lookup-self").want(200).is("data.num_uses", left)
	}
	u.dead(three)

	two := u.child(obj{"policies": []string{"default"}, "num_uses": 2})
	for range 3 {
		u.as(two.id).get("sys/health")
		u.post("auth/token/lookup", obj{"token": two.id}).want(200).is("data.num_uses", 2)
	}
	u.as(two.id).get("sys/policies/acl/default").refused(403, "permission denied") // a denial costs a use
	u.post("auth/token/lookup", obj{"token": two.id}).want(200).is("data.num_uses", 1)
	u.as(two.id).get("no/such/path").refused(403, "permission denied")
	u.dead(two)
}

func TestUsesAreCountedOnceUnderARace(t *testing.T) {
	u := root(t)
	for range 10 {
		tk := u.child(obj{"policies": []string{"default"}, "num_uses": 5})
		var granted atomic.Int64
		var wg sync.WaitGroup
		for range 16 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				if u.as(tk.id).get("auth/token/lookup-self").status == 200 {
					granted.Add(1)
				}
			}()
		}
		wg.Wait()
		if n := granted.Load(); n != 5 {
			t.Errorf("%d uses granted to 16 clients, want 5", n)
		}
	}
}

func TestLookup(t *testing.T) {
	u := root(t)
	tk := u.child(obj{"policies": []string{"default"}, "ttl": "1h", "display_name": "web app!", "meta": obj{"a": "b"}, "explicit_max_ttl": "2h"})
	now := time.Now().Unix()
	r := u.as(tk.id).get("auth/token/lookup-self").want(200)
	r.is("data.id", tk.id).is("data.accessor", tk.accessor).is("data.display_name", "token-web-app").is("data.meta", obj{"a": "b"})
	r.is("data.path", "auth/token/create").is("data.creation_ttl", 3600).is("data.explicit_max_ttl", 7200).is("data.period", nil)
	r.is("data.orphan", false).is("data.renewable", true).is("data.type", "service").is("data.policies", []string{"default"})
	r.between("data.ttl", 3590, 3600).between("data.creation_time", now-60, now+60)
	for _, k := range []string{"data.issue_time", "data.expire_time"} {
		if _, err := time.Parse(time.RFC3339Nano, r.str(k)); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
	u.post("auth/token/lookup", obj{"token": tk.id}).want(200).is("data.id", tk.id)
	u.post("auth/token/lookup-accessor", obj{"accessor": tk.accessor}).want(200).is("data.id", "").is("data.accessor", tk.accessor)
	if !u.list("auth/token/accessors").want(200).has("data.keys", tk.accessor) {
		t.Error("the accessor is not in the list")
	}
	u.post("auth/token/lookup", obj{"token": "hvs.none"}).refused(403, "bad token")
	u.post("auth/token/lookup-accessor", obj{"accessor": "none"}).refused(400, "invalid accessor")
	u.post("auth/token/lookup-accessor", obj{}).refused(400, "missing accessor")
	u.as(tk.id).post("auth/token/lookup", obj{"token": tk.id}).refused(403, "permission denied")
	u.as(tk.id).list("auth/token/accessors").refused(403, "permission denied")
}

func TestRenew(t *testing.T) {
	u := root(t)
	tk := u.child(obj{"policies": []string{"default"}, "ttl": "10m"})
	u.as(tk.id).post("auth/token/renew-self", obj{"increment": "20m"}).want(200).is("auth.lease_duration", 1200).is("auth.client_token", tk.id)
	u.post("auth/token/renew", obj{"token": tk.id}).want(200).is("auth.lease_duration", 1200)
	u.post("auth/token/renew", obj{"token": tk.id, "increment": 60}).want(200).is("auth.lease_duration", 60)
	u.post("auth/token/renew-accessor", obj{"accessor": tk.accessor, "increment": "901"}).want(200).is("auth.lease_duration", 901).is("auth.client_token", "")
	u.post("auth/token/lookup", obj{"token": tk.id}).want(200).between("data.ttl", 890, 901)

	capped := u.child(obj{"policies": []string{"default"}, "ttl": "60s", "explicit_max_ttl": "120s"})
	u.post("auth/token/renew", obj{"token": capped.id, "increment": "10m"}).want(200).between("auth.lease_duration", 110, 120).warns("TTL of \"10m\" exceeded")
	periodic := u.child(obj{"policies": []string{"default"}, "period": "300s"})
	u.post("auth/token/renew", obj{"token": periodic.id, "increment": "50s"}).want(200).is("auth.lease_duration", 300)

	fixed := u.child(obj{"policies": []string{"default"}, "ttl": "10m", "renewable": false})
	u.post("auth/token/renew", obj{"token": fixed.id}).refused(400, "lease is not renewable")
	u.post("auth/token/renew-self", obj{}).refused(400, "lease is not renewable")
	u.post("auth/token/renew", obj{"token": "hvs.none"}).refused(400, "token not found")
	u.post("auth/token/renew", obj{}).refused(400, "missing token ID")
	u.post("auth/token/renew", obj{"token": tk.id, "increment": "soon"}).refused(400, "increment")
	u.post("auth/token/renew-accessor", obj{"accessor": "none"}).refused(400, "invalid accessor")
}

func TestExpiryTakesTheTree(t *testing.T) {
	u := root(t)
	parent := u.child(obj{"policies": []string{"root"}, "ttl": "2s"})
	child := u.as(parent.id).child(obj{"policies": []string{"default"}, "ttl": "1h"})
	u.as(child.id).get("auth/token/lookup-self").want(200)
	deadline := time.Now().Add(10 * time.Second)
	for u.as(parent.id).get("auth/token/lookup-self").status == 200 {
		if time.Now().After(deadline) {
			t.Fatal("a token of 2 s still lives")
		}
		time.Sleep(50 * time.Millisecond) // the server's clock is what is waited for
	}
	u.dead(child)
	u.dead(parent)
}

func TestRevoke(t *testing.T) {
	u := root(t)
	chain := []issued{u.child(obj{"policies": []string{"root"}, "ttl": "1h"})}
	for i := range 4 {
		chain = append(chain, u.as(chain[i].id).child(obj{"policies": []string{"root"}, "ttl": "1h"}))
	}
	orphan := u.as(chain[2].id).child(obj{"policies": []string{"default"}, "ttl": "1h", "no_parent": true})
	u.post("auth/token/revoke", obj{"token": chain[2].id}).want(204)
	u.alive(chain[0])
	u.alive(chain[1])
	for _, c := range chain[2:] {
		u.dead(c)
	}
	u.alive(orphan)
	u.post("auth/token/revoke", obj{"token": chain[2].id}).want(204)
	u.post("auth/token/revoke", obj{"token": "hvs.none"}).want(204)
	u.post("auth/token/revoke", obj{}).refused(400, "missing token ID")
	u.as(chain[0].id).post("auth/token/revoke-self", nil).want(204)
	u.dead(chain[1])

	by := u.child(nil)
	u.post("auth/token/revoke-accessor", obj{"accessor": by.accessor}).want(204)
	u.dead(by)
	u.post("auth/token/revoke-accessor", obj{"accessor": by.accessor}).want(200).warns("No token found with this accessor")
	u.post("auth/token/revoke-accessor", obj{}).refused(400, "missing accessor")
}

func TestRevokeOrphan(t *testing.T) {
	u := root(t)
	a := u.child(obj{"policies": []string{"root"}, "ttl": "1h"})
	b := u.as(a.id).child(obj{"policies": []string{"root"}, "ttl": "1h"})
	c := u.as(b.id).child(nil)
	u.post("auth/token/revoke-orphan", obj{"token": a.id}).want(204)
	u.dead(a)
	u.post("auth/token/lookup", obj{"token": b.id}).want(200).is("data.orphan", true)
	u.post("auth/token/lookup", obj{"token": c.id}).want(200).is("data.orphan", false)
	u.post("auth/token/revoke-orphan", obj{"token": a.id}).refused(400, "token to revoke not found")
	u.post("auth/token/revoke-orphan", obj{}).refused(400, "missing token ID")
	weak := u.with(`path "auth/token/revoke-orphan" { capabilities = ["update"] }`)
	u.as(weak.id).post("auth/token/revoke-orphan", obj{"token": b.id}).refused(403, "permission denied")
	u.alive(b)
}

func TestManyChildrenDieAtOnce(t *testing.T) {
	u := root(t)
	parent := u.child(obj{"policies": []string{"root"}, "ttl": "1h"})
	kids := make([]issued, 200)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := w; i < len(kids); i += 8 {
				r := u.as(parent.id).post("auth/token/create", obj{"policies": []string{"default"}, "ttl": "1h"})
				if r.status == 200 {
					kids[i] = issued{r.str("auth.client_token"), ""}
				}
			}
		}()
	}
	wg.Wait()
	u.post("auth/token/revoke", obj{"token": parent.id}).want(204)
	for _, k := range []int{199, 0, 100, 57} {
		if kids[k].id == "" {
			t.Fatalf("child %d was not made", k)
		}
		u.dead(kids[k])
	}
}

func TestRoles(t *testing.T) {
	u := root(t)
	p, q := u.name("p"), u.name("q")
	n := u.role(obj{"allowed_policies": p + "," + strings.ToUpper(q), "token_period": "1h", "path_suffix": "v-1", "orphan": true, "token_num_uses": 4})
	r := u.get("auth/token/roles/" + n).want(200)
	r.is("data.allowed_policies", []string{p, q}).is("data.token_period", 3600).is("data.period", 0).is("data.orphan", true).is("data.renewable", true)
	r.is("data.token_type", "default-service").is("data.disallowed_policies", []string{}).is("data.token_num_uses", 4).is("data.token_bound_cidrs", nil)
	u.post("auth/token/roles/"+n, obj{"orphan": false}).want(204)
	u.get("auth/token/roles/"+n).want(200).is("data.orphan", false).is("data.token_period", 3600)
	tk, made := u.issue("create/"+n, obj{})
	made.is("auth.policies", []string{"default", p, q}).is("auth.lease_duration", 3600).is("auth.num_uses", 4).warns("does not exist")
	u.post("auth/token/lookup", obj{"token": tk.id}).want(200).is("data.path", "auth/token/create/"+n+"/v-1").is("data.role", n)
	u.post("auth/token/create/"+n, obj{"policies": []string{"other"}}).refused(400, "must be subset of the role's allowed policies")
	u.post("auth/token/create/"+u.name("none"), obj{}).refused(400, "unknown role")

	not := u.role(obj{"disallowed_policies_glob": "*" + p})
	u.post("auth/token/create/"+not, obj{"policies": []string{"x" + p}}).refused(400, "is disallowed by this role")
	bound := u.role(obj{"token_bound_cidrs": "203.0.113.0/24"})
	far, _ := u.issue("create/"+bound, obj{"policies": []string{"default"}})
	u.as(far.id).get("auth/token/lookup-self").refused(403, "permission denied")
	u.alive(far)

	for text, body := range map[string]obj{
		`invalid 'token_type' value "bogus"`: {"token_type": "bogus"},
		"non-orphan tokens":                  {"token_type": "batch"},
		"renewable tokens":                   {"token_type": "batch", "orphan": true},
		"token_bound_cidrs":                  {"token_bound_cidrs": "nonsense"},
		"invalid characters":                 {"path_suffix": "a b"},
		`field "token_period"`:               {"token_period": -5},
	} {
		u.post("auth/token/roles/"+u.name("bad"), body).refused(400, text)
	}
	if !u.list("auth/token/roles").want(200).has("data.keys", n) {
		t.Error("the role is not in the list")
	}
	u.remove("auth/token/roles/" + n).want(204)
	u.get("auth/token/roles/" + n).want(404)
	u.remove("auth/token/roles/" + n).want(204)
	u.post("auth/token/renew", obj{"token": tk.id}).refused(400, "original token role")
}

func TestRoleNeedsCreateForNew(t *testing.T) {
	u := root(t)
	create := u.with(`path "auth/token/roles/*" { capabilities = ["create"] }`)
	update := u.with(`path "auth/token/roles/*" { capabilities = ["update"] }`)
	n := u.name("role")
	u.Cleanup(func() { u.remove("auth/token/roles/" + n) })
	u.as(update.id).post("auth/token/roles/"+n, obj{}).refused(403, "permission denied")
	u.as(create.id).post("auth/token/roles/"+n, obj{}).want(204)
	u.as(create.id).post("auth/token/roles/"+n, obj{}).refused(403, "permission denied")
	u.as(update.id).post("auth/token/roles/"+n, obj{}).want(204)
}

func TestReadYourWriteOnAnotherNode(t *testing.T) {
	u := root(t)
	for i := range 30 {
		n := u.role(obj{"path_suffix": fmt.Sprint("v-", i)})
		u.get("auth/token/roles/"+n).want(200).is("data.path_suffix", fmt.Sprint("v-", i))
	}
	w := u.post("auth/token/create", obj{"ttl": "1m"}).want(200)
	index := w.header.Get("X-Vault-Index")
	if index == "" || index != w.header.Get("X-Grove-Index") {
		t.Fatalf("index headers %q and %q", index, w.header.Get("X-Grove-Index"))
	}
	u.do("GET", "auth/token/lookup-self", nil, "X-Vault-Index", index).want(200)
	u.do("GET", "auth/token/lookup-self", nil, "X-Vault-Index", "x").refused(400, "not an index")
}
