// Package cluster makes a machine replicated: Node is one member of a Grove cluster, with
// Raft, the links between members, the edge pipeline and linearizable reads.
//
// Contract:
//   - Propose has three outcomes, and they are never merged: a Result (applied, or refused
//     by apply); Unavailable (certainly not applied); OutcomeUnknown. A proposal is
//     applied at most once, whatever happens to leaders, connections and this process;
//   - Barrier returns only when the local machine holds everything that was acknowledged
//     anywhere before Barrier was called;
//   - every wait has a deadline; every goroutine is owned by the Node and Close waits for it;
//   - nothing between nodes is plain: links are mutual TLS, gossip is encrypted, and a private key
//     is never in the log;
//   - only Raft decides who is a member. Gossip and configuration are hints of where to ask.
//
// A Node is safe for concurrent use.
package cluster
