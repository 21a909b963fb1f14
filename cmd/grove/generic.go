package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
)

// showAny prints an answer whose shape is not known.
func (s *session) showAny(a *answer, path string) error {
	switch {
	case a.raw["auth"] != nil:
		return s.p.show(a.raw, authRows(a.raw))
	case a.raw["data"] != nil:
		return s.p.show(a.raw, dataRows(a.raw))
	case len(a.raw) == 0:
		return s.say("Success! Data written to: %s", path)
	}
	var rows []row
	rows = append(rows, dataRows(map[string]any{"data": a.raw})...)
	return s.p.show(a.raw, rows)
}

func newRead(env *environment) *cobra.Command {
	return command(env, "read PATH", "Read any path", cobra.ExactArgs(1), func(s *session, args []string) error {
		a, err := s.try("reading "+args[0], "GET", args[0], nil)
		if err != nil {
			return missing(err, args[0])
		}
		return s.showAny(a, args[0])
	})
}

// missing says plainly that there is nothing, which the API says with an empty 404.
func missing(err error, path string) error {
	var api *apiError
	if errors.As(err, &api) && api.status == 404 && len(api.texts) == 0 {
		return &exitError{2, fmt.Errorf("no value found at %s", path)}
	}
	return err
}

func newWrite(env *environment) *cobra.Command {
	var force bool
	c := command(env, "write PATH [KEY=VALUE…]", "Write to any path", cobra.MinimumNArgs(1), func(s *session, args []string) error {
		if len(args) == 1 && !force {
			return errors.New("want key=value arguments, or -force for none")
		}
		body, err := s.fieldsOf(args[1:])
		if err != nil {
			return err
		}
		a, err := s.try("writing data to "+args[0], "PUT", args[0], body)
		if err != nil {
			return err
		}
		return s.showAny(a, args[0])
	})
	c.Flags().BoolVarP(&force, "force", "f", false, "write without data")
	return c
}

func newList(env *environment) *cobra.Command {
	return command(env, "list PATH", "List what is below any path", cobra.ExactArgs(1), func(s *session, args []string) error {
		a, err := s.try("listing "+args[0], "LIST", args[0], nil)
		if err != nil {
			return missing(err, args[0])
		}
		if s.p.format == "table" {
			if err := s.say("Keys\n----"); err != nil {
				return err
			}
		}
		return s.lines(a)
	})
}

func newDelete(env *environment) *cobra.Command {
	return command(env, "delete PATH", "Delete any path", cobra.ExactArgs(1), func(s *session, args []string) error {
		if _, err := s.try("deleting "+args[0], "DELETE", args[0], nil); err != nil {
			return err
		}
		return s.say("Success! Data deleted (if it existed) at: %s", args[0])
	})
}
