package main

import (
	"github.com/spf13/cobra"
)

// initFlags are the flags of `grove operator init`.
type initFlags struct {
	status            bool
	shares, threshold int
}

func newOperatorInit(env *environment) *cobra.Command {
	f := &initFlags{}
	c := command(env, "init", "Make a new cluster of the node", cobra.NoArgs, f.run)
	fl := c.Flags()
	fl.BoolVar(&f.status, "status", false, "only say whether it was done: exit code 0 if so, 2 if not")
	fl.IntVarP(&f.shares, "key-shares", "n", 1, "accepted for scripts; there are no unseal keys")
	fl.IntVarP(&f.threshold, "key-threshold", "t", 1, "accepted for scripts; there are no unseal keys")
	return c
}

func (f *initFlags) run(s *session, _ []string) error {
	if f.status {
		return s.initStatus()
	}
	a, err := s.put("initializing", "sys/init", map[string]any{"secret_shares": f.shares, "secret_threshold": f.threshold})
	if err != nil {
		return err
	}
	root := a.raw["root_token"]
	if s.p.field != "" || s.p.format != "table" { // the names of the reference's CLI
		return s.p.object(map[string]any{
			"root_token": root, "unseal_keys_b64": a.raw["keys_base64"], "unseal_keys_hex": a.raw["keys"],
			"unseal_shares": f.shares, "unseal_threshold": f.threshold,
		}, nil)
	}
	return s.say("Initial Root Token: %v\n\nThe cluster is initialized. Grove is never sealed: there are no unseal keys. Keep the root\ntoken in a safe place: it is shown only this once.", root)
}

func (s *session) initStatus() error {
	a, err := s.get("checking init status", "sys/init")
	if err != nil {
		return err
	}
	if done, _ := a.raw["initialized"].(bool); done {
		return s.say("Vault is initialized")
	}
	if err := s.say("Vault is not initialized"); err != nil {
		return err
	}
	return &exitError{code: 2}
}

func newOperatorMembers(env *environment) *cobra.Command {
	return command(env, "members", "Show the nodes of the cluster", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.get("reading HA status", "sys/ha-status")
		if err != nil {
			return err
		}
		if s.p.format != "table" || s.p.field != "" {
			return s.p.object(map[string]any{"nodes": a.data()["nodes"]}, nil)
		}
		return s.columns(a.data()["nodes"], []column{
			{"Host Name", "hostname"}, {"API Address", "api_address"}, {"Cluster Address", "cluster_address"}, {"Active Node", "active_node"}, {"Version", "version"},
		})
	})
}

func newOperatorStepDown(env *environment) *cobra.Command {
	return command(env, "step-down", "Make the leader hand over", cobra.NoArgs, func(s *session, _ []string) error {
		if _, err := s.put("stepping down", "sys/step-down", nil); err != nil {
			return err
		}
		return s.say("Success! Stepped down: %s", s.c.addr)
	})
}

// column is one of a table of objects: its head, and the key of its cells.
type column struct{ head, key string }

// columns prints a list of objects.
func (s *session) columns(list any, cs []column) error {
	heads := make([]string, len(cs))
	for i, c := range cs {
		heads[i] = c.head
	}
	var rows [][]string
	objects, _ := list.([]any)
	for _, o := range objects {
		m, _ := o.(map[string]any)
		cells := make([]string, len(cs))
		for i, c := range cs {
			cells[i] = plain(m[c.key])
		}
		rows = append(rows, cells)
	}
	return writeTable(s.p.out, heads, rows)
}
