package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func newLeaseLookup(env *environment) *cobra.Command {
	return command(env, "lookup ID", "Show a lease", cobra.ExactArgs(1), func(s *session, args []string) error {
		a, err := s.try("looking up lease id "+args[0], "PUT", "sys/leases/lookup", map[string]any{"lease_id": args[0]})
		if err != nil {
			return err
		}
		return s.p.show(a.raw, dataRows(a.raw))
	})
}

func newLeaseRenew(env *environment) *cobra.Command {
	var increment string
	c := command(env, "renew ID", "Renew a lease", cobra.ExactArgs(1), func(s *session, args []string) error {
		body := map[string]any{"lease_id": args[0]}
		if increment != "" {
			body["increment"] = increment
		}
		a, err := s.try("renewing "+args[0], "PUT", "sys/leases/renew", body)
		if err != nil {
			return err
		}
		return s.p.show(a.raw, authRows(a.raw)[1:])
	})
	c.Flags().StringVar(&increment, "increment", "", "TTL to ask for")
	return c
}

func newLeaseRevoke(env *environment) *cobra.Command {
	var prefix, force, wait bool
	c := command(env, "revoke ID | PREFIX", "Revoke a lease, or all below a path", cobra.ExactArgs(1), func(s *session, args []string) error {
		path, body := "sys/leases/revoke", map[string]any{"lease_id": args[0], "sync": wait}
		switch {
		case force && !prefix:
			return fmt.Errorf("-force needs -prefix")
		case force:
			path, body = "sys/leases/revoke-force/"+args[0], map[string]any{}
		case prefix:
			path, body = "sys/leases/revoke-prefix/"+args[0], map[string]any{"sync": wait}
		}
		if _, err := s.try("revoking lease "+args[0], "PUT", path, body); err != nil {
			return err
		}
		if prefix {
			return s.say("Success! Revoked any leases with prefix: %s", args[0])
		}
		return s.say("Success! Revoked lease: %s", args[0])
	})
	c.Flags().BoolVar(&prefix, "prefix", false, "the argument is a path prefix")
	c.Flags().BoolVar(&force, "force", false, "also when a side effect fails")
	c.Flags().BoolVar(&wait, "sync", false, "wait until it is done (Grove always does)")
	return c
}
