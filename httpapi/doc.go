// Package httpapi is the reference's token API over a replicated machine.
//
// Contract: one route table, one adapter, and handlers that decode, build one command
// or one view, and render. The adapter's checks are an early no; what counts is what
// apply decides in the same step as the effect. A local "no such token" or "denied"
// is only believed after a read barrier. Every request of a limited token is
// charged exactly once, also when it is refused.
//
// The package does not know how commands are replicated: it declares Store and
// Cluster, and whoever wires it hands it an implementation.
package httpapi
