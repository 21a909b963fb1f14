// Package history is what happened in a chaos run: every operation of every client, every
// fault, and the audit at the end, in one file.
//
// All times are on one monotonic clock, that of the test's process, from the start of the run. A
// token has a number that only the run knows; its ID, the secret, is never in a history.
// Number 0 is the root token of the cluster, which the run never revokes.
package history
