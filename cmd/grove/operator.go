package main

import (
	"github.com/spf13/cobra"
)

func newOperatorInit(env *environment) *cobra.Command {
	var status bool
	var shares, threshold int
	c := command(env, "init", "Make a new cluster of the node", cobra.NoArgs, func(s *session, _ []string) error {
		if status {
			a, err := s.try("checking init status", "GET", "sys/init", nil)
			if err != nil {
				return err
			}
			if done, _ := a.rawBool("initialized"); !done {
				if err := s.say("Not initialized"); err != nil {
					return err
				}
				return &exitError{code: 2}
			}
			return s.say("Initialized")
		}
		a, err := s.try("initializing", "PUT", "sys/init", map[string]any{"secret_shares": shares, "secret_threshold": threshold})
		if err != nil {
			return err
		}
		if s.p.field != "" || s.p.format != "table" {
			return s.p.show(a.raw, []row{{"root_token", a.raw["root_token"]}})
		}
		return s.say("Initial Root Token: %v\n\nThe cluster is initialized. Grove is never sealed: there are no unseal keys. Keep the root\ntoken in a safe place: it is shown only this once.", a.raw["root_token"])
	})
	fl := c.Flags()
	fl.BoolVar(&status, "status", false, "only say whether it was done")
	fl.IntVar(&shares, "key-shares", 1, "accepted for scripts; there are no unseal keys")
	fl.IntVar(&threshold, "key-threshold", 1, "accepted for scripts; there are no unseal keys")
	return c
}

func newOperatorMembers(env *environment) *cobra.Command {
	return command(env, "members", "Show the nodes of the cluster", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.try("reading HA status", "GET", "sys/ha-status", nil)
		if err != nil {
			return err
		}
		return s.nodes(a, []string{"data", "nodes"}, []string{"Host Name", "API Address", "Cluster Address", "Active Node", "Version"},
			[]string{"hostname", "api_address", "cluster_address", "active_node", "version"})
	})
}

// nodes prints a list of objects as a table.
func (s *session) nodes(a *answer, path, heads, keys []string) error {
	if s.p.format != "table" {
		return s.p.encode(a.raw["data"])
	}
	var v any = a.raw
	for _, k := range path {
		m, _ := v.(map[string]any)
		v = m[k]
	}
	list, _ := v.([]any)
	var rows [][]string
	for _, e := range list {
		m, _ := e.(map[string]any)
		r := make([]string, len(keys))
		for i, k := range keys {
			r[i] = plain(m[k])
		}
		rows = append(rows, r)
	}
	return s.p.table(heads, rows)
}

func newOperatorStepDown(env *environment) *cobra.Command {
	return command(env, "step-down", "Make the leader hand over", cobra.NoArgs, func(s *session, _ []string) error {
		if _, err := s.try("stepping down", "PUT", "sys/step-down", nil); err != nil {
			return err
		}
		return s.say("Success! Stepped down: %s", s.c.addr)
	})
}

func newRaftListPeers(env *environment) *cobra.Command {
	return command(env, "list-peers", "Show the Raft configuration", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.try("reading the raft cluster configuration", "GET", "sys/storage/raft/configuration", nil)
		if err != nil {
			return err
		}
		data, _ := a.raw["data"].(map[string]any)
		config, _ := data["config"].(map[string]any)
		list, _ := config["servers"].([]any)
		for _, e := range list {
			m, _ := e.(map[string]any)
			m["state"] = "follower"
			if l, _ := m["leader"].(bool); l {
				m["state"] = "leader"
			}
		}
		return s.nodes(a, []string{"data", "config", "servers"}, []string{"Node", "Address", "State", "Voter"}, []string{"node_id", "address", "state", "voter"})
	})
}

func newRaftJoin(env *environment) *cobra.Command {
	return command(env, "join LEADER-API-ADDRESS", "Join this node to the cluster of another", cobra.ExactArgs(1), func(s *session, args []string) error {
		a, err := s.try("joining the node to the raft cluster", "POST", "sys/storage/raft/join", map[string]any{"leader_api_addr": args[0]})
		if err != nil {
			return err
		}
		return s.p.show(a.raw, []row{{"Joined", a.raw["joined"]}})
	})
}

func newRaftRemovePeer(env *environment) *cobra.Command {
	return command(env, "remove-peer NODE-ID", "Take a node out of the cluster", cobra.ExactArgs(1), func(s *session, args []string) error {
		if _, err := s.try("removing the peer from raft cluster", "POST", "sys/storage/raft/remove-peer", map[string]any{"server_id": args[0]}); err != nil {
			return err
		}
		return s.say("Peer removed successfully!")
	})
}
