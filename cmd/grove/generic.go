package main

import (
	"errors"
	"net/http"

	"github.com/spf13/cobra"
)

func newRead(env *environment) *cobra.Command {
	return command(env, "read PATH [KEY=VALUE…]", "Read any path", cobra.MinimumNArgs(1), func(s *session, args []string) error {
		query, err := s.queryOf(args[1:])
		if err != nil {
			return err
		}
		a, err := s.do(request{what: "reading " + args[0], method: http.MethodGet, path: args[0], query: query})
		if err != nil {
			return missing(err, "no value found at %s", args[0])
		}
		return s.p.secret(a)
	})
}

func newWrite(env *environment) *cobra.Command {
	var force bool
	c := command(env, "write PATH [KEY=VALUE…]", "Write to any path", cobra.MinimumNArgs(1), func(s *session, args []string) error {
		if len(args) == 1 && !force {
			return errors.New("must supply data as KEY=VALUE, @file or -, or use -force")
		}
		body, err := s.fieldsOf(args[1:])
		if err != nil {
			return err
		}
		a, err := s.put("writing data to "+args[0], args[0], body)
		if err != nil {
			return err
		}
		if len(a.raw) == 0 && s.p.field == "" {
			if s.p.format != "table" {
				return nil
			}
			return s.say("Success! Data written to: %s", args[0])
		}
		return s.p.secret(a)
	})
	c.Flags().BoolVarP(&force, "force", "f", false, "write without data")
	return c
}

func newList(env *environment) *cobra.Command {
	return command(env, "list PATH [KEY=VALUE…]", "List what is below any path", cobra.MinimumNArgs(1), func(s *session, args []string) error {
		query, err := s.queryOf(args[1:])
		if err != nil {
			return err
		}
		a, err := s.keys("listing "+args[0], args[0], query)
		if err != nil {
			return missing(err, "no value found at %s", args[0])
		}
		if s.p.field != "" {
			return s.p.only(a.data()[s.p.field])
		}
		return s.p.list(a.data()["keys"], "Keys")
	})
}

func newDelete(env *environment) *cobra.Command {
	return command(env, "delete PATH [KEY=VALUE…]", "Delete any path", cobra.MinimumNArgs(1), func(s *session, args []string) error {
		query, err := s.queryOf(args[1:])
		if err != nil {
			return err
		}
		a, err := s.do(request{what: "deleting " + args[0], method: http.MethodDelete, path: args[0], query: query})
		if err != nil {
			return err
		}
		if len(a.raw) > 0 {
			return s.p.secret(a)
		}
		if s.p.format != "table" {
			return nil
		}
		return s.say("Success! Data deleted (if it existed) at: %s", args[0])
	})
}
