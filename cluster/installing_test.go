package cluster

import (
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestHeartbeatsWhileInstalling: a node whose main loop takes no messages, because it installs a snapshot, still says
// that it is in the leader's term, and nothing to another one.
func TestHeartbeatsWhileInstalling(t *testing.T) {
	t.Parallel()
	stream := func() *raft.NetworkTransport {
		n, err := raft.NewTCPTransport("127.0.0.1:0", nil, 1, 300*time.Millisecond, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	leader, follower := stream(), stream()
	busy := &installing{net: follower, term: func() uint64 { return 7 }, last: func() uint64 { return 9 }, applied: func() uint64 { return 5 }}
	beat := func(term uint64) error {
		addr := leader.LocalAddr()
		req := &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte("l"), Addr: leader.EncodePeer("l", addr)}, Term: term}
		var resp raft.AppendEntriesResponse
		return leader.AppendEntries("f", follower.LocalAddr(), req, &resp)
	}
	store, err := raft.NewFileSnapshotStore(t.TempDir(), 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := &snapshots{store, busy}
	if sink, err := s.Create(1, 5, 1, raft.Configuration{}, 1, follower); err != nil || sink.Cancel() != nil || busy.busy {
		t.Fatalf("a snapshot that the node takes itself: %v, busy %v", err, busy.busy)
	}
	if err := beat(7); err == nil {
		t.Fatal("nobody reads, and a heartbeat was answered")
	}
	sink, err := s.Create(1, 6, 1, raft.Configuration{}, 1, follower)
	if err != nil {
		t.Fatal(err)
	}
	if err := beat(7); err != nil {
		t.Errorf("a heartbeat while a snapshot is installed: %v", err)
	}
	if err := beat(8); err == nil {
		t.Error("a heartbeat of another term was answered")
	}
	if err := sink.Cancel(); err != nil {
		t.Error(err)
	}
	if err := beat(7); err == nil {
		t.Error("answered after the end")
	}
}
