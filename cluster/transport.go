package cluster

import (
	"time"

	"github.com/hashicorp/raft"
)

const (
	// raftTimeout bounds one message of Raft, answer included.
	raftTimeout = 10 * time.Second
	// snapshotScale is how much of a snapshot is sent and restored in that time at least.
	snapshotScale = 16 << 20
)

// transport is raft's TCP transport without the fast path for heartbeats: handled off the
// main thread, heartbeats can keep a leader that has lost its followers' logs alive after a
// partition heals (#695). Pre-vote and Close come from the embedded transport.
type transport struct {
	*raft.NetworkTransport
	stand func() error // why the node asks for no votes now; nil: it always may
}

// newTransport is Raft's share of the port. Raft gives the transfer of a snapshot the time-out once
// for every snapshotScale bytes: 5 GB/h, where the library's scale would let a member that has stopped hold
// a transfer of 1 GB for eleven hours.
func (n *Node) newTransport() *raft.NetworkTransport {
	t := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: streamLayer{n.links}, MaxPool: 4, Timeout: raftTimeout, Logger: n.log.Named("raft-net"),
	})
	t.TimeoutScale = snapshotScale
	return t
}

// SetHeartbeatHandler implements raft.Transport and does nothing.
func (transport) SetHeartbeatHandler(func(raft.RPC)) {}

// AppendEntriesPipeline implements raft.Transport.
func (t transport) AppendEntriesPipeline(id raft.ServerID, addr raft.ServerAddress) (raft.AppendPipeline, error) {
	p, err := t.NetworkTransport.AppendEntriesPipeline(id, addr)
	if err != nil {
		return nil, err
	}
	return newPipeline(p), nil
}

// pipelineSlack is how many answers of a follower may wait for Raft.
const pipelineSlack = 1024

// pipelined is raft's pipeline with room for answers. When a follower refuses an append, because
// there is a newer term or its log differs, Raft stops reading answers at once, and sends on until it
// notices. Without room the sender then waits for the reader of answers, which waits for
// Raft, for ever: the follower gets nothing more in this term, and Shutdown never returns.
type pipelined struct {
	raft.AppendPipeline
	answers chan raft.AppendFuture
	closed  chan struct{}
}

func newPipeline(p raft.AppendPipeline) *pipelined {
	w := &pipelined{AppendPipeline: p, answers: make(chan raft.AppendFuture, pipelineSlack), closed: make(chan struct{})}
	go w.run()
	return w
}

// run hands answers on until Close.
func (p *pipelined) run() {
	for {
		select {
		case f := <-p.AppendPipeline.Consumer():
			select {
			case p.answers <- f:
			case <-p.closed:
				return
			}
		case <-p.closed:
			return
		}
	}
}

// Consumer implements raft.AppendPipeline.
func (p *pipelined) Consumer() <-chan raft.AppendFuture { return p.answers }

// Close implements raft.AppendPipeline. Raft calls it once.
func (p *pipelined) Close() error {
	close(p.closed)
	return p.AppendPipeline.Close()
}
