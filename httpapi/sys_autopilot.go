package httpapi

import (
	"time"

	"github.com/tokengrove/grove/fsm"
)

// leastDeadThreshold is the reference's least dead_server_last_contact_threshold.
const leastDeadThreshold = time.Minute

var autopilotFields = schema{
	"cleanup_dead_servers": boolean, "last_contact_threshold": seconds, "dead_server_last_contact_threshold": seconds,
	"max_trailing_logs": integer, "min_quorum": integer, "server_stabilization_time": seconds,
	"disable_upgrade_migration": boolean, "dr_operation_token": text,
}

// readAutopilot shows how the leader looks after the members.
func readAutopilot(rq *request) (*response, error) {
	var a fsm.Autopilot
	rq.api.store.View(func(m *fsm.Machine) { a = m.Autopilot() })
	return &response{data: map[string]any{
		"cleanup_dead_servers": a.CleanupDeadServers, "last_contact_threshold": a.LastContactThreshold.String(),
		"dead_server_last_contact_threshold": a.DeadServerLastContactThreshold.String(), "max_trailing_logs": a.MaxTrailingLogs,
		"min_quorum": a.MinQuorum, "server_stabilization_time": a.ServerStabilizationTime.String(), "disable_upgrade_migration": false,
	}, mount: "system"}, nil
}

// writeAutopilot changes the fields that are sent.
func writeAutopilot(rq *request) (*response, error) {
	if rq.boolean("disable_upgrade_migration") {
		return nil, invalid("disable_upgrade_migration is only available in Vault Enterprise")
	}
	for _, name := range []string{"max_trailing_logs", "min_quorum"} {
		if rq.integer(name) < 0 {
			return nil, invalid("%s cannot be negative", name)
		}
	}
	if d := rq.seconds("dead_server_last_contact_threshold"); rq.has("dead_server_last_contact_threshold") && d < leastDeadThreshold {
		return nil, invalid("dead_server_last_contact_threshold should not be set to less than 1m; received: %s", d)
	}
	_, err := rq.propose(&fsm.PutAutopilot{
		Caller:                         rq.asker(),
		CleanupDeadServers:             sent(rq, "cleanup_dead_servers", rq.boolean),
		LastContactThreshold:           sent(rq, "last_contact_threshold", rq.seconds),
		DeadServerLastContactThreshold: sent(rq, "dead_server_last_contact_threshold", rq.seconds),
		MaxTrailingLogs:                sent(rq, "max_trailing_logs", rq.count),
		MinQuorum:                      sent(rq, "min_quorum", rq.count),
		ServerStabilizationTime:        sent(rq, "server_stabilization_time", rq.seconds),
	})
	return nil, err
}

func (rq *request) count(name string) uint64 { return uint64(rq.integer(name)) }

// sent is a field's value, nil if it was not sent.
func sent[T any](rq *request, name string, value func(string) T) *T {
	if !rq.has(name) {
		return nil
	}
	v := value(name)
	return &v
}

// autopilotState shows what the leader makes of the members.
func autopilotState(rq *request) (*response, error) {
	if rq.api.cfg.Autopilot == nil {
		return nil, errUnsupported
	}
	st, err := rq.api.cfg.Autopilot.AutopilotStatus(rq.ctx)
	if err != nil {
		return nil, err
	}
	servers := map[string]any{}
	for _, s := range st.Servers {
		servers[s.ID] = map[string]any{
			"id": s.ID, "name": s.ID, "address": s.Address, "node_status": s.NodeStatus, "status": s.Status, "node_type": s.NodeType,
			"version": s.Version, "last_contact": s.LastContact.String(), "last_term": s.LastTerm, "last_index": s.LastIndex,
			"healthy": s.Healthy, "stable_since": s.StableSince.Format(time.RFC3339Nano),
		}
	}
	return &response{data: map[string]any{
		"healthy": st.Healthy, "failure_tolerance": st.FailureTolerance, "leader": st.Leader,
		"voters": orEmpty(st.Voters), "non_voters": orEmpty(st.NonVoters), "servers": servers,
	}, mount: "system"}, nil
}
