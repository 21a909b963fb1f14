package main

import (
	"errors"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

func newRaftListPeers(env *environment) *cobra.Command {
	return command(env, "list-peers", "Show the Raft configuration", cobra.NoArgs, func(s *session, _ []string) error {
		a, err := s.get("reading the raft cluster configuration", "sys/storage/raft/configuration")
		if err != nil {
			return err
		}
		if s.p.format != "table" || s.p.field != "" {
			return s.p.secret(a)
		}
		config, _ := a.data()["config"].(map[string]any)
		servers, _ := config["servers"].([]any)
		for _, e := range servers {
			m, ok := e.(map[string]any)
			if !ok {
				return errors.New("the answer has a server that is no object")
			}
			m["state"] = "follower"
			if leads, _ := m["leader"].(bool); leads {
				m["state"] = "leader"
			}
		}
		return s.columns(servers, []column{{"Node", "node_id"}, {"Address", "address"}, {"State", "state"}, {"Voter", "voter"}})
	})
}

// joinFlags are the flags of `grove operator raft join`.
type joinFlags struct {
	caCert, clientCert, clientKey string
	token                         string
	nonVoter, retry               bool
}

func newRaftJoin(env *environment) *cobra.Command {
	f := &joinFlags{}
	c := command(env, "join LEADER-API-ADDRESS", "Join this node to the cluster of another", cobra.ExactArgs(1), f.run)
	fl := c.Flags()
	fl.StringVar(&f.token, "join-token", "", "lets this node in, made by `grove operator join-token` on a member; - reads it, @file is a file (default: what the node is configured with)")
	fl.StringVar(&f.caCert, "leader-ca-cert", "", "CA of the other node: PEM, or @file")
	fl.StringVar(&f.clientCert, "leader-client-cert", "", "certificate to show to the other node: PEM, or @file")
	fl.StringVar(&f.clientKey, "leader-client-key", "", "its key: PEM, or @file")
	fl.BoolVar(&f.nonVoter, "non-voter", false, "replicate without a vote")
	fl.BoolVar(&f.retry, "retry", false, "accepted for scripts")
	return c
}

func (f *joinFlags) run(s *session, args []string) error {
	body := map[string]any{"leader_api_addr": args[0]}
	for key, v := range map[string]string{"leader_ca_cert": f.caCert, "leader_client_cert": f.clientCert, "leader_client_key": f.clientKey} {
		text, err := s.expand(v)
		if err != nil {
			return err
		}
		if text != "" {
			body[key] = text
		}
	}
	token, err := s.expand(f.token)
	if err != nil {
		return err
	}
	if token != "" {
		body["join_token"] = strings.TrimSpace(token)
	}
	if f.nonVoter {
		body["non_voter"] = true
	}
	if f.retry {
		body["retry"] = true
	}
	a, err := s.do(request{what: "joining the node to the Raft cluster", method: http.MethodPost, path: "sys/storage/raft/join", body: body})
	if err != nil {
		return err
	}
	return s.p.object(a.raw, []row{{"Joined", a.raw["joined"]}})
}

func newRaftRemovePeer(env *environment) *cobra.Command {
	return command(env, "remove-peer NODE-ID", "Take a node out of the cluster", cobra.ExactArgs(1), func(s *session, args []string) error {
		body := map[string]any{"server_id": args[0]}
		if _, err := s.do(request{what: "removing the peer from raft cluster", method: http.MethodPost, path: "sys/storage/raft/remove-peer", body: body}); err != nil {
			return err
		}
		return s.say("Peer removed successfully!")
	})
}
