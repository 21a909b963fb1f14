package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
)

// session is one client command under way.
type session struct {
	ctx context.Context
	env *environment
	c   *client
	p   *printer
}

// action is what a client command does.
type action func(s *session, args []string) error

// command makes a client command with the flags that all have.
func command(env *environment, use, short string, args cobra.PositionalArgs, do action) *cobra.Command {
	f := &clientFlags{}
	c := &cobra.Command{Use: use, Short: short, Args: args}
	f.register(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cl, err := f.client(env)
		if err != nil {
			return err
		}
		p, err := newPrinter(env, f)
		if err != nil {
			return err
		}
		return do(&session{ctx: cmd.Context(), env: env, c: cl, p: p}, args)
	}
	return c
}

// group makes a command that only has others below it.
func group(use, short string, sub ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	c.AddCommand(sub...)
	return c
}

func addClientCommands(root *cobra.Command, env *environment) {
	root.AddCommand(
		newStatus(env), newLogin(env),
		group("token", "Make, look up, renew and revoke tokens",
			newTokenCreate(env), newTokenLookup(env), newTokenRenew(env), newTokenRevoke(env), newTokenCapabilities(env)),
		group("policy", "Read and write policies",
			newPolicyList(env), newPolicyRead(env), newPolicyWrite(env), newPolicyDelete(env), newPolicyFmt(env)),
		group("lease", "Look up, renew and revoke leases", newLeaseLookup(env), newLeaseRenew(env), newLeaseRevoke(env)),
		group("operator", "Run a cluster", newOperatorInit(env), newOperatorMembers(env), newOperatorStepDown(env),
			group("raft", "The Raft configuration", newRaftListPeers(env), newRaftJoin(env), newRaftRemovePeer(env))),
		newRead(env), newWrite(env), newList(env), newDelete(env),
	)
}

// try calls the server, and names what was tried when that fails.
func (s *session) try(what, method, path string, body any) (*answer, error) {
	a, err := s.c.call(s.ctx, method, path, body)
	if err != nil {
		var exit *exitError
		if errors.As(err, &exit) {
			return a, &exitError{exit.code, fmt.Errorf("error %s: %w", what, exit.err)}
		}
		return a, err
	}
	return a, nil
}

// say prints a line for people; -format=json and -field get none.
func (s *session) say(format string, args ...any) error {
	_, err := fmt.Fprintf(s.env.stdout, format+"\n", args...)
	return err
}

func newStatus(env *environment) *cobra.Command {
	return command(env, "status", "Show the node and its cluster", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.try("checking seal status", "GET", "sys/seal-status", nil)
		if err != nil {
			return err
		}
		l, err := s.c.call(s.ctx, "GET", "sys/leader", nil)
		if err != nil {
			return err
		}
		raw := a.raw
		for _, k := range []string{"ha_enabled", "is_self", "leader_address", "leader_cluster_address", "raft_committed_index", "raft_applied_index"} {
			raw[k] = l.raw[k]
		}
		mode := "follower"
		if self, _ := l.raw["is_self"].(bool); self {
			mode = "leader"
		}
		rows := []row{
			{"Initialized", raw["initialized"]}, {"Sealed", raw["sealed"]}, {"Version", raw["version"]}, {"Storage Type", raw["storage_type"]},
			{"Cluster Name", raw["cluster_name"]}, {"Cluster ID", raw["cluster_id"]}, {"HA Enabled", raw["ha_enabled"]}, {"HA Mode", mode},
			{"Active Node Address", raw["leader_address"]}, {"Raft Committed Index", raw["raft_committed_index"]}, {"Raft Applied Index", raw["raft_applied_index"]},
		}
		if err := s.p.show(raw, rows); err != nil {
			return err
		}
		if sealed, _ := raw["sealed"].(bool); sealed {
			return &exitError{code: 2}
		}
		return nil
	})
}

func newLogin(env *environment) *cobra.Command {
	var method string
	var noStore, noPrint bool
	c := command(env, "login [TOKEN | -]", "Check a token and keep it for later commands", cobra.MaximumNArgs(1), func(s *session, args []string) error {
		if method != "" && method != "token" {
			return fmt.Errorf("login method %q: only \"token\" is there yet", method)
		}
		t, err := s.readToken(args)
		if err != nil {
			return err
		}
		s.c.token = t
		a, err := s.try("authenticating", "GET", "auth/token/lookup-self", nil)
		if err != nil {
			return err
		}
		if !noStore {
			if err := s.keepToken(t); err != nil {
				return err
			}
		}
		if noPrint {
			return nil
		}
		data, _ := a.raw["data"].(map[string]any)
		rows := []row{{"token", t}, {"token_accessor", data["accessor"]}, {"token_duration", humanTTL(data["ttl"])}, {"token_renewable", data["renewable"]}, {"token_policies", data["policies"]}}
		return s.p.show(a.raw, rows)
	})
	c.Flags().StringVar(&method, "method", "token", "login method")
	c.Flags().BoolVar(&noStore, "no-store", false, "do not keep the token")
	c.Flags().BoolVar(&noPrint, "no-print", false, "do not print the token")
	return c
}

func (s *session) readToken(args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return strings.TrimPrefix(args[0], "token="), nil
	}
	if len(args) == 0 {
		fmt.Fprint(s.env.stderr, "Token: ")
	}
	b, err := io.ReadAll(io.LimitReader(s.env.stdin, 1<<16))
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	t := strings.TrimSpace(string(b))
	if t == "" {
		return "", errors.New("no token was given")
	}
	return t, nil
}

func (s *session) keepToken(t string) error {
	home := s.env.getenv("HOME")
	if home == "" {
		return errors.New("HOME is not set: nowhere to keep the token (use -no-store)")
	}
	if err := os.WriteFile(filepath.Join(home, tokenFiles[0]), []byte(t), 0o600); err != nil {
		return fmt.Errorf("keeping the token: %w", err)
	}
	return nil
}

// fieldsOf reads key=value arguments: key=@file takes the file, key=- standard input; a lone
// "-" or @file is a whole JSON object.
func (s *session) fieldsOf(args []string) (map[string]any, error) {
	out := map[string]any{}
	for _, a := range args {
		k, v, ok := strings.Cut(a, "=")
		if !ok {
			text, err := s.expand(a)
			if err != nil {
				return nil, err
			}
			if text == a {
				return nil, fmt.Errorf("argument %q: want key=value, @file or -", a)
			}
			if err := json.Unmarshal([]byte(text), &out); err != nil {
				return nil, fmt.Errorf("argument %q: not a JSON object: %w", a, err)
			}
			continue
		}
		text, err := s.expand(v)
		if err != nil {
			return nil, err
		}
		if old, ok := out[k]; ok {
			list, isList := old.([]any)
			if !isList {
				list = []any{old}
			}
			out[k] = append(list, text)
			continue
		}
		out[k] = text
	}
	return out, nil
}

func (s *session) expand(v string) (string, error) {
	switch {
	case v == "-":
		b, err := io.ReadAll(io.LimitReader(s.env.stdin, maxAnswer))
		return string(b), err
	case strings.HasPrefix(v, "@"):
		b, err := os.ReadFile(v[1:])
		return string(b), err
	case strings.HasPrefix(v, `\@`):
		return v[1:], nil
	}
	return v, nil
}
