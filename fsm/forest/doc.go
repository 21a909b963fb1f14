// Package forest holds all tokens of a cluster: who descends from whom, what can be
// found by hash, accessor and source path, what is due, and what is dead.
//
// Contract: a Forest is a value without clock, lock or goroutine. One writer, or many
// readers: the lock is the owner's. Everything that can be seen of it (results, rows,
// the order of expiry and of reclaiming) depends only on the operations it went
// through, never on where a token lies in memory, so that a replica that restored a
// snapshot and one that replayed the log stay equal for ever.
//
// # Death
//
// A token is dead when it was revoked, when its deadline has passed, when its source
// path was revoked, or when its parent is dead. Killing a tree of any size marks one
// node (or one path) and puts it into the reclaim queue: O(1), visible at once and
// whole. Reclaim then takes the tree apart in bounded steps; no reader can tell.
//
// What makes that cheap to check is in Alive: while the queue is empty and no deadline
// has passed there is nothing dead in the forest, and the answer is yes without a look
// at any ancestor. Only otherwise are the ancestors walked.
//
// # Memory
//
// Nodes are 144 bytes, hold no pointers and link to each other by 32-bit Refs; they lie
// in pages of 128, which Freeze shares and the writer clones before its first write.
// What tokens have in common (policies, metadata, TTLs, ...) is stored once per distinct
// set of values. The hash and accessor indexes hold 5 bytes a slot and no pointers. Nothing is
// a plain slice that grows with the tokens: one insertion would copy it as a whole.
//
// # Invariants
//
// All of them are verified by Check:
//   - hash and accessor lead to their token and to no other (a bijection, P7);
//   - the children of a node form one list, newest first, and are younger than it;
//   - the tokens of a source path form one list, newest first; a path without tokens
//     does not exist; the live paths are in the ordered index, each once;
//   - a token is in the deadline heap if and only if it is active and has a deadline;
//   - a token or path is in the reclaim queue if and only if it was revoked itself;
//   - no dead token gets children: below a queued token nothing is added;
//   - properties and paths exist as long as something refers to them.
package forest
