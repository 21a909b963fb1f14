package httpapi

import (
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

func TestAutomaticSnapshots(t *testing.T) {
	t.Parallel()
	const config, status = "sys/storage/raft/snapshot-auto/config", "sys/storage/raft/snapshot-auto/status/"
	s := newServer(t)
	s.list(rootID, config).want(404)
	s.get(rootID, config+"/daily").want(404)
	s.get(rootID, status+"daily").want(404)
	s.post(rootID, config+"/daily", obj{"interval": "24h", "path_prefix": "/backup", "storage_type": "local"}).want(204)
	s.get(rootID, config+"/daily").want(200).is("data.interval", 86400).is("data.retain", 1).is("data.path_prefix", "/backup").
		is("data.file_prefix", "vault-snapshot").is("data.storage_type", "local").is("data.local_max_space", 0)
	s.post(rootID, config+"/daily", obj{"interval": 60, "retain": "7", "path_prefix": "/b", "file_prefix": "g", "storage_type": "local", "local_max_space": 1000}).want(204)
	s.get(rootID, config+"/daily").want(200).is("data.interval", 60).is("data.retain", 7).is("data.file_prefix", "g").is("data.local_max_space", 1000)
	s.list(rootID, config).want(200).is("data.keys", []string{"daily"})
	now := s.clock.UTC().Format(time.RFC3339Nano)
	s.get(rootID, status+"daily").want(200).is("data.next_snapshot_start", now).is("data.last_snapshot_url", "").is("data.consecutive_errors", 0)

	at := token.InstantOf(s.clock)
	note := func(run fsm.SnapshotRun) {
		t.Helper()
		if r, err := s.store.Propose(t.Context(), &fsm.NoteSnapshot{Name: "daily", Run: run}); err != nil || r.Err() != nil {
			t.Fatalf("%+v, %v", r, err)
		}
	}
	note(fsm.SnapshotRun{Start: at, End: at, Index: 7, File: "/b/g 1.snap", Node: "n1"})
	s.get(rootID, status+"daily").want(200).is("data.last_snapshot_url", "file:///b/g%201.snap").is("data.last_snapshot_start", now).
		is("data.last_snapshot_node", "n1").is("data.next_snapshot_start", s.clock.Add(time.Minute).UTC().Format(time.RFC3339Nano))
	for i, wait := range []time.Duration{5, 10, 20, 40, 60, 60} {
		note(fsm.SnapshotRun{Start: at, End: at, Node: "n2", Error: "no space left on device"})
		s.get(rootID, status+"daily").want(200).is("data.consecutive_errors", i+1).is("data.last_snapshot_error", "no space left on device").
			is("data.last_snapshot_node", "n1").is("data.snapshot_node", "n2").is("data.next_snapshot_start", s.clock.Add(wait*time.Second).UTC().Format(time.RFC3339Nano))
	}
	s.delete(rootID, config+"/daily").want(204)
	s.delete(rootID, config+"/daily").want(204)
	s.get(rootID, config+"/daily").want(404)
	s.get("", config+"/daily").refused(403, "permission denied")
}

func TestAutomaticSnapshotsRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for want, change := range map[string]obj{
		`storage_type "aws-s3": only "local" is allowed`: {"storage_type": "aws-s3"},
		`storage_type "": only "local" is allowed`:       {"storage_type": nil},
		`path_prefix "backup": an absolute path`:         {"path_prefix": "backup"},
		`path_prefix "": an absolute path`:               {"path_prefix": nil},
		"interval 0s: 1s or more is allowed":             {"interval": nil},
		"retain 0: 1 to 10000 is allowed":                {"retain": -3},
		"retain 10001: 1 to 10000 is allowed":            {"retain": 1 << 40},
		`file_prefix "a/b": a name without slashes`:      {"file_prefix": "a/b"},
		`file_prefix "": a name without slashes`:         {"file_prefix": ""},
		"file_prefix: at most 128 bytes are allowed":     {"file_prefix": strings.Repeat("a", 129)},
		"local_max_space cannot be negative":             {"local_max_space": -1},
		`error converting input for field "interval"`:    {"interval": "often"},
	} {
		body := obj{"interval": "1h", "retain": 3, "path_prefix": "/backup", "storage_type": "local"}
		for k, v := range change {
			body[k] = v
		}
		s.post(rootID, "sys/storage/raft/snapshot-auto/config/x", body).refused(400, want)
	}
	s.get(rootID, "sys/storage/raft/snapshot-auto/config/x").want(404)
}
