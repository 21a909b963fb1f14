package main

import (
	"errors"

	"github.com/spf13/cobra"
)

// newStatus exits as the reference's does: 0 in a cluster, 2 before that, 1 on errors.
func newStatus(env *environment) *cobra.Command {
	var health bool
	c := command(env, "status", "Show the node and its cluster", cobra.NoArgs, func(s *session, _ []string) error {
		whole, rows, err := s.status()
		var exit *exitError
		if errors.As(err, &exit) {
			return &exitError{1, exit.err}
		}
		if err != nil {
			return err
		}
		if err := s.p.object(whole, rows); err != nil {
			return err
		}
		if health {
			return healthOf(whole)
		}
		if sealed, _ := whole["sealed"].(bool); sealed {
			return &exitError{code: 2}
		}
		return nil
	})
	c.Flags().BoolVar(&health, "health", false, "for health checks: exit code 0 if a leader is known, or the node waits to be let into a cluster; 2 if not")
	return c
}

// healthOf judges a status: a node that waits for init or join does what it should, one that was
// taken out of its cluster or knows no leader cannot serve.
func healthOf(status map[string]any) error {
	removed, _ := status["removed_from_cluster"].(bool)
	sealed, _ := status["sealed"].(bool)
	self, _ := status["is_self"].(bool)
	leader, _ := status["leader_address"].(string)
	switch {
	case removed:
		return &exitError{2, errors.New("the node was taken out of its cluster")}
	case !sealed && !self && leader == "":
		return &exitError{2, errors.New("the node knows no leader")}
	}
	return nil
}

func (s *session) status() (map[string]any, []row, error) {
	a, err := s.get("checking seal status", "sys/seal-status")
	if err != nil {
		return nil, nil, err
	}
	whole := a.raw
	rows := []row{
		{"Seal Type", whole["type"]}, {"Initialized", whole["initialized"]}, {"Sealed", whole["sealed"]},
		{"Total Shares", whole["n"]}, {"Threshold", whole["t"]}, {"Version", whole["version"]}, {"Storage Type", whole["storage_type"]},
	}
	if sealed, _ := whole["sealed"].(bool); sealed {
		return whole, append(rows, row{"HA Enabled", true}), nil
	}
	l, err := s.get("checking leader status", "sys/leader")
	if err != nil {
		return nil, nil, err
	}
	for k, v := range l.raw {
		whole[k] = v
	}
	rows = append(rows, row{"Cluster Name", whole["cluster_name"]}, row{"Cluster ID", whole["cluster_id"]},
		row{"Removed From Cluster", whole["removed_from_cluster"]}, row{"HA Enabled", whole["ha_enabled"]}, row{"HA Cluster", orNone(whole["leader_cluster_address"])})
	if self, _ := whole["is_self"].(bool); self {
		rows = append(rows, row{"HA Mode", "active"}, row{"Active Since", whole["active_time"]})
	} else {
		rows = append(rows, row{"HA Mode", "standby"}, row{"Active Node Address", orNone(whole["leader_address"])})
	}
	return whole, append(rows, row{"Raft Committed Index", whole["raft_committed_index"]}, row{"Raft Applied Index", whole["raft_applied_index"]}), nil
}

func orNone(v any) any {
	if v == nil || v == "" {
		return "<none>"
	}
	return v
}
