package main

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

const auditPath = "sys/audit"

func newAuditList(env *environment) *cobra.Command {
	var detailed bool
	c := command(env, "list", "List the audit devices", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.get("listing audits", auditPath)
		if err != nil {
			return err
		}
		devices := a.data()
		switch {
		case s.p.format != "table" || s.p.field != "":
			return s.p.object(devices, nil)
		case len(devices) == 0:
			return &exitError{2, fmt.Errorf("no audit devices are enabled")}
		}
		cs := []column{{"Path", "path"}, {"Type", "type"}, {"Description", "description"}}
		if detailed {
			cs = append(cs, column{"Local", "local"}, column{"Options", "options"})
		}
		var list []any
		for _, path := range slices.Sorted(maps.Keys(devices)) {
			list = append(list, devices[path])
		}
		return s.columns(list, cs)
	})
	c.Flags().BoolVar(&detailed, "detailed", false, "also show the options")
	return c
}

func newAuditEnable(env *environment) *cobra.Command {
	var path, description string
	var local bool
	c := command(env, "enable TYPE [KEY=VALUE…]", "Enable an audit device: file, syslog or socket", cobra.MinimumNArgs(1), func(s *session, args []string) error {
		options, err := s.fieldsOf(args[1:])
		if err != nil {
			return err
		}
		kind := strings.ToLower(strings.TrimSpace(args[0]))
		at := strings.Trim(path, "/")
		if at == "" {
			at = kind
		}
		body := map[string]any{"type": kind, "description": description, "options": options, "local": local}
		if _, err := s.put("enabling audit device", auditPath+"/"+at, body); err != nil {
			return err
		}
		return s.say("Success! Enabled the %s audit device at: %s/", kind, at)
	})
	c.Flags().StringVar(&path, "path", "", "where to enable it (default the type)")
	c.Flags().StringVar(&description, "description", "", "for people")
	c.Flags().BoolVar(&local, "local", false, "kept and shown, without effect")
	return c
}

func newAuditDisable(env *environment) *cobra.Command {
	return command(env, "disable PATH", "Disable an audit device", cobra.ExactArgs(1), func(s *session, args []string) error {
		at := strings.Trim(args[0], "/")
		if _, err := s.do(request{what: "disabling audit device", method: http.MethodDelete, path: auditPath + "/" + at}); err != nil {
			return err
		}
		return s.say("Success! Disabled audit device (if it was enabled) at: %s/", at)
	})
}
