package cluster

import (
	"errors"
	"reflect"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// TestFailedTransfers is the fault of hashicorp/raft #696, with the library alone: two transfers to a follower
// that does not answer have come back, and still the leader refuses entries.
func TestFailedTransfers(t *testing.T) {
	t.Parallel()
	nodes := openBare(t, 3, func(t *raft.NetworkTransport) raft.Transport { return transport{NetworkTransport: t} })
	leader := electedBare(t, nodes)
	if err := leader.raft.Barrier(time.Minute).Error(); err != nil {
		t.Fatal(err)
	}
	silent := without(nodes, leader)[0]
	silent.hang.Store(true)
	if err := leader.raft.Apply([]byte("x"), time.Minute).Error(); err != nil {
		t.Fatal(err)
	}
	id := raft.ServerID("")
	for _, s := range leader.raft.GetConfiguration().Configuration().Servers {
		if string(s.Address) == silent.addr {
			id = s.ID
		}
	}
	awaitBare(t, "the leader waits for an answer", func() bool { return leader.stuck.Load() > 0 })
	for range 2 {
		awaitBare(t, "the leader takes entries", func() bool { return leader.raft.Apply([]byte("y"), time.Minute).Error() == nil })
		if err := leader.raft.LeadershipTransferToServer(id, raft.ServerAddress(silent.addr)).Error(); err == nil {
			t.Fatal("the silent follower took over")
		}
	}
	// The flag falls within moments of the future after an ordinary failure; here never.
	for range 50 {
		if err := leader.raft.Apply([]byte("z"), time.Minute).Error(); !errors.Is(err, raft.ErrLeadershipTransferInProgress) {
			t.Fatalf("an entry after two failed transfers: %v; the library has changed, is handOver still needed?", err)
		}
	}
}

// TestRefusalsAreCounted: only a row of refusals without a gap, longer than two election time-outs,
// is a transfer that does not end.
func TestRefusalsAreCounted(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	type step struct {
		after   time.Duration
		refused bool
	}
	for name, c := range map[string]struct {
		steps []step
		stops bool
	}{
		"two election time-outs": {[]step{{0, true}, {300 * ms, true}, {300 * ms, true}, {100 * ms, true}}, false},
		"longer":                 {[]step{{0, true}, {300 * ms, true}, {300 * ms, true}, {300 * ms, true}}, true},
		"an entry between":       {[]step{{0, true}, {300 * ms, true}, {0, false}, {300 * ms, true}, {300 * ms, true}}, false},
		"another reign":          {[]step{{0, true}, {time.Hour, true}, {300 * ms, true}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Node{cfg: Config{Multiplier: 1}, pipeline: pipeline{replica: newReplica(hclog.NewNullLogger())}}
			now := time.Now()
			for _, s := range c.steps {
				now = now.Add(s.after)
				n.noteTransfer(s.refused, now)
			}
			if stopped := n.replica.failure() != nil; stopped != c.stops {
				t.Errorf("stopped: %t, want %t", stopped, c.stops)
			}
		})
	}
}

// JamTransfer leaves Raft as a failed transfer does: it refuses entries for ever.
func (n *Node) JamTransfer() {
	f := reflect.ValueOf(n.raft()).Elem().FieldByName("leaderState").FieldByName("leadershipTransferInProgress")
	atomic.StoreInt32((*int32)(unsafe.Pointer(f.UnsafeAddr())), 1)
}
