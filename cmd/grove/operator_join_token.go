package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

func newOperatorJoinToken(env *environment) *cobra.Command {
	var ttl string
	c := command(env, "join-token", "Make a token that lets one node into the cluster", cobra.NoArgs, func(s *session, _ []string) error {
		body := map[string]any{}
		if ttl != "" {
			body["ttl"] = ttl
		}
		a, err := s.do(request{what: "making a join token", method: http.MethodPost, path: "sys/grove/join-token", body: body})
		if err != nil {
			return err
		}
		if s.p.format != "table" || s.p.field != "" {
			return s.p.secret(a)
		}
		return s.say("Join token: %v\n\nIt lets one node in, until %v. On that node:\n\n  grove operator raft join -join-token=- ADDRESS-OF-A-MEMBER\n\nor join_token in its configuration, beside retry_join.", a.data()["join_token"], a.data()["expire_time"])
	})
	c.Flags().StringVar(&ttl, "ttl", "", "how long it may be used: 1h, 90s (default 1h)")
	return c
}
