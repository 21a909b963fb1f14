package main

import (
	"errors"
	"fmt"
	"net/http"
	"sort"
	"strings"

	"github.com/spf13/cobra"
)

func newTokenLookup(env *environment) *cobra.Command {
	var accessor bool
	c := command(env, "lookup [TOKEN | ACCESSOR]", "Show a token; without argument one's own", cobra.MaximumNArgs(1), func(s *session, args []string) error {
		r := request{what: "looking up token", method: http.MethodGet, path: "auth/token/lookup-self"}
		switch {
		case accessor && len(args) == 0:
			return errors.New("-accessor needs an accessor")
		case accessor:
			r.method, r.path, r.body = http.MethodPost, "auth/token/lookup-accessor", map[string]any{"accessor": args[0]}
		case len(args) == 1:
			r.method, r.path, r.body = http.MethodPost, "auth/token/lookup", map[string]any{"token": args[0]}
		}
		a, err := s.do(r)
		if err != nil {
			return err
		}
		return s.p.secret(a)
	})
	c.Flags().BoolVar(&accessor, "accessor", false, "the argument is an accessor")
	return c
}

func newTokenRenew(env *environment) *cobra.Command {
	var accessor bool
	var increment string
	c := command(env, "renew [TOKEN | ACCESSOR]", "Renew a token; without argument one's own", cobra.MaximumNArgs(1), func(s *session, args []string) error {
		path, body := "auth/token/renew-self", map[string]any{}
		switch {
		case accessor && len(args) == 0:
			return errors.New("-accessor needs an accessor")
		case accessor:
			path, body["accessor"] = "auth/token/renew-accessor", args[0]
		case len(args) == 1:
			path, body["token"] = "auth/token/renew", args[0]
		}
		if increment != "" {
			body["increment"] = increment
		}
		a, err := s.put("renewing token", path, body)
		if err != nil {
			return err
		}
		return s.p.secret(a)
	})
	c.Flags().BoolVar(&accessor, "accessor", false, "the argument is an accessor")
	c.Flags().StringVarP(&increment, "increment", "i", "", "TTL to ask for")
	return c
}

// revokeFlags are the flags of `grove token revoke`.
type revokeFlags struct {
	self, accessor bool
	mode           string
}

func newTokenRevoke(env *environment) *cobra.Command {
	f := &revokeFlags{}
	c := command(env, "revoke [TOKEN | ACCESSOR]", "Revoke a token and all below it", cobra.MaximumNArgs(1), func(s *session, args []string) error {
		path, body, err := f.request(args)
		if err != nil {
			return err
		}
		if _, err := s.put("revoking token", path, body); err != nil {
			return err
		}
		return s.say("Success! Revoked token (if it existed)")
	})
	fl := c.Flags()
	fl.BoolVar(&f.self, "self", false, "revoke the token in use")
	fl.BoolVar(&f.accessor, "accessor", false, "the argument is an accessor")
	fl.StringVar(&f.mode, "mode", "", "orphan: children live on; path: every token issued below a path")
	return c
}

// request is the path and the body that the flags mean.
func (f *revokeFlags) request(args []string) (string, map[string]any, error) {
	switch {
	case f.self && (f.accessor || f.mode != ""):
		return "", nil, errors.New("-self excludes -accessor and -mode")
	case f.self && len(args) > 0:
		return "", nil, errors.New("-self takes no argument")
	case f.self:
		return "auth/token/revoke-self", nil, nil
	case len(args) == 0:
		return "", nil, errors.New("want a token, an accessor with -accessor, a path with -mode=path, or -self alone")
	case f.accessor && f.mode != "":
		return "", nil, errors.New("-accessor and -mode exclude each other")
	case f.accessor:
		return "auth/token/revoke-accessor", map[string]any{"accessor": args[0]}, nil
	case f.mode == "path":
		return "sys/leases/revoke-prefix/" + args[0], nil, nil
	case f.mode == "orphan":
		return "auth/token/revoke-orphan", map[string]any{"token": args[0]}, nil
	case f.mode != "":
		return "", nil, fmt.Errorf("-mode=%s: orphan and path are allowed", f.mode)
	}
	return "auth/token/revoke", map[string]any{"token": args[0]}, nil
}

func newTokenCapabilities(env *environment) *cobra.Command {
	var accessor bool
	c := command(env, "capabilities [TOKEN | ACCESSOR] PATH", "Show what a token may do on a path", cobra.RangeArgs(1, 2), func(s *session, args []string) error {
		path, body := "sys/capabilities-self", map[string]any{"path": args[len(args)-1]}
		switch {
		case accessor && len(args) < 2:
			return errors.New("-accessor needs an accessor and a path")
		case accessor:
			path, body["accessor"] = "sys/capabilities-accessor", args[0]
		case len(args) == 2:
			path, body["token"] = "sys/capabilities", args[0]
		}
		a, err := s.do(request{what: "listing capabilities", method: http.MethodPost, path: path, body: body})
		if err != nil {
			return err
		}
		list, _ := a.data()["capabilities"].([]any)
		words := make([]string, len(list))
		for i, e := range list {
			words[i] = plain(e)
		}
		sort.Strings(words)
		if s.p.format != "table" {
			return s.p.encode(words)
		}
		return s.say("%s", strings.Join(words, ", "))
	})
	c.Flags().BoolVar(&accessor, "accessor", false, "the first argument is an accessor")
	return c
}
