package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/test/harness"
)

// TestWrongClockDoesNotLead: the clock of the leader jumps. It stamps nothing with it, hands over, and
// is not elected while it is off, whoever else dies; when it is right again, it may lead.
func TestWrongClockDoesNotLead(t *testing.T) {
	t.Parallel()
	for name, jump := range map[string]time.Duration{"ahead": 30 * time.Minute, "behind": -30 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := harness.Start(t, harness.Options{Nodes: 3})
			off := c.Leader()
			awaitClocks(c)
			off.Shift(jump)
			create(c, off, 0) // waits for the next leader
			if l := c.Leader(); l == off {
				t.Error("a write succeeded, and the node with the wrong clock still leads")
			}
			off.View(func(m *fsm.Machine) {
				if d := m.Now(0).Sub(token.InstantOf(time.Now())); d > 10*time.Minute {
					t.Errorf("an entry was stamped %s ahead", d)
				}
			})
			harness.Await(t, "the skew is shown on another node", func() bool {
				return skewOf(c.Leader(), off.Name).Round(time.Minute) == jump
			})
			onlyOthersLead(c, off)
			off.Shift(0)
			harness.Await(t, "the node with the repaired clock leads", func() bool {
				if l := c.Leader(); l != off {
					if err := l.StepDown(ctx); err != nil && !strings.Contains(err.Error(), "leadership") {
						t.Log(err)
					}
				}
				return off.Status().IsLeader
			})
		})
	}
}

// awaitClocks waits until everybody has asked everybody.
func awaitClocks(c *harness.Cluster) {
	harness.Await(c.T, "all clocks are known", func() bool {
		for _, n := range c.Nodes {
			if n.UnknownClocks() > 0 {
				return false
			}
		}
		return true
	})
}

func skewOf(n *harness.Node, id string) time.Duration {
	for _, s := range n.Status().Servers {
		if s.ID == id {
			return s.Skew
		}
	}
	return 0
}

// onlyOthersLead kills the leader, so that off and one other are left: off must not win.
func onlyOthersLead(c *harness.Cluster, off *harness.Node) {
	c.T.Helper()
	for range 2 {
		victim := c.Leader()
		victim.Kill()
		if l := c.Leader(); l == off {
			c.T.Error("the node with the wrong clock was elected")
		}
		create(c, c.Leader(), 0)
		victim.Start()
		c.AwaitVoters(3)
		awaitClocks(c)
	}
}

// TestTwoNodesWithDifferentClocks: nobody can tell which one is right, so that writes go on.
func TestTwoNodesWithDifferentClocks(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 2})
	awaitClocks(c)
	f := c.Followers()[0]
	f.Shift(-time.Hour)
	harness.Await(t, "the leader has seen the difference", func() bool {
		return skewOf(c.Leader(), f.Name).Round(time.Minute) == -time.Hour
	})
	create(c, c.Leader(), 0)
	create(c, f, 0)
}
