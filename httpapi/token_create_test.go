package httpapi

import (
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm"
)

func TestCreateToken(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		body any
		want obj
		warn []string
	}{
		{"nothing asked", nil, obj{"policies": arr{"root"}, "lease_duration": 0, "renewable": false, "orphan": false, "num_uses": 0, "token_type": "service", "metadata": nil, "entity_id": "", "mfa_requirement": nil}, nil},
		{"null", "null", obj{"policies": arr{"root"}}, nil},
		{"root with a TTL", obj{"ttl": "1h"}, obj{"policies": arr{"root"}, "lease_duration": 3600, "renewable": true}, nil},
		{"root with a maximum only", obj{"explicit_max_ttl": "1h"}, obj{"policies": arr{"root"}, "lease_duration": 3600, "renewable": true}, nil},
		{"default is added", obj{"policies": arr{"default"}}, obj{"policies": arr{"default"}, "token_policies": arr{"default"}, "lease_duration": 2764800, "renewable": true}, nil},
		{"policies are cleaned", obj{"policies": arr{" B ", "a", "b", ""}}, obj{"policies": arr{"a", "b", "default"}}, []string{`Policy "a" does not exist`, `Policy "b" does not exist`}},
		{"a string is one policy", obj{"policies": "a,b"}, obj{"policies": arr{"a,b", "default"}}, []string{`Policy "a,b" does not exist`}},
		{"root stands alone", obj{"policies": arr{"x", "ROOT"}}, obj{"policies": arr{"root"}}, nil},
		{"no default", obj{"policies": arr{"default", "x"}, "no_default_policy": true}, obj{"policies": arr{"x"}}, []string{`Policy "x" does not exist`}},
		{"metadata", obj{"meta": obj{"a": "b", "n": 5}}, obj{"metadata": obj{"a": "b", "n": "5"}}, nil},
		{"uses", obj{"num_uses": "3"}, obj{"num_uses": 3}, nil},
		{"not renewable", obj{"ttl": 60, "renewable": false}, obj{"renewable": false}, nil},
		{"renewable null is the default", obj{"ttl": 60, "renewable": nil}, obj{"renewable": true}, nil},
		{"orphan", obj{"no_parent": true}, obj{"orphan": true}, nil},
		{"days", obj{"ttl": "2d"}, obj{"lease_duration": 172800}, nil},
		{"lease is an old name of ttl", obj{"lease": "90s"}, obj{"lease_duration": 90}, nil},
		{"ttl wins over lease", obj{"ttl": "60", "lease": "90s"}, obj{"lease_duration": 60}, nil},
		{"above the maximum", obj{"ttl": "769h"}, obj{"lease_duration": 2764800}, []string{`TTL of "769h" exceeded the effective max_ttl of "768h"; TTL value is capped accordingly`}},
		{"above its own maximum", obj{"ttl": "1h", "explicit_max_ttl": 60}, obj{"lease_duration": 60}, []string{`TTL of "1h" exceeded the effective max_ttl of "1m"; TTL value is capped accordingly`}},
		{"periodic", obj{"period": "5m", "ttl": "1h", "policies": arr{"default"}}, obj{"lease_duration": 300}, nil},
		{"period above the maximum", obj{"period": "800h", "policies": arr{"default"}}, obj{"lease_duration": 2764800}, []string{`period of "800h" exceeded the effective max_ttl of "768h"; period value is capped accordingly`}},
		{"unknown fields", obj{"zzz": 1, "aaa": 2, "role_name": "x"}, obj{"orphan": false}, []string{"Endpoint ignored these unrecognized parameters: [aaa role_name zzz]"}},
		{"explicit service", obj{"type": "service"}, obj{"token_type": "service"}, nil},
		{"chosen ID", obj{"id": "my-own", "ttl": "770h"}, obj{"client_token": "my-own"}, []string{`TTL of "770h" exceeded the effective max_ttl of "768h"; TTL value is capped accordingly`, shaWarning}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			a := s.post(rootID, "auth/token/create", c.body).want(200).warns(c.warn...).is("data", nil).is("mount_type", "token")
			for k, v := range c.want {
				a.is("auth."+k, v)
			}
			if id := a.text("auth.client_token"); id != "my-own" && (!strings.HasPrefix(id, "hvs.") || len(id) < 26) {
				t.Errorf("ID %q", id)
			}
			if len(a.text("auth.accessor")) != 24 {
				t.Errorf("accessor %q", a.text("auth.accessor"))
			}
		})
	}
}

const shaWarning = "Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure SHA2-256 HMAC for token obfuscation. SHA1 hashed tokens on the wire leads to less secure lookups."

// The refusals, in the reference's order where two apply.
func TestCreateTokenRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const create = `path "auth/token/create" { capabilities = ["update"] } `
	weak := s.with(create)
	limited := s.with(create, obj{"num_uses": 100})
	sudo := s.with(`path "auth/token/create" { capabilities = ["update","sudo"] }`)
	expiring := s.token(obj{"ttl": "1h"})
	s.token(obj{"id": "taken"})
	for _, c := range []struct {
		name, id string
		body     any
		part     string
	}{
		{"limited parent", limited, obj{"type": "bogus"}, "restricted use token cannot generate child tokens"},
		{"unknown type", rootID, obj{"type": "default-service", "num_uses": -1}, "invalid 'token_type' value"},
		{"batch", rootID, obj{"type": "batch"}, "batch tokens cannot be root tokens"},
		{"negative uses", rootID, obj{"num_uses": -1, "entity_alias": "x"}, "number of uses cannot be negative"},
		{"too many uses", rootID, obj{"num_uses": 1 << 40}, "num_uses"},
		{"uses not a number", rootID, obj{"num_uses": "abc"}, `Field validation failed: error converting input for field "num_uses": cannot parse '' as int: strconv.ParseInt: parsing "abc": invalid syntax`},
		{"alias without role", rootID, obj{"entity_alias": "x"}, "'entity_alias' is only allowed in combination with token role"},
		{"chosen ID without sudo", weak, obj{"id": "x", "policies": arr{"other"}}, "root or sudo privileges required to specify token id"},
		{"ID with our prefix", rootID, obj{"id": "hvs.x"}, "custom token ID cannot have the 'hvs.' prefix"},
		{"ID with the old prefix", rootID, obj{"id": "s.x"}, "custom token ID cannot have the 's.' prefix"},
		{"ID with a dot", rootID, obj{"id": "a.b"}, "custom token ID cannot have a '.' in the value"},
		{"ID that is taken", rootID, obj{"id": "taken"}, "cannot create a token with a duplicate ID"},
		{"long ID", rootID, obj{"id": strings.Repeat("x", 5000)}, "field id"},
		{"long display name", rootID, obj{"display_name": strings.Repeat("x", 5000)}, "field display_name"},
		{"large metadata", rootID, obj{"meta": obj{"a": strings.Repeat("x", 70_000)}}, "field meta"},
		{"metadata of another type", rootID, obj{"meta": "a=b"}, `for field "meta"`},
		{"policy of others", weak, obj{"policies": arr{"other"}, "no_parent": true}, "child policies must be subset of parent"},
		{"root as a child policy", weak, obj{"policies": arr{"root"}}, "child policies must be subset of parent"},
		{"root by sudo", sudo, obj{"policies": arr{"root"}}, "root tokens may not be created without parent token being root"},
		{"internal policy", rootID, obj{"policies": arr{"response-wrapping"}}, `cannot assign policy "response-wrapping"`},
		{"orphan without sudo", weak, obj{"no_parent": true, "ttl": "x"}, "root or sudo privileges required to create orphan token"},
		{"bad maximum", weak, obj{"explicit_max_ttl": "x", "period": "-1"}, `time: invalid duration "x"`},
		{"negative maximum", rootID, obj{"explicit_max_ttl": "-1s"}, "explicit_max_ttl must be positive"},
		{"negative period", weak, obj{"period": "-1s"}, "period must be positive"},
		{"period without sudo", weak, obj{"period": "5m", "ttl": "-1"}, "root or sudo privileges required to create periodic token"},
		{"negative ttl", rootID, obj{"ttl": -5}, "ttl must be positive"},
		{"negative lease", rootID, obj{"lease": "-5s"}, "lease must be positive"},
		{"lease needs a unit", rootID, obj{"lease": "3600"}, `time: missing unit in duration "3600"`},
		{"everlasting child of an expiring root", expiring, nil, "expiring root tokens cannot create non-expiring root tokens"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := s.count()
			a := s.post(c.id, "auth/token/create", c.body)
			a.T = t
			a.refused(400, c.part)
			if n := s.count(); n != before {
				t.Errorf("%d tokens, before it were %d", n, before)
			}
		})
	}
	s.post(expiring, "auth/token/create", obj{"ttl": "10m"}).want(200).is("auth.policies", arr{"root"})
	s.post(weak, "auth/token/create", obj{"period": 0}).want(200)
}

// count is the number of tokens that live.
func (s *server) count() (n uint64) {
	s.store.View(func(m *fsm.Machine) { n = m.TokenCount(0) })
	return n
}

func TestChildPolicies(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.put(rootID, "sys/policies/acl/maker", obj{"policy": `path "auth/token/*" { capabilities = ["create","update"] }`}).want(204)
	s.put(rootID, "sys/policies/acl/boss", obj{"policy": `path "auth/token/*" { capabilities = ["create","update","sudo"] }`}).want(204)
	withDefault := s.token(obj{"policies": arr{"maker", "x"}})
	without := s.token(obj{"policies": arr{"maker", "x"}, "no_default_policy": true})
	boss := s.token(obj{"policies": arr{"boss"}, "no_default_policy": true})
	for _, c := range []struct {
		name, id string
		body     obj
		want     arr
	}{
		{"inherits all", withDefault, obj{}, arr{"default", "maker", "x"}},
		{"inherits no default that is not there", without, obj{}, arr{"maker", "x"}},
		{"inherits all but default", withDefault, obj{"no_default_policy": true}, arr{"maker", "x"}},
		{"a subset, and default", withDefault, obj{"policies": arr{"X"}}, arr{"default", "x"}},
		{"a subset without default", withDefault, obj{"policies": arr{"x"}, "no_default_policy": true}, arr{"x"}},
		{"a parent without default gives none", without, obj{"policies": arr{"x"}}, arr{"x"}},
		{"sudo gives anything", boss, obj{"policies": arr{"y"}}, arr{"default", "y"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.post(c.id, "auth/token/create", c.body).want(200)
			a.T = t
			a.is("auth.policies", c.want)
		})
	}
}

func TestCreateOrphan(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	weak := s.with(`path "auth/token/create-orphan" { capabilities = ["update"] }`)
	id := s.post(weak, "auth/token/create-orphan", obj{}).want(200).is("auth.orphan", true).text("auth.client_token")
	s.post(rootID, "auth/token/lookup", obj{"token": id}).want(200).is("data.path", "auth/token/create-orphan").is("data.orphan", true)
	s.post(rootID, "auth/token/revoke", obj{"token": weak}).want(204)
	s.post(rootID, "auth/token/lookup", obj{"token": id}).want(200)
	s.get(weak, "auth/token/create-orphan").refused(403, "invalid token")
}

func TestDisplayName(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for in, want := range map[string]string{"": "token", "web app": "token-web-app", "x!": "token-x", "äö": "token--", "a--": "token-a-"} {
		id := s.token(obj{"display_name": in})
		s.post(rootID, "auth/token/lookup", obj{"token": id}).want(200).is("data.display_name", want)
	}
}

func TestCreateWithRole(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	role := func(name string, body obj) { s.post(rootID, "auth/token/roles/"+name, body) }
	create := func(name string, body obj) *answer { return s.post(rootID, "auth/token/create/"+name, body) }
	role("allowed", obj{"allowed_policies": "b,A"})
	role("glob", obj{"allowed_policies_glob": "app-*"})
	role("disallowed", obj{"disallowed_policies": "bad"})
	role("badglob", obj{"disallowed_policies_glob": "ba*"})
	role("nodefault", obj{"allowed_policies": "a", "disallowed_policies": "default"})
	role("nodefault2", obj{"allowed_policies": "a", "token_no_default_policy": true})
	role("limits", obj{"token_num_uses": 5, "renewable": false, "path_suffix": "v-1", "orphan": true})
	role("times", obj{"token_explicit_max_ttl": 100, "token_period": 60})
	role("alias", obj{"allowed_entity_aliases": "web-*"})
	role("batch", obj{"token_type": "default-batch"})
	role("service", obj{"token_type": "service"})

	create("none", obj{}).refused(400, "unknown role none")
	create("allowed", obj{}).want(200).is("auth.policies", arr{"a", "b", "default"})
	create("allowed", obj{"policies": arr{"a"}}).want(200).is("auth.policies", arr{"a", "default"})
	create("allowed", obj{"policies": arr{"c"}}).refused(400, `token policies (["c" "default"]) must be subset of the role's allowed policies (["a" "b" "default"]) or glob policies ([])`)
	create("allowed", obj{"policies": arr{"a"}, "no_default_policy": true}).want(200).is("auth.policies", arr{"a"})
	create("glob", obj{"policies": arr{"app-1"}}).want(200).is("auth.policies", arr{"app-1", "default"})
	create("glob", obj{"policies": arr{"ap"}}).refused(400, "must be subset")
	create("glob", obj{}).want(200).is("auth.policies", arr{"default"})
	create("disallowed", obj{"policies": arr{"bad"}}).refused(400, `token policy "bad" is disallowed by this role`)
	create("disallowed", obj{"policies": arr{"good"}}).want(200).is("auth.policies", arr{"default", "good"})
	create("disallowed", obj{}).want(200).is("auth.policies", arr{"root"})
	create("badglob", obj{"policies": arr{"bat"}}).refused(400, "is disallowed by this role")
	create("nodefault", obj{}).want(200).is("auth.policies", arr{"a"})
	create("nodefault2", obj{}).want(200).is("auth.policies", arr{"a"})
	create("batch", obj{}).refused(400, "batch tokens cannot be root tokens")
	create("batch", obj{"policies": arr{"default"}}).want(200).is("auth.token_type", "batch")
	create("batch", obj{"type": "service"}).want(200)
	create("service", obj{"type": "batch"}).want(200).is("auth.token_type", "service")
	create("alias", obj{"entity_alias": "x"}).refused(400, "invalid 'entity_alias' value")
	create("alias", obj{"entity_alias": "WEB-1"}).refused(400, "not supported yet")

	a := create("limits", obj{"ttl": "1h", "no_parent": false, "num_uses": 9}).want(200).is("auth.num_uses", 5).is("auth.renewable", false).is("auth.orphan", true)
	s.post(rootID, "auth/token/lookup", obj{"token": a.text("auth.client_token")}).want(200).
		is("data.path", "auth/token/create/limits/v-1").is("data.role", "limits").is("data.num_uses", 5)
	create("limits", obj{"num_uses": 2, "ttl": "1h"}).want(200).is("auth.num_uses", 2)

	create("times", obj{"policies": arr{"default"}}).want(200).is("auth.lease_duration", 60).warns()
	a = create("times", obj{"policies": arr{"default"}, "period": 30, "explicit_max_ttl": 200}).want(200).is("auth.lease_duration", 30).
		warns("Explicit max TTL specified both during creation call and in role; using the lesser value of 100 seconds", "Period specified both during creation call and in role; using the lesser value of 30 seconds")
	s.post(rootID, "auth/token/lookup", obj{"token": a.text("auth.client_token")}).want(200).is("data.period", 30).is("data.explicit_max_ttl", 200)
}

// With a role, no_parent counts for nothing, and needs no rights.
func TestRoleDecidesAboutOrphans(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.post(rootID, "auth/token/roles/r", obj{}).want(204)
	weak := s.with(`path "auth/token/create/r" { capabilities = ["update"] }`)
	s.post(weak, "auth/token/create/r", obj{"no_parent": true, "role_name": "other"}).want(200).is("auth.orphan", false).
		warns("Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [role_name]")
}
