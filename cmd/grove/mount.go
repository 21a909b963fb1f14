package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// mountClass is one of the two kinds of what can be mounted, as the commands about them need it.
type mountClass struct {
	route  string // of the API
	prefix string // of the paths of mounts
	one    string // in the reference's texts
	plain  string // in help
	dies   string // with a mount
}

var (
	authClass   = mountClass{"sys/auth", "auth/", "auth method", "login method", "tokens"}
	secretClass = mountClass{"sys/mounts", "", "secrets engine", "lease engine", "leases"}
)

func newMountList(env *environment, m mountClass) *cobra.Command {
	detailed := false
	c := command(env, "list", "List the "+m.plain+"s", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.get("listing "+m.one+"s", m.route)
		if err != nil {
			return err
		}
		mounts := a.data()
		if s.p.format != "table" || s.p.field != "" {
			return s.p.object(mounts, nil)
		}
		var list []any
		for _, path := range slices.Sorted(maps.Keys(mounts)) {
			if m, ok := mounts[path].(map[string]any); ok {
				m["path"] = path
				list = append(list, m)
			}
		}
		columns := []column{{"Path", "path"}, {"Type", "type"}, {"Accessor", "accessor"}, {"Description", "description"}}
		if detailed {
			columns = append(columns, column{"UUID", "uuid"}, column{"Options", "options"}, column{"Config", "config"})
		}
		return s.columns(list, columns)
	})
	c.Flags().BoolVar(&detailed, "detailed", false, "also show UUIDs, options and what is tuned")
	return c
}

func newMountEnable(env *environment, m mountClass) *cobra.Command {
	f := &mountFlags{}
	var c *cobra.Command
	c = command(env, "enable TYPE", "Enable a "+m.plain, cobra.ExactArgs(1), func(s *session, args []string) error {
		kind := strings.TrimSpace(args[0])
		at := strings.Trim(f.path, "/")
		if at == "" {
			at = kind
		}
		config, err := f.config(c)
		if err != nil {
			return err
		}
		body := map[string]any{"type": kind, "description": f.description, "config": config}
		if _, err := s.put("enabling "+m.one, m.route+"/"+at, body); err != nil {
			return err
		}
		return s.say("Success! Enabled %s %s at: %s/", kind, m.one, at)
	})
	c.Flags().StringVar(&f.path, "path", "", "where to mount it (default: its type)")
	f.register(c, m)
	return c
}

func newMountDisable(env *environment, m mountClass) *cobra.Command {
	return command(env, "disable PATH", "Disable a "+m.plain+"; all its "+m.dies+" die", cobra.ExactArgs(1), func(s *session, args []string) error {
		at := strings.Trim(args[0], "/")
		if _, err := s.do(request{what: "disabling " + m.one + " at " + at + "/", method: http.MethodDelete, path: m.route + "/" + at}); err != nil {
			return err
		}
		return s.say("Success! Disabled the %s (if it existed) at: %s/", m.one, at)
	})
}

func newMountTune(env *environment, m mountClass) *cobra.Command {
	f := &mountFlags{}
	var c *cobra.Command
	c = command(env, "tune PATH", "Change what is tuned for a "+m.plain, cobra.ExactArgs(1), func(s *session, args []string) error {
		at := strings.Trim(args[0], "/")
		body, err := f.config(c)
		if err != nil {
			return err
		}
		if c.Flags().Changed("description") {
			body["description"] = f.description
		}
		if len(body) == 0 {
			return fmt.Errorf("nothing to change: see %s --help", c.CommandPath())
		}
		if _, err := s.put("tuning "+m.one+" "+at+"/", m.route+"/"+at+"/tune", body); err != nil {
			return err
		}
		return s.say("Success! Tuned the %s at: %s/", m.one, at)
	})
	f.register(c, m)
	return c
}

func newMountMove(env *environment, m mountClass) *cobra.Command {
	return command(env, "move FROM TO", "Move a "+m.plain+"; all its "+m.dies+" die", cobra.ExactArgs(2), func(s *session, args []string) error {
		from, to := m.prefix+strings.Trim(args[0], "/")+"/", m.prefix+strings.Trim(args[1], "/")+"/"
		if _, err := s.put("moving "+m.one+" "+from, "sys/remount", map[string]any{"from": from, "to": to}); err != nil {
			return err
		}
		return s.say("Success! Moved %s %s to: %s", m.one, from, to)
	})
}
