package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

const (
	autopilotConfig = "sys/storage/raft/autopilot/configuration"
	autopilotState  = "sys/storage/raft/autopilot/state"
)

func newRaftAutopilot(env *environment) *cobra.Command {
	return group("autopilot", "How the leader looks after the members", newAutopilotGet(env), newAutopilotSet(env), newAutopilotState(env))
}

func newAutopilotGet(env *environment) *cobra.Command {
	return command(env, "get-config", "Show the configuration of the autopilot", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.get("reading the configuration of the autopilot", autopilotConfig)
		if err != nil {
			return err
		}
		d := a.data()
		return s.p.object(d, []row{
			{"Cleanup Dead Servers", d["cleanup_dead_servers"]}, {"Last Contact Threshold", d["last_contact_threshold"]},
			{"Dead Server Last Contact Threshold", d["dead_server_last_contact_threshold"]},
			{"Server Stabilization Time", d["server_stabilization_time"]}, {"Min Quorum", d["min_quorum"]},
			{"Max Trailing Logs", d["max_trailing_logs"]}, {"Disable Upgrade Migration", d["disable_upgrade_migration"]},
		})
	})
}

// autopilotFlags are the flags of `grove operator raft autopilot set-config`.
type autopilotFlags struct {
	cleanup                   bool
	lastContact, dead, stable time.Duration
	trailing, quorum          uint64
}

func newAutopilotSet(env *environment) *cobra.Command {
	f := &autopilotFlags{}
	var c *cobra.Command
	c = command(env, "set-config", "Change the configuration of the autopilot", cobra.NoArgs, func(s *session, _ []string) error { return f.run(s, c) })
	c.Long = "Change the configuration of the autopilot, for all nodes. What is not given stays as it is."
	fl := c.Flags()
	fl.BoolVar(&f.cleanup, "cleanup-dead-servers", false, "take servers out of the cluster that are gone for long; needs -min-quorum of at least 3")
	fl.DurationVar(&f.lastContact, "last-contact-threshold", 0, "for how long a healthy server may say nothing")
	fl.DurationVar(&f.dead, "dead-server-last-contact-threshold", 0, "after how long without a word a server is dead; at least 1m")
	fl.Uint64Var(&f.trailing, "max-trailing-logs", 0, "how many log entries a healthy server may be behind")
	fl.Uint64Var(&f.quorum, "min-quorum", 0, "how many voters a clean-up leaves at least")
	fl.DurationVar(&f.stable, "server-stabilization-time", 0, "for how long a server must be healthy before it gets a vote")
	return c
}

// run sends the flags that were given.
func (f *autopilotFlags) run(s *session, c *cobra.Command) error {
	body := map[string]any{}
	for flag, v := range map[string]any{
		"cleanup-dead-servers": f.cleanup, "last-contact-threshold": f.lastContact.String(), "dead-server-last-contact-threshold": f.dead.String(),
		"max-trailing-logs": f.trailing, "min-quorum": f.quorum, "server-stabilization-time": f.stable.String(),
	} {
		if c.Flags().Changed(flag) {
			body[strings.ReplaceAll(flag, "-", "_")] = v
		}
	}
	_, err := s.do(request{what: "changing the configuration of the autopilot", method: http.MethodPost, path: autopilotConfig, body: body})
	return err
}

func newAutopilotState(env *environment) *cobra.Command {
	return command(env, "state", "Show what the leader makes of the members", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.get("checking the state of the autopilot", autopilotState)
		if err != nil {
			return err
		}
		d := a.data()
		if s.p.format != "table" || s.p.field != "" {
			return s.p.object(d, nil)
		}
		return s.say("%s", autopilotText(d))
	})
}

// autopilotText is the reference's layout.
func autopilotText(d map[string]any) string {
	var b strings.Builder
	line := func(indent, width int, key string, v any) {
		fmt.Fprintf(&b, "%*s%-*s%s\n", indent, "", width-indent, key+":", plain(v))
	}
	line(0, 30, "Healthy", d["healthy"])
	line(0, 30, "Failure Tolerance", d["failure_tolerance"])
	line(0, 30, "Leader", d["leader"])
	names := func(head, key string, always bool) {
		list, _ := d[key].([]any)
		if len(list) == 0 && !always {
			return
		}
		b.WriteString(head + ":\n")
		for _, id := range list {
			fmt.Fprintf(&b, "   %s\n", plain(id))
		}
	}
	names("Voters", "voters", true)
	names("Non Voters", "non_voters", false)
	b.WriteString("Servers:\n")
	servers, _ := d["servers"].(map[string]any)
	var ids []string
	for id := range servers {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		sv, _ := servers[id].(map[string]any)
		fmt.Fprintf(&b, "   %s\n", id)
		for _, f := range []column{{"Name", "name"}, {"Address", "address"}, {"Status", "status"}, {"Node Status", "node_status"},
			{"Healthy", "healthy"}, {"Last Contact", "last_contact"}, {"Last Term", "last_term"}, {"Last Index", "last_index"},
			{"Version", "version"}, {"Node Type", "node_type"}} {
			line(6, 23, f.head, sv[f.key])
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}
