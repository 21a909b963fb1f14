// Package load is the clients of a chaos run: they grow trees of tokens, use, renew, look at and revoke them
// through all nodes, and write down what they asked for and what they were told.
//
// Trees live in a shared garden, so that clients of different nodes meet at the same tokens: uses race
// uses, creations race the revocation of their parents, and a token is asked for on one node right
// after another one has made or killed it. A client sends every request once, unless it has an
// Idempotency-Key; nothing below it sends one again.
package load
