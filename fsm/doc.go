// Package fsm is Grove's deterministic state machine: the token forest and what
// decides about it (policies, roles, mounts, edge sessions), and what tokens have been lent.
//
// Contract: the core is a value. No I/O, clock, randomness, goroutine, channel,
// mutex, context or logger lives here; whoever owns a Machine holds a lock around
// it, one writer (Apply) or many readers. Equal logs give equal states: byte-equal
// snapshot rows on every replica, whether it replayed the log or restored a snapshot.
//
// Invariants, all of them listed and checked by Machine.Check:
//   - a command does everything in one step: the caller is alive, one use of a limited
//     caller is charged, the authorisation epoch is current, then the effect (P1, P2);
//   - when a token is dead, so are all its descendants, at the same index and at the
//     same instant, reclaimed or not (P3, P4);
//   - a proposal (session, sequence) is applied at most once and answers the same (P5);
//   - a client's request under an idempotency key is applied at most once in 24 h, and what it was answered is there
//     in the same step (P5);
//   - what a token was lent is dead when it is, and stays known until it is taken back (P3, P7);
//   - hash, accessor, parent, path and deadline indexes agree with the tokens (P7).
package fsm
