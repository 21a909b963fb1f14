package httpapi

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestLookup(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a := s.post(rootID, "auth/token/create", obj{"policies": arr{"default"}, "ttl": "1h", "display_name": "x", "meta": obj{"a": "b"}}).want(200)
	id, accessor := a.text("auth.client_token"), a.text("auth.accessor")
	s.clock = s.clock.Add(10 * time.Second)
	for name, a := range map[string]*answer{
		"self":           s.get(id, "auth/token/lookup-self"),
		"by token":       s.post(rootID, "auth/token/lookup", obj{"token": id}),
		"by query":       s.get(rootID, "auth/token/lookup?token="+id),
		"by accessor":    s.post(rootID, "auth/token/lookup-accessor", obj{"accessor": accessor}),
		"by PUT, a form": s.call("PUT", rootID, "auth/token/lookup", "token="+id, "Content-Type", formType),
	} {
		t.Run(name, func(t *testing.T) {
			a.T = t
			shown := id
			if name == "by accessor" {
				shown = ""
			}
			a.want(200).warns().is("auth", nil).is("lease_id", "").is("mount_type", "token").is("data", obj{
				"accessor": accessor, "creation_time": 1_800_000_000, "creation_ttl": 3600, "display_name": "token-x", "entity_id": "",
				"expire_time": "2027-01-15T09:00:00Z", "explicit_max_ttl": 0, "id": shown, "issue_time": "2027-01-15T08:00:00Z", "meta": obj{"a": "b"},
				"num_uses": 0, "orphan": false, "path": "auth/token/create", "policies": arr{"default"}, "renewable": true, "ttl": 3590, "type": "service",
			})
		})
	}
	root := s.get(rootID, "auth/token/lookup-self").want(200)
	for k, want := range map[string]any{"expire_time": nil, "ttl": 0, "path": "auth/token/root", "orphan": true, "display_name": "root", "policies": arr{"root"}, "meta": nil} {
		root.is("data."+k, want)
	}
	if data, _ := root.at("data").(obj); len(data) != 15 {
		t.Errorf("root has %d fields: %v", len(data), data)
	}
	s.post(rootID, "auth/token/lookup-self", obj{"token": id}).want(200).is("data.id", rootID)
	everlasting := s.token(nil)
	s.get(everlasting, "auth/token/lookup-self").want(200).is("data.renewable", false).is("data.issue_time", "2027-01-15T08:00:10Z").is("data.expire_time", nil)

	s.post(id, "auth/token/lookup", obj{}).refused(403, "permission denied")
	s.post(rootID, "auth/token/lookup", obj{}).want(200).is("data.id", rootID)
	s.post(rootID, "auth/token/lookup", obj{"token": "none"}).refused(403, "bad token")
	s.post(rootID, "auth/token/lookup-accessor", obj{}).refused(400, "1 error occurred:\n\t* missing accessor\n\n")
	s.post(rootID, "auth/token/lookup-accessor", obj{"accessor": "x"}).refused(400, "1 error occurred:\n\t* invalid accessor\n\n")
	s.post(rootID, "auth/token/lookup", obj{"token": arr{"x"}}).refused(400, `for field "token"`)
	s.get(id, "auth/token/lookup-self?x=1").want(200).warns("Endpoint ignored these unrecognized parameters: [x]")
}

func TestAccessors(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	weak := s.with(`path "auth/token/accessors/" { capabilities = ["list"] }`)
	s.list(weak, "auth/token/accessors").refused(403, "permission denied")
	sudo := s.with(`path "auth/token/accessors" { capabilities = ["list","sudo"] }`)
	keys, _ := s.list(sudo, "auth/token/accessors").want(200).at("data.keys").([]any)
	if len(keys) != 3 {
		t.Errorf("%d accessors, want 3", len(keys))
	}
	s.get(sudo, "auth/token/accessors/?list=true").want(200)
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	parent := s.token(obj{"ttl": "1h"})
	child := s.post(parent, "auth/token/create", obj{"ttl": "10h", "policies": arr{"default"}}).want(200).text("auth.client_token")
	s.clock = s.clock.Add(time.Hour - time.Second)
	s.get(child, "auth/token/lookup-self").want(200)
	s.clock = s.clock.Add(time.Second)
	s.get(parent, "auth/token/lookup-self").refused(403, "invalid token")
	s.get(child, "auth/token/lookup-self").refused(403, "invalid token")
}

func TestRenew(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	a := s.post(rootID, "auth/token/create", obj{"policies": arr{"default"}, "ttl": "1h", "num_uses": 9, "meta": obj{"a": "b"}}).want(200)
	id, accessor := a.text("auth.client_token"), a.text("auth.accessor")
	s.clock = s.clock.Add(time.Minute)
	s.post(id, "auth/token/renew-self", obj{"increment": "2h"}).want(200).warns().is("data", nil).is("auth.client_token", id).
		is("auth.lease_duration", 7200).is("auth.renewable", true).is("auth.metadata", obj{"a": "b"}).is("auth.num_uses", 9).is("auth.policies", arr{"default"})
	s.post(rootID, "auth/token/lookup", obj{"token": id}).want(200).is("data.ttl", 7200).is("data.num_uses", 8).is("data.last_renewal_time", 1_800_000_060).is("data.last_renewal", "2027-01-15T08:01:00Z").is("data.creation_ttl", 3600)
	for increment, want := range map[any]int{50: 50, "90": 90, "1m": 60, "1500ms": 1} {
		s.post(rootID, "auth/token/renew", obj{"token": id, "increment": increment}).want(200).is("auth.lease_duration", want)
	}
	s.post(rootID, "auth/token/renew", obj{"token": id, "increment": 300}).want(200)
	s.post(rootID, "auth/token/renew", obj{"token": id, "increment": nil}).want(200).is("auth.lease_duration", 300)
	s.post(rootID, "auth/token/renew-accessor", obj{"accessor": accessor, "increment": "800h"}).want(200).is("auth.client_token", "").
		is("auth.lease_duration", 2764740).warns(`TTL of "800h" exceeded the effective max_ttl of "767h59m"; TTL value is capped accordingly`)

	s.post(rootID, "auth/token/renew", obj{}).refused(400, "missing token ID")
	s.post(rootID, "auth/token/renew", obj{"token": "none"}).refused(400, "token not found")
	s.post(rootID, "auth/token/renew-accessor", obj{}).refused(400, "missing accessor")
	s.post(rootID, "auth/token/renew-accessor", obj{"accessor": "none"}).refused(400, "invalid accessor")
	s.post(rootID, "auth/token/renew-self", obj{}).refused(400, "lease is not renewable")
	s.post(rootID, "auth/token/renew", obj{"token": id, "increment": -5}).refused(400, `Field validation failed: error converting input for field "increment": cannot provide negative value '-5'`)
	s.post(rootID, "auth/token/renew", obj{"token": id, "increment": true}).refused(400, "could not parse duration from input")
	fixed := s.token(obj{"policies": arr{"default"}, "renewable": false})
	s.post(fixed, "auth/token/renew-self", nil).refused(400, "lease is not renewable")
	s.clock = s.clock.Add(768 * time.Hour)
	s.post(rootID, "auth/token/renew", obj{"token": id}).refused(400, "token not found")
}

func TestRenewBounds(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	periodic := s.token(obj{"policies": arr{"default"}, "period": "5m"})
	s.post(periodic, "auth/token/renew-self", obj{"increment": "1h"}).want(200).is("auth.lease_duration", 300).warns()
	long := s.token(obj{"policies": arr{"default"}, "period": "800h"})
	s.post(long, "auth/token/renew-self", nil).want(200).is("auth.lease_duration", 2764800).
		warns(`period of "800h" exceeded the effective max_ttl of "768h"; period value is capped accordingly`)
	bounded := s.token(obj{"policies": arr{"default"}, "ttl": 60, "explicit_max_ttl": 100})
	s.post(bounded, "auth/token/renew-self", obj{"increment": 300}).want(200).is("auth.lease_duration", 100).
		warns(`TTL of "5m" exceeded the effective max_ttl of "1m40s"; TTL value is capped accordingly`)

	s.post(rootID, "auth/token/roles/r", obj{"token_period": "10m"}).want(204)
	id := s.post(rootID, "auth/token/create/r", obj{"policies": arr{"default"}}).want(200).text("auth.client_token")
	s.post(rootID, "auth/token/roles/r", obj{"token_period": "20m"}).want(204)
	s.post(id, "auth/token/renew-self", obj{"increment": 5}).want(200).is("auth.lease_duration", 1200)
	s.delete(rootID, "auth/token/roles/r").want(204)
	s.post(id, "auth/token/renew-self", nil).refused(400, `original token role "r" could not be found, not renewing`)
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	// Each way to revoke a parent of a child.
	for name, revoke := range map[string]func(s *server, id, accessor string) *answer{
		"by token": func(s *server, id, _ string) *answer { return s.post(rootID, "auth/token/revoke", obj{"token": id}) },
		"self":     func(s *server, id, _ string) *answer { return s.post(id, "auth/token/revoke-self", obj{"zzz": 1}) },
		"by accessor": func(s *server, _, a string) *answer {
			return s.post(rootID, "auth/token/revoke-accessor", obj{"accessor": a})
		},
		"by lease": func(s *server, id, _ string) *answer {
			return s.put(rootID, "sys/leases/revoke", obj{"lease_id": "auth/token/create/h" + s.hash(id), "sync": true})
		},
		"by lease in the path": func(s *server, id, _ string) *answer {
			return s.put(rootID, "sys/revoke/auth/token/create/h"+s.hash(id), nil)
		},
		"by prefix": func(s *server, _, _ string) *answer {
			return s.put(rootID, "sys/leases/revoke-prefix/auth/token/create/", nil)
		},
		"by force": func(s *server, _, _ string) *answer {
			return s.put(rootID, "sys/leases/revoke-force/auth/token/create", nil)
		},
		"by old prefix": func(s *server, _, _ string) *answer { return s.put(rootID, "sys/revoke-prefix/auth/token/create", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t)
			a := s.post(rootID, "auth/token/create", obj{"ttl": "1h"}).want(200)
			id := a.text("auth.client_token")
			child := s.post(id, "auth/token/create", obj{"ttl": "1h"}).want(200).text("auth.client_token")
			revoke(s, id, a.text("auth.accessor")).want(204)
			for _, dead := range []string{id, child} {
				s.get(dead, "auth/token/lookup-self").refused(403, "invalid token")
			}
			s.get(rootID, "auth/token/lookup-self").want(200)
		})
	}
	s := newServer(t)
	s.post(rootID, "auth/token/revoke", obj{}).refused(400, "missing token ID")
	s.post(rootID, "auth/token/revoke", obj{"token": "none"}).want(204)
	for _, prefix := range []string{"auth/token", "auth/token/root/", "auth"} {
		s.put(rootID, "sys/leases/revoke-prefix/"+prefix, nil).refused(400, "root token")
	}
	s.post(rootID, "auth/token/revoke-accessor", obj{}).refused(400, "missing accessor")
	s.post(rootID, "auth/token/revoke-accessor", obj{"accessor": "none"}).want(200).warns("No token found with this accessor").is("data", nil).is("mount_type", "token")
}

func TestRevokeOrphan(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.token(obj{"ttl": "1h"})
	child := s.post(id, "auth/token/create", obj{"ttl": "1h"}).want(200).text("auth.client_token")
	weak := s.with(`path "auth/token/revoke-orphan" { capabilities = ["update"] }`)
	s.post(weak, "auth/token/revoke-orphan", obj{"token": id}).refused(403, "permission denied")
	s.post(rootID, "auth/token/revoke-orphan", obj{}).refused(400, "missing token ID")
	s.post(rootID, "auth/token/revoke-orphan", obj{"token": "none"}).refused(400, "token to revoke not found")
	s.post(rootID, "auth/token/revoke-orphan", obj{"token": id}).want(204)
	s.get(id, "auth/token/lookup-self").refused(403, "invalid token")
	s.get(child, "auth/token/lookup-self").want(200).is("data.orphan", true)
}

func TestTidy(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const text = "Tidy operation successfully started. Any information from the operation will be printed to Vault's server logs."
	for _, path := range []string{"auth/token/tidy", "sys/leases/tidy"} {
		s.post(rootID, path, nil).want(202).warns(text).is("mount_type", "")
		s.get(rootID, path).refused(405, "unsupported operation")
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.list(rootID, "auth/token/roles").refused(404, "")
	s.get(rootID, "auth/token/roles/r").refused(404, "")
	s.delete(rootID, "auth/token/roles/r").want(204)
	s.post(rootID, "auth/token/roles/r", obj{}).want(204)
	defaults := obj{
		"allowed_entity_aliases": nil, "allowed_policies": arr{}, "allowed_policies_glob": arr{}, "disallowed_policies": arr{}, "disallowed_policies_glob": arr{},
		"explicit_max_ttl": 0, "name": "r", "orphan": false, "path_suffix": "", "period": 0, "renewable": true, "token_explicit_max_ttl": 0,
		"token_no_default_policy": false, "token_period": 0, "token_type": "default-service",
	}
	s.get(rootID, "auth/token/roles/r").want(200).is("data", defaults)
	s.list(rootID, "auth/token/roles").want(200).is("data.keys", arr{"r"})

	s.post(rootID, "auth/token/roles/r", obj{"allowed_policies": "b,A, a", "period": "1h", "token_num_uses": 5, "bound_cidrs": "10.0.0.0/8", "explicit_max_ttl": "2h", "allowed_entity_aliases": arr{"X"}}).want(204)
	s.post(rootID, "auth/token/roles/r", obj{"orphan": true, "disallowed_policies_glob": arr{"Z*"}}).want(204)
	s.get(rootID, "auth/token/roles/r").want(200).is("data.allowed_policies", arr{"a", "b"}).is("data.disallowed_policies_glob", arr{"z*"}).is("data.orphan", true).
		is("data.period", 3600).is("data.token_period", 3600).is("data.explicit_max_ttl", 7200).is("data.token_explicit_max_ttl", 7200).
		is("data.bound_cidrs", arr{"10.0.0.0/8"}).is("data.token_bound_cidrs", arr{"10.0.0.0/8"}).is("data.token_num_uses", 5).is("data.allowed_entity_aliases", arr{"x"})

	s.post(rootID, "auth/token/roles/r", obj{"token_period": 60, "period": 30, "token_bound_cidrs": "10.0.0.1", "bound_cidrs": "x", "token_explicit_max_ttl": "800h", "explicit_max_ttl": 5}).want(200).warns(
		"Both 'token_bound_cidrs' and deprecated 'bound_cidrs' value supplied, ignoring the deprecated value",
		"Both 'token_period' and deprecated 'period' value supplied, ignoring the deprecated value",
		"Both 'token_explicit_max_ttl' and deprecated 'explicit_max_ttl' value supplied, ignoring the deprecated value",
		"Given explicit max TTL of 2880000 is greater than system/mount allowed value of 2764800 seconds; until this is fixed attempting to create tokens against this role will result in an error")
	s.get(rootID, "auth/token/roles/r").want(200).is("data.period", 0).is("data.token_period", 60).is("data.bound_cidrs", nil).is("data.token_bound_cidrs", arr{"10.0.0.1"})
	s.post(rootID, "auth/token/roles/r", obj{"renewable": nil, "period": nil, "allowed_policies": nil}).want(204)
	s.get(rootID, "auth/token/roles/r").want(200).is("data.renewable", false).is("data.token_period", 60).is("data.allowed_policies", arr{})
}

func TestRolesRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for i, c := range []struct {
		body obj
		part string
	}{
		{obj{"token_type": "bogus"}, `invalid 'token_type' value "bogus"`},
		{obj{"token_type": ""}, `invalid 'token_type' value ""`},
		{obj{"token_type": nil}, "Invalid 'token_type' value: null"},
		{obj{"token_type": "batch"}, "'token_type' cannot be 'batch' when role is set to generate non-orphan tokens"},
		{obj{"token_type": "batch", "orphan": true}, "renewable tokens"},
		{obj{"token_type": "batch", "orphan": true, "token_period": 60}, "periodic tokens"},
		{obj{"token_type": "batch", "orphan": true, "renewable": false, "explicit_max_ttl": 60}, "tokens with an explicit max TTL"},
		{obj{"path_suffix": "a b"}, `given role path suffix contains invalid characters; must match \w[\w-.]+\w`},
		{obj{"path_suffix": "a..b"}, "error registering path suffix"},
		{obj{"path_suffix": strings.Repeat("x", 5000)}, "field path_suffix"},
		{obj{"token_num_uses": -1}, "error parsing role fields: 'token_num_uses' cannot be negative"},
		{obj{"token_num_uses": 1 << 40}, "field token_num_uses"},
		{obj{"token_bound_cidrs": "nowhere"}, `error parsing role fields: token_bound_cidrs: error parsing address "nowhere": Unable to convert "nowhere"`},
		{obj{"bound_cidrs": "10.0.0.0/99"}, "error parsing bound_cidrs: error parsing address"},
		{obj{"token_period": "-5s"}, `for field "token_period": cannot provide negative value '-5'`},
		{obj{"explicit_max_ttl": "soon"}, `for field "explicit_max_ttl"`},
		{obj{"orphan": "maybe"}, `for field "orphan": cannot parse '' as bool`},
		{obj{"allowed_policies": arr{obj{}}}, `for field "allowed_policies": 1 error(s) decoding:`},
	} {
		name := fmt.Sprintf("r%d", i)
		s.post(rootID, "auth/token/roles/"+name, c.body).refused(400, c.part)
		s.get(rootID, "auth/token/roles/"+name).refused(404, "")
	}
}

// A write to a role needs create or update, whichever it is.
func TestRoleCreateOrUpdate(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	creator := s.with(`path "auth/token/roles/*" { capabilities = ["create"] }`)
	updater := s.with(`path "auth/token/roles/*" { capabilities = ["update"] }`)
	s.post(updater, "auth/token/roles/r", obj{}).refused(403, "permission denied")
	s.post(creator, "auth/token/roles/r", obj{}).want(204)
	s.post(creator, "auth/token/roles/r", obj{}).refused(403, "permission denied")
	s.put(updater, "auth/token/roles/r", obj{}).want(204)
}
