// Package engine is what talks to the outside world for Grove: login methods (Method) and lease engines (Secrets).
//
// Contract: an engine knows neither Raft nor routes. It declares paths below its mount, and a
// handler for each operation. A handler runs at the node that got the request, without any lock, under a
// deadline (ctx); it reads and writes the storage of its mount through a Tx, and says what shall
// happen in its Response. All of that then happens in one replicated step, or, when something that the handler has
// read was changed meanwhile, not at all: then the handler runs again, from the start. So
// a handler has no effects of its own on the state, keeps nothing between calls that matters, and may be
// called more than once for one request. What a lease engine makes outside, it makes in Secret.Make alone, after
// what is needed to take it back is replicated.
//
// Invariants: what a client must not read is stored as a hash or sealed (Sealer), never in clear;
// wrong credentials and unknown users get the same answer, after the same work.
package engine
