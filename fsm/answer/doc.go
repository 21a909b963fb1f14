// Package answer remembers what requests with an idempotency key were answered, so that a client may send
// such a request again and be answered the same (P5).
//
// Contract: a Book is a value like the rest of the core. A Record never changes once it is in: what
// happens to a caller replaces its records, so that a frozen list of them may be read while the
// book goes on. Time is passed in.
//
// Invariants, all of them in Check:
//   - a record is found by (caller, key) for Lifetime from the time at which it was made, never longer; nobody's key is
//     forgotten before, but when its caller dies;
//   - records stand in the order of their times, and are swept from the front in bounded steps;
//   - no caller has more than MaxKeys records, and none is added to a caller or to a book that is full;
//   - the sums of bytes, of each caller and of all, are those of the records;
//   - a caller that has used itself up, or revoked itself, leaves records that say so (Remains), all of
//     them the same; the index by its accessor has those and no others.
package answer
