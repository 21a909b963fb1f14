package cluster

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestPipelineOfARefusal: a leader that does not read the answers of a follower any more, because
// one was a refusal, can still send and close.
func TestPipelineOfARefusal(t *testing.T) {
	t.Parallel()
	open := func() *raft.NetworkTransport {
		n, err := raft.NewTCPTransport("127.0.0.1:0", nil, 2, 10*time.Second, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { n.Close() })
		return n
	}
	leader, follower := transport{NetworkTransport: open()}, open()
	end := make(chan struct{})
	defer close(end)
	go func() {
		for {
			select {
			case rpc := <-follower.Consumer():
				rpc.Respond(&raft.AppendEntriesResponse{Term: 2}, nil)
			case <-end:
				return
			}
		}
	}()
	p, err := leader.AppendEntriesPipeline("follower", follower.LocalAddr())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		for range 50 {
			if _, err := p.AppendEntries(&raft.AppendEntriesRequest{Term: 1}, new(raft.AppendEntriesResponse)); err != nil {
				done <- err
				return
			}
		}
		done <- p.Close()
	}()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the leader is stuck")
	}
}

// TestWhoMustNotLeadAsksForNoVotes, in either way.
func TestWhoMustNotLeadAsksForNoVotes(t *testing.T) {
	t.Parallel()
	why := errors.New("a wrong clock")
	tr := transport{stand: func() error { return why }} // would panic if it sent anything
	if err := tr.RequestVote("a", "a:1", nil, nil); !errors.Is(err, why) {
		t.Errorf("a vote was asked for: %v", err)
	}
	if err := tr.RequestPreVote("a", "a:1", nil, nil); !errors.Is(err, why) {
		t.Errorf("a pre-vote was asked for: %v", err)
	}
}

// TestSnapshotTimeout: the time that the transfer of a snapshot may take grows with its size; that of any other
// message does not.
func TestSnapshotTimeout(t *testing.T) {
	t.Parallel()
	const short = 300 * time.Millisecond
	open := func() *raft.NetworkTransport {
		n, err := raft.NewTCPTransport("127.0.0.1:0", nil, 2, short, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		n.TimeoutScale = snapshotScale
		t.Cleanup(func() { n.Close() })
		return n
	}
	for name, c := range map[string]struct {
		size int64
		ok   bool
	}{"small": {1, false}, "large": {400 * snapshotScale, true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			leader, follower := open(), open()
			go func() {
				rpc := <-follower.Consumer()
				time.AfterFunc(2*short, func() { rpc.Respond(&raft.InstallSnapshotResponse{Success: true}, nil) })
			}()
			req, resp := &raft.InstallSnapshotRequest{Term: 1, Size: c.size}, new(raft.InstallSnapshotResponse)
			err := leader.InstallSnapshot("follower", follower.LocalAddr(), req, resp, strings.NewReader(""))
			if (err == nil) != c.ok {
				t.Errorf("a snapshot of %d bytes that takes twice the time-out: %v", c.size, err)
			}
		})
	}
}
