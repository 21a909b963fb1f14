// Package move is the protocol by which a shard (the trees whose IDs name it) would go from
// one Raft group to another, as a state machine small enough to visit every state of it. It
// is a design under test: nothing in Grove runs it yet. docs/scale.md says what it is for.
//
// Contract: Explore visits all states that a Scenario can reach. Any step may be late, and
// every message that was ever sent may arrive at any later moment, again and again, or never:
// that covers crashes of the mover and of leaders, lost answers and delayed copies. A group,
// and the directory, are replicated state machines, and lose nothing.
//
// The protocol, for a move of epoch e from group F to group T:
//
//	plan       the directory's log: shard → T at e. From here on somebody will finish it.
//	freeze     an entry of F: from its index F applies nothing to the shard. Requests wait.
//	send       F's rows, in parts.
//	receive    entries of T; a part of an epoch that is not above T's is refused.
//	ready      an entry of T, when all parts are there.
//	commit     the directory's log: the owner is T at e. Or abort: it is still F, at e.
//	activate   an entry of T: it serves. Before, it applies the fences that it has seen.
//	release    an entry of F: it forgets the rows. After an abort: thaw at F, drop at T.
//
// A fence (a prefix revocation over all groups) is an entry of the directory, then one of each
// group, and is acknowledged when all have applied it. It kills the rows that a group holds,
// in whatever role, and at activation those that came in meanwhile.
//
// An edge that got no answer asks the same group again under the same number. Only when that
// group says that the shard is not its, as a result that it remembers like any other, the edge
// proposes anew at the other group.
//
// # Invariants, checked in every state
//
//   - at most one group serves the shard;
//   - a request is decided at most once, whichever groups it was sent to;
//   - whoever serves has the rows as they are after all that was applied anywhere: nothing is
//     lost, nothing doubled;
//   - when a fence was acknowledged, whoever serves has only fenced rows, now and later;
//   - from every state there is a way to the end: one group serves, each request is answered.
package move
