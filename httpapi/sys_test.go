package httpapi

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
)

func TestPolicies(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const text = `path "x" { capabilities = ["read"] } # comment`
	s.put(rootID, "sys/policies/acl/p", obj{"policy": text}).want(204)
	s.get(rootID, "sys/policies/acl/p").want(200).is("data", obj{"name": "p", "policy": text}).is("mount_type", "system")
	s.get(rootID, "sys/policy/p").want(200).is("data", obj{"name": "p", "rules": text}).is("rules", text)
	s.list(rootID, "sys/policies/acl").want(200).is("data.keys", arr{"default", "p", "root"})
	s.get(rootID, "sys/policy").want(200).is("policies", arr{"default", "p", "root"}).is("data.keys", arr{"default", "p", "root"})
	s.put(rootID, "sys/policies/acl/UP", obj{"policy": text}).want(200).warns("policy name was converted to up")
	s.get(rootID, "sys/policies/acl/Up").want(200).is("data.name", "up")
	s.put(rootID, "sys/policies/acl/a/b", obj{"policy": base64.StdEncoding.EncodeToString([]byte(text))}).want(204)
	s.get(rootID, "sys/policies/acl/a%2Fb").want(200).is("data.policy", text)
	s.put(rootID, "sys/policy/old", obj{"rules": text}).want(200).warns("'rules' is deprecated, please use 'policy' instead")
	s.get(rootID, "sys/policies/acl/root").want(200).is("data", obj{"name": "root", "policy": ""})
	s.delete(rootID, "sys/policies/acl/P").want(204)
	s.delete(rootID, "sys/policy/p").want(204)
	s.get(rootID, "sys/policies/acl/p").refused(404, "")

	s.put(rootID, "sys/policies/acl/p", obj{}).refused(400, "'policy' parameter not supplied or empty")
	s.put(rootID, "sys/policies/acl/p", obj{"rules": text}).refused(400, "'policy' parameter not supplied or empty")
	s.put(rootID, "sys/policies/acl/p", obj{"policy": `path "x" { capabilities = ["bogus"] }`}).refused(400, `failed to parse policy: path "x": invalid capability "bogus"`)
	s.put(rootID, "sys/policies/acl/p", obj{"policy": "garbage {{"}).refused(400, "failed to parse policy: At 1:10: expected: IDENT | STRING got: LBRACE")
	for _, name := range []string{"root", "response-wrapping"} {
		s.put(rootID, "sys/policies/acl/"+name, obj{"policy": text}).refused(400, `cannot update "`+name+`" policy`)
		s.delete(rootID, "sys/policies/acl/"+name).refused(400, `cannot delete "`+name+`" policy`)
	}
	s.delete(rootID, "sys/policies/acl/default").refused(400, "cannot delete default policy")
}

// A policy that changes counts at the next request, on whatever node.
func TestPolicyChange(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.put(rootID, "sys/policies/acl/p", obj{"policy": `path "sys/policies/acl/default" { capabilities = ["read"] }`}).want(204)
	id := s.token(obj{"policies": arr{"p"}})
	s.get(id, "sys/policies/acl/default").want(200)
	s.put(rootID, "sys/policies/acl/p", obj{"policy": `path "sys/policies/acl/default" { capabilities = ["deny"] }`}).want(204)
	s.get(id, "sys/policies/acl/default").refused(403, "permission denied")
	s.delete(rootID, "sys/policies/acl/p").want(204)
	s.get(id, "sys/policies/acl/default").refused(403, "permission denied")
}

func TestCapabilities(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	id := s.with(`path "kv/a" { capabilities = ["read","create"] } path "sys/capabilities-self" { capabilities = ["update"] }`)
	accessor := s.post(rootID, "auth/token/lookup", obj{"token": id}).text("data.accessor")
	for name, a := range map[string]*answer{
		"self":     s.post(id, "sys/capabilities-self", obj{"path": "kv/a"}),
		"token":    s.post(rootID, "sys/capabilities", obj{"paths": arr{"kv/a"}, "path": "ignored", "token": id}),
		"accessor": s.post(rootID, "sys/capabilities-accessor", obj{"paths": "kv/a", "accessor": accessor}),
	} {
		want := arr{"create", "read"}
		a.want(200).is("capabilities", want).is("data", obj{"capabilities": want, "kv/a": want})
		if a.at("kv/a") == nil {
			t.Errorf("%s: no kv/a at the top", name)
		}
	}
	s.post(id, "sys/capabilities-self", obj{"paths": arr{"kv/a", "kv/b"}}).want(200).is("data", obj{"kv/a": arr{"create", "read"}, "kv/b": arr{"deny"}})
	s.post(rootID, "sys/capabilities-self", obj{"paths": "x"}).want(200).is("capabilities", arr{"root"})
	s.post(rootID, "sys/capabilities-self", obj{}).refused(400, "paths must be supplied")
	s.post(rootID, "sys/capabilities-self", obj{"paths": arr{""}}).refused(400, "missing path")
	s.post(rootID, "sys/capabilities", obj{"path": "x"}).refused(400, "missing token")
	s.post(rootID, "sys/capabilities", obj{"path": "x", "token": "none"}).refused(400, "1 error occurred:\n\t* invalid token\n\n")
	s.post(rootID, "sys/capabilities", obj{"token": "none"}).refused(400, "paths must be supplied")
	s.post(rootID, "sys/capabilities-accessor", obj{"path": "x", "accessor": "none"}).refused(400, "1 error occurred:\n\t* invalid accessor\n\n")
	s.get(rootID, "sys/internal/ui/resultant-acl").want(200).is("data.root", true)
}

func TestLeases(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.post(rootID, "auth/token/roles/r", obj{}).want(204)
	id := s.post(rootID, "auth/token/create/r", obj{"policies": arr{"default"}, "ttl": "10m"}).want(200).text("auth.client_token")
	key := "h" + s.hash(id)
	lease := "auth/token/create/r/" + key
	for _, path := range []string{"auth/token/create/r", "auth/token/create/r/"} {
		s.list(rootID, "sys/leases/lookup/"+path).want(200).is("data.keys", arr{key}).is("mount_type", "system")
	}
	s.list(rootID, "sys/leases/lookup/auth/token/create").want(200).is("data.keys", arr{"r/"})
	s.list(rootID, "sys/leases/lookup").want(200).is("data.keys", arr{"auth/"})
	s.list(rootID, "sys/leases/lookup/none").refused(404, "")
	weak := s.with(`path "sys/leases/*" { capabilities = ["list","update"] }`)
	s.list(weak, "sys/leases/lookup/auth").refused(403, "permission denied")
	s.put(weak, "sys/leases/revoke-prefix/auth/x", nil).refused(403, "permission denied")

	s.clock = s.clock.Add(time.Minute)
	s.put(weak, "sys/leases/lookup", obj{"lease_id": lease}).want(200).is("data", obj{
		"id": lease, "issue_time": "2027-01-15T08:00:00Z", "expire_time": "2027-01-15T08:10:00Z", "last_renewal": nil, "renewable": true, "ttl": 540,
	})
	s.post(id, "auth/token/renew-self", nil).want(200)
	s.put(rootID, "sys/leases/lookup", obj{"lease_id": lease}).want(200).is("data.last_renewal", "2027-01-15T08:01:00Z").is("data.ttl", 600)

	for _, wrong := range []string{"nosuch", "auth/token/create/" + key, lease + "0"} {
		s.put(rootID, "sys/leases/lookup", obj{"lease_id": wrong}).refused(400, "invalid lease")
		s.put(rootID, "sys/leases/renew", obj{"lease_id": wrong}).refused(400, "lease not found")
		s.put(rootID, "sys/leases/revoke", obj{"lease_id": wrong}).want(204)
	}
	s.get(id, "auth/token/lookup-self").want(200)
	s.put(rootID, "sys/leases/lookup", obj{}).refused(400, "lease_id must be specified")
	s.put(rootID, "sys/leases/renew", nil).refused(400, "lease_id must be specified")
	s.put(rootID, "sys/leases/revoke", nil).refused(400, "lease_id must be specified")
	s.put(rootID, "sys/leases/renew", obj{"lease_id": lease, "increment": 60}).refused(400, "tokens cannot be renewed through this endpoint")
	s.put(rootID, "sys/renew/"+lease, nil).refused(400, "tokens cannot be renewed through this endpoint")
	s.put(rootID, "sys/leases/renew", obj{"lease_id": lease, "increment": "x"}).refused(400, `for field "increment"`)
	s.put(rootID, "sys/leases/revoke/"+lease, nil).want(204)
	s.put(rootID, "sys/leases/lookup", obj{"lease_id": lease}).refused(400, "invalid lease")
}

func TestInit(t *testing.T) {
	t.Parallel()
	s := newBareServer(t)
	s.get("", "sys/init").want(200).is("initialized", false)
	s.get("", "sys/health").want(501).is("initialized", false).is("sealed", true)
	s.get("", "sys/seal-status").want(200).is("initialized", false)
	s.put("", "sys/init", obj{"pgp_keys": arr{"k"}}).refused(400, "PGP")
	s.put("", "sys/init", obj{"secret_shares": "many"}).refused(400, `for field "secret_shares"`)
	s.put("", "sys/init", obj{"secret_shares": 5, "secret_threshold": 3}).want(200).is("keys", arr{}).is("keys_base64", arr{}).is("root_token", rootID)
	s.get("", "sys/init").want(200).is("initialized", true)
	s.put("", "sys/init", obj{}).refused(400, "Vault is already initialized")
	s.delete("", "sys/init").refused(405, "")
	s.get(rootID, "auth/token/lookup-self").want(200)
	s.list(rootID, "sys/policies/acl").want(200).is("data.keys", arr{"default", "root"})
}

func TestHealth(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.get("", "sys/health").want(200).is("initialized", true).is("sealed", false).is("standby", false).is("performance_standby", false).
		is("version", "1.2.3").is("cluster_name", "test").is("server_time_utc", 1_800_000_000).is("removed_from_cluster", false)
	s.get("", "sys/health?activecode=299&standbycode=298").want(299)
	if a := s.call("HEAD", "", "sys/health?activecode=234", nil); a.status != 234 {
		t.Errorf("HEAD: %d, want 234", a.status)
	}
	for _, q := range []string{"activecode=x", "sealedcode=", "uninitcode=99", "standbycode=1000"} {
		name, _, _ := strings.Cut(q, "=")
		s.get("", "sys/health?"+q).refused(400, name)
	}
	// A follower is active, too; a node that was removed says so.
	s.cluster.status.IsLeader = false
	s.get("", "sys/health?standbycode=500").want(200).is("standby", false)
	s.cluster.status.Servers = []fsm.Server{{ID: "n2"}}
	s.get("", "sys/health").want(200).is("removed_from_cluster", true)
}

func TestClusterStatus(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.cluster.status.Committed, s.cluster.status.Applied, s.cluster.status.ConfigIndex = 9, 8, 3
	s.cluster.status.Servers = []fsm.Server{{ID: "n1", Address: "b:1", Voter: true, Leader: true}}
	s.get("", "sys/leader").want(200).is("is_self", true).is("ha_enabled", true).is("leader_address", "http://a").is("leader_cluster_address", "https://b:1").
		is("raft_committed_index", 9).is("raft_applied_index", 8).is("performance_standby", false)
	s.get("", "sys/grove/cluster").want(200).is("initialized", true).is("node_id", "n1").is("leader_id", "n1").is("leader_cluster_address", "b:1").is("leader_api_address", "http://a").is("cluster_name", "test")
	s.get(rootID, "sys/storage/raft/configuration").want(200).is("data.config.index", 3).
		is("data.config.servers", arr{obj{"node_id": "n1", "address": "b:1", "leader": true, "voter": true, "protocol_version": "3"}})
	s.get("", "sys/storage/raft/configuration").refused(403, "permission denied")
	if _, err := s.store.Propose(t.Context(), &fsm.AnnounceMember{Member: fsm.Member{ID: "n1", APIAddr: "http://a", ClusterAddr: "b:1", Version: "1.2.3", Hostname: "h"}}); err != nil {
		t.Fatal(err)
	}
	s.get(rootID, "sys/ha-status").want(200).is("data.nodes", arr{obj{
		"hostname": "h", "api_address": "http://a", "cluster_address": "https://b:1", "active_node": true, "last_echo": nil, "echo_duration_ms": 0,
		"clock_skew_ms": 0, "replication_primary_canary_age_ms": 0, "version": "1.2.3", "upgrade_version": "1.2.3", "node_id": "n1",
	}})
	s.token(nil)
	s.get(rootID, "sys/internal/counters/tokens").want(200).is("data.counters.service_tokens.total", 2)
	s.list(rootID, "sys/version-history").want(200).is("data.keys", arr{"1.2.3"})
	s.get("", "sys/seal-status").want(200).is("sealed", false).is("storage_type", "raft").is("type", "shamir")
}

func TestClusterControl(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	weak := s.with(`path "sys/*" { capabilities = ["update"] }`)
	s.put(weak, "sys/step-down", nil).refused(403, "permission denied")
	s.put(rootID, "sys/step-down", nil).want(204)
	s.post(rootID, "sys/storage/raft/remove-peer", obj{}).refused(400, "no server id provided")
	s.post(weak, "sys/storage/raft/remove-peer", obj{"server_id": "n2"}).want(204)
	s.post("", "sys/storage/raft/join", obj{}).refused(400, "leader_api_addr")
	s.post("", "sys/storage/raft/join", obj{"leader_api_addr": "http://b"}).want(200).is("joined", true)
	s.post("", "sys/storage/raft/join", obj{"leader_api_addr": "http://b", "join_token": "gjt.x"}).want(200).is("joined", true)
	s.post("", "sys/storage/raft/join", obj{"leader_api_addr": "http://b", "non_voter": true}).want(200).is("joined", true)
	if got := s.cluster.asked; !slices.Equal(got, []string{"step down", "remove n2", "join http://b", "join http://b gjt.x", "join http://b  without a vote"}) {
		t.Errorf("the cluster was asked to %q", got)
	}
	s.cluster.err = fsm.Errorf(fsm.Unavailable, "no leader")
	s.put(rootID, "sys/step-down", nil).refused(503, "no leader")
}

func TestMounts(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	token := s.get(rootID, "sys/auth").want(200).at("token/")
	if m, _ := token.(obj); m["type"] != "token" || m["description"] != "token based credentials" || m["config"] == nil {
		t.Errorf("the token store is listed as %v", token)
	}
	s.get(rootID, "sys/auth/token").want(200).is("type", "token").is("data.type", "token")
	s.get(rootID, "sys/auth/none").refused(400, "No auth engine at none/")
	s.get(rootID, "sys/auth/token/tune").want(200).is("default_lease_ttl", 2764800).is("max_lease_ttl", 2764800).is("data.token_type", "default-service")
	s.get(rootID, "sys/mounts").want(200)

	reader := s.with(`path "sys/auth/*" { capabilities = ["read","update"] } path "sys/auth" { capabilities = ["read"] }`)
	s.get(reader, "sys/auth").want(200)
	s.get(reader, "sys/auth/token/tune").refused(403, "permission denied")

	s.post(rootID, "sys/auth/token/tune", obj{"default_lease_ttl": "1h", "max_lease_ttl": 7200, "description": "d"}).want(204)
	s.get(rootID, "sys/mounts/auth/token/tune").want(200).is("default_lease_ttl", 3600).is("max_lease_ttl", 7200).is("description", "d")
	s.post(rootID, "auth/token/create", obj{"policies": arr{"default"}}).want(200).is("auth.lease_duration", 3600)
	s.post(rootID, "auth/token/create", obj{"policies": arr{"default"}, "ttl": "3h"}).want(200).is("auth.lease_duration", 7200)
	s.post(rootID, "sys/auth/token/tune", obj{"default_lease_ttl": "3h"}).refused(400, "lease TTL")
	s.post(rootID, "sys/auth/token/tune", obj{"max_lease_ttl": -1}).refused(400, "max_lease_ttl")
	s.post(rootID, "sys/auth/token/tune", obj{"listing_visibility": "x"}).refused(400, "listing_visibility")
	s.post(rootID, "sys/auth/token/tune", obj{"token_type": "batch"}).refused(400, "token_type")
}
