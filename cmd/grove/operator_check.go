package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

func newOperatorCheck(env *environment) *cobra.Command {
	var last bool
	c := command(env, "check", "Compare and verify the state of all nodes", cobra.NoArgs, func(s *session, _ []string) error {
		method := http.MethodPost
		if last {
			method = http.MethodGet
		}
		return s.check(method)
	})
	c.Long = "Have all nodes hash their state at one index of the log and compare, and verify every invariant of each. A node that differs from the majority " +
		"stops. Exit code 2 unless all nodes are ok. The leader compares by itself, too (state_check_interval)."
	c.Flags().BoolVar(&last, "last", false, "only say what the leader found when it last compared by itself")
	return c
}

func (s *session) check(method string) error {
	slow := *s.c.http
	slow.Timeout = 0 // the server bounds it
	s.c.http = &slow
	a, err := s.do(request{what: "checking the replicas", method: method, path: "sys/grove/check"})
	if err != nil {
		return err
	}
	if s.p.format != "table" || s.p.field != "" {
		err = s.p.secret(a)
	} else {
		err = s.columns(a.data()["nodes"], []column{{"Node", "node_id"}, {"Index", "index"}, {"State Hash", "state_hash"}, {"State", "state"}, {"Error", "error"}})
	}
	if ok, _ := a.data()["ok"].(bool); !ok && err == nil {
		return &exitError{code: 2}
	}
	return err
}
