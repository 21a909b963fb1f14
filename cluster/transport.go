package cluster

import "github.com/hashicorp/raft"

// transport is raft's TCP transport without the fast path for heartbeats: handled off the
// main thread, heartbeats can keep a leader that has lost its followers' logs alive after a
// partition heals (#695). Pre-vote and Close come from the embedded transport.
type transport struct {
	*raft.NetworkTransport
}

// SetHeartbeatHandler implements raft.Transport and does nothing.
func (transport) SetHeartbeatHandler(func(raft.RPC)) {}
