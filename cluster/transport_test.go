package cluster

import (
	"errors"
	"io"
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
