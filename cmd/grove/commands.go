package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

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
	c := &cobra.Command{Use: use, Short: short, RunE: func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unknown command %q for %q: see %s --help", args[0], c.CommandPath(), c.CommandPath())
		}
		return c.Help()
	}}
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
		group("auth", "List, enable, tune, move and disable login methods",
			newMountList(env, authClass), newMountEnable(env, authClass), newMountDisable(env, authClass), newMountTune(env, authClass), newMountMove(env, authClass)),
		group("secrets", "List, enable, tune, move and disable lease engines",
			newMountList(env, secretClass), newMountEnable(env, secretClass), newMountDisable(env, secretClass), newMountTune(env, secretClass), newMountMove(env, secretClass)),
		group("audit", "List, enable and disable audit devices", newAuditList(env), newAuditEnable(env), newAuditDisable(env)),
		group("lease", "Look up, renew and revoke leases", newLeaseLookup(env), newLeaseRenew(env), newLeaseRevoke(env)),
		group("operator", "Run a cluster", newOperatorInit(env), newOperatorMembers(env), newOperatorStepDown(env), newOperatorJoinToken(env), newOperatorRotateCA(env), newOperatorSealKey(env), newOperatorCheck(env),
			group("raft", "The Raft configuration", newRaftListPeers(env), newRaftJoin(env), newRaftRemovePeer(env), newRaftSnapshot(env), newRaftAutopilot(env))),
		newRead(env), newWrite(env), newList(env), newDelete(env), newBench(env),
	)
}

// request is what a client command asks of the server.
type request struct {
	what   string // was tried, for the error: "looking up token"
	method string
	path   string // below /v1/
	query  url.Values
	body   map[string]any // nil: none
}

// do calls the server, and names what was tried when that fails.
func (s *session) do(r request) (*answer, error) {
	var body any
	if r.body != nil {
		body = r.body
	}
	a, err := s.c.call(s.ctx, r.method, r.path, r.query, body)
	var exit *exitError
	if errors.As(err, &exit) {
		return a, &exitError{exit.code, fmt.Errorf("error %s: %w", r.what, exit.err)}
	}
	return a, err
}

// put is do with a body.
func (s *session) put(what, path string, body map[string]any) (*answer, error) {
	return s.do(request{what: what, method: http.MethodPut, path: path, body: body})
}

// get is do without one.
func (s *session) get(what, path string) (*answer, error) {
	return s.do(request{what: what, method: http.MethodGet, path: path})
}

// keys asks for a list, whatever proxy is between.
func (s *session) keys(what, path string, query url.Values) (*answer, error) {
	q := url.Values{"list": {"true"}}
	for k, v := range query {
		q[k] = v
	}
	return s.do(request{what: what, method: http.MethodGet, path: path, query: q})
}

// say prints a line for people.
func (s *session) say(format string, args ...any) error {
	_, err := fmt.Fprintf(s.env.stdout, format+"\n", args...)
	return err
}

// isMissing reports whether the API said that there is nothing: an empty 404.
func isMissing(err error) bool {
	var api *apiError
	return errors.As(err, &api) && api.status == http.StatusNotFound && len(api.texts) == 0
}

// missing says so plainly.
func missing(err error, format string, args ...any) error {
	if isMissing(err) {
		return &exitError{2, fmt.Errorf(format, args...)}
	}
	return err
}
