package cluster_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

// TestLeave: a node that leaves is taken out, but three voters stay, or more if min_quorum says so.
func TestLeave(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 5})
	leaver := c.Leader()
	leaver.Yield(ctx)
	harness.Await(t, "another leader", func() bool { return c.Leader() != leaver })
	if err := leaver.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	if _, all := servers(c.Leader()); strings.Contains(all, leaver.Name) {
		t.Errorf("%s has left, the servers are %s", leaver.Name, all)
	}
	configure(c, fsm.PutAutopilot{MinQuorum: to(uint64(4))})
	next := c.Followers()[0]
	if next == leaver {
		next = c.Followers()[1]
	}
	var e *fsm.Error
	if err := next.Leave(ctx); !errors.As(err, &e) || e.Code != fsm.Invalid || !strings.Contains(err.Error(), "4 must stay") {
		t.Errorf("leaving at min_quorum: %v", err)
	}
	configure(c, fsm.PutAutopilot{MinQuorum: to(uint64(0))})
	if err := next.Leave(ctx); err != nil {
		t.Fatal(err)
	}
	l := c.Leader()
	if err := l.Leave(ctx); err == nil || !strings.Contains(err.Error(), "3 must stay") {
		t.Errorf("leaving three: %v", err)
	}
	create(c, l, 0)
}
