package httpapi

import (
	"context"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// fakeAutopilot sees two servers.
type fakeAutopilot struct{ err error }

func (f *fakeAutopilot) AutopilotStatus(context.Context) (fsm.AutopilotStatus, error) {
	return fsm.AutopilotStatus{
		Healthy: true, FailureTolerance: 1, Leader: "n1", Voters: []string{"n1"},
		Servers: []fsm.AutopilotServer{{ID: "n1", Address: "a:1", Status: "leader", LastContact: 1500 * time.Millisecond, LastIndex: 7, StableSince: time.Unix(1, 0).UTC()}},
	}, f.err
}

func piloted(t *testing.T, f *fakeAutopilot) *server {
	s := newServer(t)
	var err error
	s.handler, err = New(Config{Store: s.store, Cluster: s.cluster, Operations: Operations{Autopilot: f}, Now: func() time.Time { return s.clock }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAutopilotConfiguration(t *testing.T) {
	t.Parallel()
	const path = "sys/storage/raft/autopilot/configuration"
	s := newServer(t)
	s.get(rootID, path).want(200).is("data.cleanup_dead_servers", false).is("data.last_contact_threshold", "10s").
		is("data.dead_server_last_contact_threshold", "24h0m0s").is("data.max_trailing_logs", 1000).is("data.min_quorum", 0).
		is("data.server_stabilization_time", "10s")
	s.post(rootID, path, obj{"cleanup_dead_servers": true}).refused(400, "min_quorum must be set when cleanup_dead_servers is set and it should at least be 3; cleanup_dead_servers: true, min_quorum: 0")
	s.post(rootID, path, obj{"cleanup_dead_servers": true, "min_quorum": 3, "dead_server_last_contact_threshold": "5m"}).want(204)
	s.put(rootID, path, obj{"server_stabilization_time": 30, "max_trailing_logs": "250"}).want(204)
	s.get(rootID, path).want(200).is("data.cleanup_dead_servers", true).is("data.min_quorum", 3).is("data.dead_server_last_contact_threshold", "5m0s").
		is("data.server_stabilization_time", "30s").is("data.max_trailing_logs", 250)
	s.post(rootID, path, obj{"dead_server_last_contact_threshold": "59s"}).refused(400, "less than 1m; received: 59s")
	s.post(rootID, path, obj{"min_quorum": -1}).refused(400, "min_quorum cannot be negative")
	s.post(rootID, path, obj{"min_quorum": 0}).refused(400, "min_quorum must be set")
	s.post(rootID, path, obj{"last_contact_threshold": 0}).refused(400, "more than nothing")
	s.post(rootID, path, obj{"disable_upgrade_migration": true}).refused(400, "Enterprise")
	s.get("", path).refused(403, "permission denied")
	s.delete(rootID, path).refused(405, "unsupported operation")
}

func TestAutopilotState(t *testing.T) {
	t.Parallel()
	const path = "sys/storage/raft/autopilot/state"
	f := &fakeAutopilot{}
	s := piloted(t, f)
	s.get(rootID, path).want(200).is("data.healthy", true).is("data.failure_tolerance", 1).is("data.leader", "n1").
		is("data.servers.n1.last_contact", "1.5s").is("data.servers.n1.status", "leader").is("data.servers.n1.last_index", 7)
	s.post(rootID, path, nil).refused(405, "unsupported operation")
	f.err = fsm.Errorf(fsm.Unavailable, "no leader: 1 of 3 voters answer, 2 are needed")
	s.get(rootID, path).refused(503, "1 of 3 voters")
	newServer(t).get(rootID, path).refused(404, "unsupported path")
}
