package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func newTokenCreate(env *environment) *cobra.Command {
	var id, ttl, maxTTL, period, display, role, typ string
	var policies, metadata []string
	var orphan, noDefault, renewable bool
	var uses int
	var cmd *cobra.Command
	cmd = command(env, "create", "Make a token", cobra.NoArgs, func(s *session, _ []string) error {
		body := map[string]any{}
		for k, v := range map[string]string{"id": id, "ttl": ttl, "explicit_max_ttl": maxTTL, "period": period, "display_name": display, "type": typ} {
			if v != "" {
				body[k] = v
			}
		}
		if len(policies) > 0 {
			body["policies"] = policies
		}
		if len(metadata) > 0 {
			meta := map[string]string{}
			for _, kv := range metadata {
				k, v, ok := strings.Cut(kv, "=")
				if !ok {
					return fmt.Errorf("-metadata=%s: want key=value", kv)
				}
				meta[k] = v
			}
			body["meta"] = meta
		}
		if noDefault {
			body["no_default_policy"] = true
		}
		if cmd.Flags().Changed("renewable") {
			body["renewable"] = renewable
		}
		if uses != 0 {
			body["num_uses"] = uses
		}
		path := "auth/token/create"
		switch {
		case role != "":
			path += "/" + role
		case orphan:
			path += "-orphan"
		}
		a, err := s.try("creating token", "POST", path, body)
		if err != nil {
			return err
		}
		return s.p.show(a.raw, authRows(a.raw))
	})
	fl := cmd.Flags()
	fl.StringVar(&id, "id", "", "value of the token (needs sudo)")
	fl.StringVar(&ttl, "ttl", "", "first TTL, for example 1h30m")
	fl.StringVar(&maxTTL, "explicit-max-ttl", "", "no renewal reaches past this")
	fl.StringVar(&period, "period", "", "every renewal gives this long (needs sudo)")
	fl.StringVar(&display, "display-name", "", "name for logs")
	fl.StringVar(&role, "role", "", "make it against this token role")
	fl.StringVar(&typ, "type", "", "service")
	fl.StringArrayVar(&policies, "policy", nil, "policy; repeatable")
	fl.StringArrayVar(&metadata, "metadata", nil, "key=value; repeatable")
	fl.BoolVar(&orphan, "orphan", false, "without a parent")
	fl.BoolVar(&noDefault, "no-default-policy", false, "without the default policy")
	fl.BoolVar(&renewable, "renewable", true, "may be renewed")
	fl.IntVar(&uses, "use-limit", 0, "number of uses; 0: unlimited")
	return cmd
}

func newTokenLookup(env *environment) *cobra.Command {
	var accessor bool
	c := command(env, "lookup [TOKEN | ACCESSOR]", "Show a token; without argument one's own", cobra.MaximumNArgs(1), func(s *session, args []string) error {
		method, path, body := "GET", "auth/token/lookup-self", map[string]any(nil)
		switch {
		case accessor && len(args) == 0:
			return fmt.Errorf("-accessor needs an accessor")
		case accessor:
			method, path, body = "POST", "auth/token/lookup-accessor", map[string]any{"accessor": args[0]}
		case len(args) == 1:
			method, path, body = "POST", "auth/token/lookup", map[string]any{"token": args[0]}
		}
		a, err := s.tryMap("looking up token", method, path, body)
		if err != nil {
			return err
		}
		return s.p.show(a.raw, dataRows(a.raw))
	})
	c.Flags().BoolVar(&accessor, "accessor", false, "the argument is an accessor")
	return c
}

// tryMap is try with a body that may be nil.
func (s *session) tryMap(what, method, path string, body map[string]any) (*answer, error) {
	if body == nil {
		return s.try(what, method, path, nil)
	}
	return s.try(what, method, path, body)
}

func newTokenRenew(env *environment) *cobra.Command {
	var accessor bool
	var increment string
	c := command(env, "renew [TOKEN | ACCESSOR]", "Renew a token; without argument one's own", cobra.MaximumNArgs(1), func(s *session, args []string) error {
		path, body := "auth/token/renew-self", map[string]any{}
		switch {
		case accessor && len(args) == 0:
			return fmt.Errorf("-accessor needs an accessor")
		case accessor:
			path, body = "auth/token/renew-accessor", map[string]any{"accessor": args[0]}
		case len(args) == 1:
			path, body = "auth/token/renew", map[string]any{"token": args[0]}
		}
		if increment != "" {
			body["increment"] = increment
		}
		a, err := s.try("renewing token", "PUT", path, body)
		if err != nil {
			return err
		}
		return s.p.show(a.raw, authRows(a.raw))
	})
	c.Flags().BoolVar(&accessor, "accessor", false, "the argument is an accessor")
	c.Flags().StringVar(&increment, "increment", "", "TTL to ask for")
	return c
}

func newTokenRevoke(env *environment) *cobra.Command {
	var self, accessor bool
	var mode string
	c := command(env, "revoke [TOKEN | ACCESSOR]", "Revoke a token and all below it", cobra.MaximumNArgs(1), func(s *session, args []string) error {
		path, body := "auth/token/revoke", map[string]any{}
		switch {
		case self && len(args) == 0:
			path = "auth/token/revoke-self"
		case self || len(args) == 0:
			return fmt.Errorf("want a token, an accessor with -accessor, a path with -mode=path, or -self alone")
		case mode == "path":
			path, body = "sys/leases/revoke-prefix/"+args[0], nil
		case accessor && mode != "":
			return fmt.Errorf("-accessor and -mode exclude each other")
		case accessor:
			path, body = "auth/token/revoke-accessor", map[string]any{"accessor": args[0]}
		case mode == "orphan":
			path, body = "auth/token/revoke-orphan", map[string]any{"token": args[0]}
		case mode == "":
			body["token"] = args[0]
		default:
			return fmt.Errorf("-mode=%s: orphan and path are allowed", mode)
		}
		if _, err := s.tryMap("revoking token", "PUT", path, body); err != nil {
			return err
		}
		return s.say("Success! Revoked token (if it existed)")
	})
	fl := c.Flags()
	fl.BoolVar(&self, "self", false, "revoke the token in use")
	fl.BoolVar(&accessor, "accessor", false, "the argument is an accessor")
	fl.StringVar(&mode, "mode", "", "orphan: children live on; path: every token issued below a path")
	return c
}

func newTokenCapabilities(env *environment) *cobra.Command {
	return command(env, "capabilities [TOKEN] PATH", "Show what a token may do on a path", cobra.RangeArgs(1, 2), func(s *session, args []string) error {
		path, body := "sys/capabilities-self", map[string]any{"paths": []string{args[len(args)-1]}}
		if len(args) == 2 {
			path, body["token"] = "sys/capabilities", args[0]
		}
		a, err := s.try("listing capabilities", "POST", path, body)
		if err != nil {
			return err
		}
		if s.p.format != "table" {
			return s.p.encode(a.raw["capabilities"])
		}
		list, _ := a.raw["capabilities"].([]any)
		parts := make([]string, len(list))
		for i, e := range list {
			parts[i] = fmt.Sprint(e)
		}
		return s.say("%s", strings.Join(parts, ", "))
	})
}
