// Package seal hides what the edges must be able to read again: in the log, in snapshots, and in the hands of
// clients.
//
// Contract: data is sealed under a data key, of which there is one for each term; data keys are in the replicated
// state, sealed under the seal key, which is on the nodes and nowhere else. So a log or a snapshot opens nothing,
// and a new term needs no more than an entry. Old terms stay readable. Everything is XChaCha20-Poly1305 with random
// nonces of 192 bits, which need no counting.
//
// A Keyring is safe for concurrent use.
package seal
