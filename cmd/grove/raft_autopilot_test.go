package main

import (
	"strings"
	"testing"
)

func TestAutopilotOutput(t *testing.T) {
	t.Parallel()
	const state = `{"data":{"healthy":true,"failure_tolerance":1,"leader":"n1","voters":["n1","n2"],"non_voters":["n3"],"servers":{` +
		`"n2":{"id":"n2","name":"n2","address":"b:1","node_status":"alive","status":"voter","node_type":"voter","healthy":true,"last_contact":"0.3s","last_term":2,"last_index":9,"version":"1"},` +
		`"n1":{"id":"n1","name":"n1","address":"a:1","node_status":"alive","status":"leader","node_type":"voter","healthy":true,"last_contact":"0s","last_term":2,"last_index":9,"version":"1"}}}}`
	const want = `Healthy:                      true
Failure Tolerance:            1
Leader:                       n1
Voters:
   n1
   n2
Non Voters:
   n3
Servers:
   n1
      Name:            n1
      Address:         a:1
      Status:          leader
      Node Status:     alive
      Healthy:         true
      Last Contact:    0s
      Last Term:       2
      Last Index:      9
      Version:         1
      Node Type:       voter
   n2
`
	run := func(body string, args ...string) (result, *fake) {
		f := newFake(t, always(200, body))
		return runCLI(t.Context(), map[string]string{"VAULT_ADDR": f.URL, "VAULT_TOKEN": "t"}, "", append([]string{"operator", "raft", "autopilot"}, args...)...), f
	}
	if r, f := run(state, "state"); r.code != 0 || !strings.HasPrefix(r.out, want) {
		t.Errorf("state:\n%s%s\nwant\n%s", r.out, r.errOut, want)
	} else if last, _ := f.requests(); last.uri != "/v1/sys/storage/raft/autopilot/state" {
		t.Errorf("asked %+v", last)
	}
	if r, _ := run(state, "state", "-format=json"); !strings.Contains(r.out, `"failure_tolerance": 1`) {
		t.Errorf("state in JSON: %+v", r)
	}
	r, _ := run(`{"data":{"cleanup_dead_servers":true,"last_contact_threshold":"10s","dead_server_last_contact_threshold":"24h0m0s","max_trailing_logs":1000,"min_quorum":3,"server_stabilization_time":"10s","disable_upgrade_migration":false}}`, "get-config")
	for _, line := range []string{"Dead Server Last Contact Threshold    24h0m0s", "Min Quorum                            3", "Cleanup Dead Servers                  true"} {
		if !strings.Contains(r.out, line) {
			t.Errorf("no %q in\n%s%s", line, r.out, r.errOut)
		}
	}
	_, f := run(`{}`, "set-config", "-cleanup-dead-servers=true", "-min-quorum=3", "-server-stabilization-time=30s")
	if last, _ := f.requests(); last != (asked{"POST", "/v1/sys/storage/raft/autopilot/configuration", "t", `{"cleanup_dead_servers":true,"min_quorum":3,"server_stabilization_time":"30s"}`}) {
		t.Errorf("asked %+v", last)
	}
}
