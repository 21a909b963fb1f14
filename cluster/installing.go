package cluster

import (
	"errors"
	"sync"

	"github.com/hashicorp/raft"
)

// installing answers the leader's heartbeats while Raft's main loop is busy with a snapshot that the leader has
// sent, which can take seconds. Without it a restore, which all followers install at the same moment, costs the
// leader its lease and then its place, before the restore is committed.
//
// It says no more than what holds: this node is in the leader's term, and cannot leave it meanwhile, because the loop
// that would do that is busy. It touches nothing of Raft, so that it is none of the fast path of #695. What comes
// from another term is refused, as if the node did not answer.
type installing struct {
	net     *raft.NetworkTransport
	term    func() uint64
	last    func() uint64
	applied func() uint64

	mu   sync.Mutex
	busy bool
}

var errInstalling = errors.New("a snapshot of another term is being installed")

// begin is called on Raft's main loop.
func (i *installing) begin() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.busy = true
	i.net.SetHeartbeatHandler(i.answer)
}

// end is called when the loop is about to be free.
func (i *installing) end() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.busy {
		i.busy = false
		i.net.SetHeartbeatHandler(nil)
	}
}

func (i *installing) answer(rpc raft.RPC) {
	req, ok := rpc.Command.(*raft.AppendEntriesRequest)
	if !ok || req.Term != i.term() {
		rpc.Respond(nil, errInstalling)
		return
	}
	rpc.Respond(&raft.AppendEntriesResponse{RPCHeader: raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}, Term: req.Term, LastLog: i.last(), Success: true}, nil)
}

// snapshots is Raft's store of snapshots. It notices those that the main loop is busy with: they are of a later
// index than what was applied here. Those that this node takes are not.
type snapshots struct {
	*raft.FileSnapshotStore
	installing *installing
}

// Create implements raft.SnapshotStore.
func (s *snapshots) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, configIndex uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.FileSnapshotStore.Create(v, index, term, c, configIndex, trans)
	if err != nil || index <= s.installing.applied() {
		return sink, err
	}
	s.installing.begin()
	return &installedSink{sink, s.installing}, nil
}

// installedSink ends what Create began when nothing comes of it; else the replica does, when it has restored.
type installedSink struct {
	raft.SnapshotSink
	installing *installing
}

// Cancel implements raft.SnapshotSink.
func (s *installedSink) Cancel() error {
	s.installing.end()
	return s.SnapshotSink.Cancel()
}

// Close implements raft.SnapshotSink.
func (s *installedSink) Close() error {
	err := s.SnapshotSink.Close()
	if err != nil {
		s.installing.end()
	}
	return err
}

// term is Raft's current term, 0 before it runs.
func (n *Node) term() uint64 {
	if r := n.raft(); r != nil {
		return r.CurrentTerm()
	}
	return 0
}

// lastIndex is the last index of the log, 0 before Raft runs.
func (n *Node) lastIndex() uint64 {
	if r := n.raft(); r != nil {
		return r.LastIndex()
	}
	return 0
}
