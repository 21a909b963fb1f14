// Package lease holds what tokens have been lent: things outside of Grove, each with a lease of the
// token that asked for it, and the queue of those that must be taken back.
//
// Contract: a Book is a value without clock, lock or goroutine; the lock is the owner's. Everything that can be seen of
// it depends only on the operations it went through.
//
// # One row, three states
//
// A row is what is known of one thing outside, from before it is made until it is certain that it is gone:
//
//	            commit             its token, its path or its time ends
//	Intended ───────────► Active ───────────────────────► Revoking ──► gone, when what is outside is
//	    └───────────────────────────────────────────────────►┘
//	          abandoned, or its deadline has passed
//
// Nothing leaves in any other way: that is what "no leak" means here. An intent stays while its token dies, because
// what it stands for may be being made at that moment; it is doomed, and cannot become a lease any more.
//
// # Death
//
// A lease is dead to every reader in the step in which its token or an ancestor dies (the caller asks the forest), its
// prefix is cut, or its time is over. Rows become revocations later, in bounded steps: the forest tells of
// every token that it removes (Died, O(1)), cuts and deadlines are looked at by Reclaim.
//
// # The queue
//
// Revocations are due in the order of (time of the next attempt, turn). Those of a mount that share a resource
// form a line in the order of their turns: only the head of a line is ever due. A parked one has left its line.
//
// # Invariants
//
// All of them are verified by Check, which makes every index again from the rows:
//   - a row that is Intended (and not doomed) or Active belongs to one owner: a live token, or one that is dying;
//   - an owner has rows; a number stands for one life of one hash, so that who takes a hash again inherits nothing;
//   - an Intended or Active row is in the deadline index, once;
//   - a row that is Revoking is in the queue if and only if it is not parked and the head of its line.
package lease
