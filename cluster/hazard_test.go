package cluster_test

import (
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/test/harness"
)

// TestStalledLeader: the disk of the leader stalls. Its write ends at the deadline, so that it steps down, and
// the requests that waited succeed on the next leader; while its setback lasts it is not elected. Without
// the deadline it would lead for as long as its heartbeats go out, and take no writes.
func TestStalledLeader(t *testing.T) {
	t.Parallel()
	c := harness.Start(t, harness.Options{Nodes: 3})
	stalled, other := c.Leader(), c.Followers()[0]
	release := stalled.StallDisk()
	defer release()
	create(c, other, 0)
	if l := c.Leader(); l == stalled {
		t.Error("the node with the stalled disk still leads")
	}
	if why := stalled.Unfit(); !strings.Contains(why, "could not write its log") {
		t.Errorf("the node with the stalled disk may lead again: %q", why)
	}
	release()
	create(c, stalled, 0)
}

// TestUnknownEntriesStopNodes: an entry that this build does not know must not be skipped. (A leader
// refuses what it does not know before it reaches the log.)
func TestUnknownEntriesStopNodes(t *testing.T) {
	t.Parallel()
	kind := fsm.AppendEntry(nil, fsm.Entry{At: 1, Groups: []fsm.Group{{Items: []fsm.Item{{Kind: 9999, Body: []byte{0xa0}}}}}})
	for name, c := range map[string]struct {
		entry []byte
		want  string
	}{"version": {[]byte("\xff\xff"), "unknown entry version"}, "kind": {kind, "9999"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cl := harness.Start(t, harness.Options{Nodes: 3})
			failed := make(chan error, 3)
			for _, n := range cl.Nodes {
				go func(f <-chan error) { failed <- <-f }(n.Failed())
			}
			cl.Leader().Log(c.entry)
			for i := range 2 { // the third may have no leader any more that tells it what is committed
				select {
				case err := <-failed:
					if !strings.Contains(err.Error(), c.want) {
						t.Errorf("a node stopped with %v", err)
					}
				case <-time.After(harness.Patience):
					t.Fatalf("%d nodes stopped, want 2", i)
				}
			}
		})
	}
}
