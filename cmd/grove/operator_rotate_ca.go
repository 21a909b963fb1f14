package main

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// rotatePoll is how often the progress of a rotation is asked for.
const rotatePoll = 300 * time.Millisecond

// rotateFlags are the flags of `grove operator rotate-ca`.
type rotateFlags struct {
	status, detach bool
	timeout        time.Duration
}

func newOperatorRotateCA(env *environment) *cobra.Command {
	f := &rotateFlags{}
	c := command(env, "rotate-ca", "Replace the authority of the links between nodes", cobra.NoArgs, f.run)
	c.Long = "Replace the authority that signs the certificates of the links between nodes, and with it the key of gossip. " +
		"Clients notice nothing. All nodes must be up: one that is down holds the rotation up until it is back or was taken out with `grove operator raft remove-peer`."
	fl := c.Flags()
	fl.BoolVar(&f.status, "status", false, "only say how far it is")
	fl.BoolVar(&f.detach, "detach", false, "start it, and do not wait for its end")
	fl.DurationVar(&f.timeout, "timeout", 2*time.Minute, "how long to wait for its end; it goes on afterwards")
	return c
}

func (f *rotateFlags) run(s *session, _ []string) error {
	method := http.MethodPost
	if f.status {
		method = http.MethodGet
	}
	a, err := s.do(request{what: "rotating the authority", method: method, path: "sys/grove/rotate-ca"})
	if err != nil {
		return err
	}
	if !f.status && !f.detach {
		if a, err = f.await(s, a); err != nil {
			return err
		}
	}
	if s.p.format != "table" || s.p.field != "" {
		return s.p.secret(a)
	}
	return s.columns(a.data()["authorities"], []column{{"Authority", "fingerprint"}, {"Signs", "signs"}, {"Until", "expire_time"}})
}

// await returns the last answer, when the rotation is over.
func (f *rotateFlags) await(s *session, a *answer) (*answer, error) {
	deadline := time.Now().Add(f.timeout)
	tick := time.NewTicker(rotatePoll)
	defer tick.Stop()
	for {
		if rotating, _ := a.data()["rotating"].(bool); !rotating {
			return a, nil
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the rotation is not over after %s: it waits for %s", f.timeout, nodes(a.data()["waiting_for"]))
		}
		select {
		case <-tick.C:
		case <-s.ctx.Done():
			return nil, s.ctx.Err()
		}
		next, err := s.get("following the rotation of the authority", "sys/grove/rotate-ca")
		if err != nil {
			return nil, err
		}
		a = next
	}
}

// nodes names the nodes that a rotation waits for.
func nodes(list any) string {
	var ids []string
	all, _ := list.([]any)
	for _, id := range all {
		ids = append(ids, plain(id))
	}
	if len(ids) == 0 {
		return "its next step"
	}
	return strings.Join(ids, ", ")
}
