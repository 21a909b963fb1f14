package httpapi

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// health answers for a load balancer. Every node of an initialized cluster is active: it
// takes reads and writes. It asks nobody, so that it answers without a quorum.
func health(rq *request) (*response, error) {
	st := rq.api.cluster.Status()
	code, err := healthCode(rq.http, st)
	if err != nil {
		return nil, err
	}
	body := map[string]any{
		"initialized": st.Initialized, "sealed": !st.Initialized, "standby": !st.Initialized, "performance_standby": false,
		"replication_performance_mode": "disabled", "replication_dr_mode": "disabled", "server_time_utc": rq.api.now().Unix(),
		"version": rq.api.cfg.Version, "enterprise": false, "echo_duration_ms": 0, "clock_skew_ms": skewOf(st, st.NodeID),
		"replication_primary_canary_age_ms": 0, "removed_from_cluster": removed(st),
	}
	if st.Initialized {
		body["cluster_name"], body["cluster_id"] = rq.identity.ClusterName, rq.identity.ClusterID
	}
	return &response{status: code, bare: body}, nil
}

// healthCodes are the answers that the query may change, by their names.
var healthCodes = []string{"uninitcode", "sealedcode", "standbycode", "perfstandbycode", "drsecondarycode", "activecode"}

// healthCode is 200, or 501 before init, unless the query chooses other codes. A code that is
// none is refused, also one that does not matter.
func healthCode(r *http.Request, st fsm.ClusterStatus) (int, error) {
	codes := map[string]int{"activecode": http.StatusOK, "uninitcode": http.StatusNotImplemented}
	query := r.URL.Query()
	for _, name := range healthCodes {
		if !query.Has(name) {
			continue
		}
		n, err := strconv.Atoi(query.Get(name))
		if err != nil || n < 100 || n > 999 {
			return 0, invalid("%s: %q is not a status code", name, query.Get(name))
		}
		codes[name] = n
	}
	if st.Initialized {
		return codes["activecode"], nil
	}
	return codes["uninitcode"], nil
}

// removed reports whether the node was taken out of its cluster's configuration.
func removed(st fsm.ClusterStatus) bool {
	if !st.Initialized || len(st.Servers) == 0 {
		return false
	}
	for _, s := range st.Servers {
		if s.ID == st.NodeID {
			return false
		}
	}
	return true
}

func sealStatus(rq *request) (*response, error) {
	st := rq.api.cluster.Status()
	body := map[string]any{
		"type": "shamir", "initialized": st.Initialized, "sealed": !st.Initialized, "t": 1, "n": 1, "progress": 0, "nonce": "",
		"version": rq.api.cfg.Version, "build_date": buildDate, "migration": false, "recovery_seal": false, "storage_type": "raft",
		"removed_from_cluster": removed(st),
	}
	if st.Initialized {
		body["cluster_name"], body["cluster_id"] = rq.identity.ClusterName, rq.identity.ClusterID
	}
	return &response{bare: body}, nil
}

// buildDate is not stamped into the binary: equal sources give equal binaries.
const buildDate = "1970-01-01T00:00:00Z"

func leader(rq *request) (*response, error) {
	st := rq.api.cluster.Status()
	body := map[string]any{
		"ha_enabled": true, "is_self": st.IsLeader, "leader_address": st.Leader.APIAddr,
		"leader_cluster_address": clusterURL(st.Leader.ClusterAddr), "performance_standby": false,
		"performance_standby_last_remote_wal": 0, "raft_committed_index": st.Committed, "raft_applied_index": st.Applied,
	}
	if st.IsLeader {
		body["active_time"] = st.LeaderSince.UTC()
	} else {
		body["active_time"] = time.Time{}
	}
	return &response{bare: body}, nil
}

func clusterURL(addr string) string {
	if addr == "" {
		return ""
	}
	return "https://" + addr
}

// clusterPointer tells a joining node where to go.
func clusterPointer(rq *request) (*response, error) {
	st := rq.api.cluster.Status()
	return &response{bare: map[string]any{
		"initialized": st.Initialized, "cluster_id": rq.identity.ClusterID, "cluster_name": rq.identity.ClusterName, "node_id": st.NodeID,
		"leader_id": st.Leader.ID, "leader_cluster_address": st.Leader.ClusterAddr, "leader_api_address": st.Leader.APIAddr,
	}}, nil
}

func haStatus(rq *request) (*response, error) {
	st := rq.api.cluster.Status()
	var members []fsm.Member
	rq.api.store.View(func(m *fsm.Machine) { members = m.Members() })
	nodes := []map[string]any{}
	for _, mb := range members {
		nodes = append(nodes, map[string]any{
			"hostname": mb.Hostname, "api_address": mb.APIAddr, "cluster_address": clusterURL(mb.ClusterAddr), "active_node": mb.ID == st.Leader.ID,
			"last_echo": nil, "echo_duration_ms": 0, "clock_skew_ms": skewOf(st, mb.ID), "replication_primary_canary_age_ms": 0,
			"version": mb.Version, "upgrade_version": mb.Version, "node_id": mb.ID,
		})
	}
	return &response{data: map[string]any{"nodes": nodes}, flat: true, mount: "system"}, nil
}

// skewOf is how far the clock of a node is from the median of the voters', in milliseconds.
func skewOf(st fsm.ClusterStatus, id string) int64 {
	for _, s := range st.Servers {
		if s.ID == id {
			return s.Skew.Milliseconds()
		}
	}
	return 0
}

func raftConfiguration(rq *request) (*response, error) {
	st := rq.api.cluster.Status()
	servers := []map[string]any{}
	for _, s := range st.Servers {
		servers = append(servers, map[string]any{
			"node_id": s.ID, "address": s.Address, "leader": s.Leader, "voter": s.Voter, "protocol_version": "3",
		})
	}
	return &response{data: map[string]any{"config": map[string]any{"index": st.ConfigIndex, "servers": servers}}, mount: "system"}, nil
}

func countTokens(rq *request) (*response, error) {
	var n uint64
	rq.api.store.View(func(m *fsm.Machine) { n = m.TokenCount(rq.now) })
	return &response{data: map[string]any{"counters": map[string]any{"service_tokens": map[string]any{"total": n}}}, mount: "system"}, nil
}

// versionHistory lists the version that runs; earlier ones are not recorded.
func versionHistory(rq *request) (*response, error) {
	v := strings.TrimPrefix(rq.api.cfg.Version, "v")
	return &response{data: map[string]any{
		"keys":     []string{v},
		"key_info": map[string]any{v: map[string]any{"previous_version": nil, "build_date": buildDate, "timestamp_installed": buildDate}},
	}, mount: "system"}, nil
}
