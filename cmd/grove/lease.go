package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func newLeaseLookup(env *environment) *cobra.Command {
	return command(env, "lookup ID", "Show a lease", cobra.ExactArgs(1), func(s *session, args []string) error {
		a, err := s.put("looking up lease id "+args[0], "sys/leases/lookup", map[string]any{"lease_id": args[0]})
		if err != nil {
			return err
		}
		return s.p.secret(a)
	})
}

func newLeaseRenew(env *environment) *cobra.Command {
	var increment string
	c := command(env, "renew ID", "Renew a lease", cobra.ExactArgs(1), func(s *session, args []string) error {
		body := map[string]any{"lease_id": args[0]}
		if increment != "" {
			body["increment"] = increment
		}
		a, err := s.put("renewing "+args[0], "sys/leases/renew", body)
		if err != nil {
			return err
		}
		return s.p.secret(a)
	})
	c.Flags().StringVarP(&increment, "increment", "i", "", "TTL to ask for")
	return c
}

func newLeaseRevoke(env *environment) *cobra.Command {
	var prefix, force, wait bool
	c := command(env, "revoke ID | PREFIX", "Revoke a lease, or all below a path", cobra.ExactArgs(1), func(s *session, args []string) error {
		path, body, done := "sys/leases/revoke", map[string]any{"lease_id": args[0], "sync": wait}, "Success! Revoked lease: %s"
		switch {
		case force && !prefix:
			return errors.New("-force needs -prefix")
		case force:
			path, body, done = "sys/leases/revoke-force/"+args[0], map[string]any{}, "Success! Force revoked any leases with prefix: %s"
		case prefix:
			path, body, done = "sys/leases/revoke-prefix/"+args[0], map[string]any{"sync": wait}, "Success! Revoked any leases with prefix: %s"
		}
		if _, err := s.put("revoking lease "+args[0], path, body); err != nil {
			return err
		}
		return s.say(done, args[0])
	})
	c.Flags().BoolVar(&prefix, "prefix", false, "the argument is a path prefix")
	c.Flags().BoolVarP(&force, "force", "f", false, "forget what cannot be taken back")
	c.Flags().BoolVar(&wait, "sync", false, "wait until it is taken back outside, too")
	return c
}
