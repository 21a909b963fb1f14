package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

func to[T any](v T) *T { return &v }

// configure changes the autopilot's configuration.
func configure(c *harness.Cluster, cmd fsm.PutAutopilot) {
	c.T.Helper()
	if r, err := c.Leader().Propose(ctx, &cmd); err != nil || r.Err() != nil {
		c.T.Fatalf("configuring the autopilot: %+v, %v", r, err)
	}
}

// servers returns the IDs of the configuration, voters and all.
func servers(n *harness.Node) (voters, all string) {
	var v, a []string
	for _, s := range n.Status().Servers {
		a = append(a, s.ID)
		if s.Voter {
			v = append(v, s.ID)
		}
	}
	return strings.Join(v, " "), strings.Join(a, " ")
}

// TestDeadServersAreCleanedUp: the dead are taken out, but never below the minimum of voters.
func TestDeadServersAreCleanedUp(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 5})
	l := c.Leader()
	fs := c.Followers()
	configure(c, fsm.PutAutopilot{CleanupDeadServers: to(true), MinQuorum: to(uint64(4)), DeadServerLastContactThreshold: to(time.Second)})
	fs[0].Kill()
	fs[1].Kill()
	harness.Await(t, "one of the two dead nodes is taken out", func() bool { return len(c.Leader().Status().Servers) == 4 })
	create(c, l, 0)
	// The other is as dead, and stays. The leader says so, because it looks at it again and again.
	harness.Await(t, "the leader knows that the other one is dead", func() bool {
		st, err := l.AutopilotStatus(ctx)
		failed := 0
		for _, s := range st.Servers {
			if s.NodeStatus == "failed" {
				failed++
			}
		}
		return err == nil && failed == 1 && !st.Healthy && st.FailureTolerance == 0
	})
	if n := len(l.Status().Servers); n != 4 {
		t.Fatalf("%d servers, min_quorum is 4", n)
	}
	left := fs[0].Name
	if _, all := servers(l); !strings.Contains(all, left) {
		left = fs[1].Name
	}
	if err := l.Bury(left); err == nil || !strings.Contains(err.Error(), "min_quorum is 4") || n(l) != 4 {
		t.Errorf("taking out a dead node at min_quorum: %v, %d servers", err, n(l))
	}
	configure(c, fsm.PutAutopilot{MinQuorum: to(uint64(3))})
	harness.Await(t, "with a lower minimum it is taken out", func() bool { return n(l) == 3 })
	create(c, l, 0)
}

func n(l *harness.Node) int { return len(l.Status().Servers) }

// TestMinorityCleansNothingUp: a leader that is cut off with a minority takes nobody out, although
// all others look dead to it.
func TestMinorityCleansNothingUp(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 5})
	configure(c, fsm.PutAutopilot{CleanupDeadServers: to(true), MinQuorum: to(uint64(3)), DeadServerLastContactThreshold: to(300 * time.Millisecond)})
	l := c.Leader()
	fs := c.Followers()
	c.Partition([]*harness.Node{l, fs[0]}, fs[1:])
	harness.Await(t, "the majority has a leader", func() bool {
		for _, f := range fs[1:] {
			if f.Status().IsLeader {
				return true
			}
		}
		return false
	})
	harness.Await(t, "the old leader has given up", func() bool { return !l.Status().IsLeader })
	for _, nd := range []*harness.Node{l, fs[0]} {
		if _, all := servers(nd); len(strings.Fields(all)) != 5 {
			t.Errorf("%s, in the minority, has the servers %q", nd.Name, all)
		}
	}
	harness.Await(t, "the majority takes the minority out, as far as it may", func() bool {
		for _, f := range fs[1:] {
			if f.Status().IsLeader {
				return n(f) == 3
			}
		}
		return false
	})
}

// TestNonVoter: a node that joins without a vote never gets one, serves consistent reads and takes
// writes, also after a restart.
func TestNonVoter(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	reader := c.Add("n4", harness.NonVoter)
	voter := c.Add("n5")
	serves := func() {
		t.Helper()
		h := create(c, reader, 0)
		if _, ok, err := lookup(c.Leader(), h); !ok || err != nil {
			t.Errorf("written through the non-voter: %v, %v", ok, err)
		}
		h = create(c, c.Leader(), 0)
		if _, ok, err := lookup(reader, h); !ok || err != nil {
			t.Errorf("read from the non-voter at once: %v, %v", ok, err)
		}
	}
	harness.Await(t, "the non-voter is a member", func() bool {
		_, all := servers(reader)
		return reader.Status().Leader.ID != "" && strings.Contains(all, "n4")
	})
	serves()
	// The other one joined later and waits as long: when it has its vote, the first could have had its own.
	harness.Await(t, "the other new node is a voter", func() bool { v, _ := servers(c.Leader()); return strings.Contains(v, voter.Name) })
	harness.Await(t, "the autopilot says the same", func() bool {
		st, err := reader.AutopilotStatus(ctx)
		return err == nil && strings.Join(st.NonVoters, " ") == "n4" && len(st.Voters) == 4
	})
	reader.Kill()
	reader.Start()
	harness.Await(t, "the non-voter is back, healthy, and has no vote", func() bool {
		st, err := c.Leader().AutopilotStatus(ctx)
		for _, s := range st.Servers {
			if s.ID == "n4" && s.Healthy && s.Status == "non-voter" && s.NodeType == "non-voter" && err == nil {
				return true
			}
		}
		return false
	})
	serves()
	if err := c.Leader().Promote("n4"); err == nil || !strings.Contains(err.Error(), "does not want a vote") {
		t.Errorf("promoting a non-voter: %v", err)
	}
}

// TestStabilization: a new node gets its vote only after the time that is set.
func TestStabilization(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	l := c.Leader()
	configure(c, fsm.PutAutopilot{ServerStabilizationTime: to(2 * time.Second)})
	harness.Await(t, "the autopilot is older than the time", func() bool { return l.PilotAge() > 2*time.Second })
	c.Add("n4")
	var since time.Time
	harness.Await(t, "the new node is a voter", func() bool {
		st, err := l.AutopilotStatus(ctx)
		if err != nil {
			return false
		}
		for _, s := range st.Servers {
			if s.ID == "n4" && s.Healthy {
				since = s.StableSince
			}
		}
		v, _ := servers(l)
		return strings.Contains(v, "n4")
	})
	if stable := time.Since(since); since.IsZero() || stable < 2*time.Second {
		t.Errorf("promoted when it was stable for %s, want 2s at least", stable)
	}
}
