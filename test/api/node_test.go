package api

import (
	"encoding/json"
	"net/http"
	"testing"
)

// on sends a request without a token to one node.
func on(t *testing.T, node, path string) (int, obj) {
	t.Helper()
	resp, err := client.Get(node + "/v1/" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var body obj
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil {
		t.Fatalf("%s %s: %v", node, path, err)
	}
	return resp.StatusCode, body
}

// TestNodesAgree: every node serves, and all say the same of the cluster.
func TestNodesAgree(t *testing.T) {
	u := root(t)
	var cluster, leader any
	leaders := 0
	for i, n := range nodes {
		status, h := on(t, n, "sys/health")
		if status != http.StatusOK || h["initialized"] != true || h["sealed"] != false || h["cluster_id"] == "" {
			t.Errorf("%s: health %d %v", n, status, h)
		}
		_, seal := on(t, n, "sys/seal-status")
		_, l := on(t, n, "sys/leader")
		if i == 0 {
			cluster, leader = h["cluster_id"], l["leader_address"]
		}
		if h["cluster_id"] != cluster || seal["cluster_id"] != cluster || l["leader_address"] != leader {
			t.Errorf("%s: cluster %v, %v and leader %v, want %v and %v", n, h["cluster_id"], seal["cluster_id"], l["leader_address"], cluster, leader)
		}
		if l["ha_enabled"] != true {
			t.Errorf("%s: leader %v", n, l)
		}
		if l["is_self"] == true {
			leaders++
		}
	}
	if len(nodes) > 1 && leaders != 1 {
		t.Errorf("%d nodes say that they lead", leaders)
	}
	raft, _ := u.get("sys/storage/raft/configuration").want(200).at("data.config.servers").([]any)
	ha, _ := u.get("sys/ha-status").want(200).at("data.nodes").([]any)
	if len(raft) < len(nodes) || len(ha) != len(raft) {
		t.Errorf("%d servers of raft and %d of ha-status, at least %d are there", len(raft), len(ha), len(nodes))
	}
	led := 0
	for _, s := range raft {
		m, _ := s.(obj)
		for _, k := range []string{"node_id", "address", "leader", "voter", "protocol_version"} {
			if _, ok := m[k]; !ok {
				t.Errorf("no %s in %v", k, m)
			}
		}
		if m["leader"] == true {
			led++
		}
	}
	if led != 1 {
		t.Errorf("%d leaders in %v", led, raft)
	}
	for _, path := range []string{"sys/storage/raft/configuration", "sys/ha-status", "sys/internal/counters/tokens", "sys/auth", "sys/mounts"} {
		u.as("").get(path).refused(403, "permission denied")
	}
}

func TestCounter(t *testing.T) {
	u := root(t)
	u.child(nil)
	u.get("sys/internal/counters/tokens").want(200).between("data.counters.service_tokens.total", 2, 1<<40)
}

// TestLeaseTree walks the leases from the top.
func TestLeaseTree(t *testing.T) {
	u := root(t)
	n := u.role(obj{"path_suffix": "deep"})
	tk, _ := u.issue("create/"+n, obj{"policies": []string{"default"}, "ttl": "10m"})
	for _, step := range [][2]string{{"", "auth/"}, {"auth/", "token/"}, {"auth/token/", "create/"}, {"auth/token/create/", n + "/"}, {"auth/token/create/" + n, "deep/"}} {
		if r := u.list("sys/leases/lookup/" + step[0]).want(200); !r.has("data.keys", step[1]) {
			t.Errorf("below %q: no %q in %.200s", step[0], step[1], r.raw)
		}
	}
	keys, _ := u.list("sys/leases/lookup/auth/token/create/" + n + "/deep").want(200).at("data.keys").([]any)
	if len(keys) != 1 {
		t.Fatalf("leases %v, want one", keys)
	}
	id := "auth/token/create/" + n + "/deep/" + keys[0].(string)
	v := u.as(tk.id) // who knows the ID may look, and renew
	v.post("sys/leases/lookup", obj{"lease_id": id}).want(200).is("data.id", id).is("data.renewable", true).is("data.last_renewal", nil)
	u.post("auth/token/renew", obj{"token": tk.id}).want(200)
	if u.post("sys/leases/lookup", obj{"lease_id": id}).want(200).str("data.last_renewal") == "" {
		t.Error("no last renewal")
	}
	v.do("PUT", "sys/leases/revoke", obj{"lease_id": id}).refused(403, "permission denied")
	v.list("sys/leases/lookup/auth/").refused(403, "permission denied")
	u.do("PUT", "sys/leases/revoke", obj{"lease_id": id, "sync": true}).want(204)
	u.dead(tk)
	u.list("sys/leases/lookup/auth/token/create/"+n+"/deep/").want(404).is("errors", []string{})
	for _, path := range []string{"sys/leases/lookup", "sys/leases/revoke", "sys/leases/renew"} {
		u.do("PUT", path, obj{}).refused(400, "lease_id must be specified")
	}
	u.do("PUT", "sys/leases/tidy", nil).want(http.StatusAccepted).warns("Tidy operation")
}
