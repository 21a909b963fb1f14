// Package queue models how Grove would go on with more nodes, cores and Raft groups: a
// simulation of discrete events in virtual time, and closed forms beside it.
//
// Contract: nothing here is measured. A Config with its seed gives one Result, the same on
// every run: virtual time is an integer, events of one instant happen in the order in which
// they were planned, there is no sleeping, no clock and no goroutine. What things cost is a
// Costs, of which every field says where it was measured.
//
// Invariants, checked in every run (Run fails otherwise): each request gets exactly one
// answer; when the last is answered nothing is under way any more; the integral of the
// number of requests in the system is the sum of the times that they spent in it (Little's
// law, exactly).
//
// What a request does, in one line each:
//
//	write   client → node: HTTP, ACL → edge of (node, group): batch → leader: entry → lane: CPU,
//	        sync → followers: lane: CPU, sync → majority → apply: lane → node → client
//	read    client → node: HTTP, ACL → round of (node, group) → leader: round to a majority →
//	        node: local state → client
//
// A lane is a goroutine that does one thing at a time: Raft's main loop and the machine's
// writer, of each group on each node. All of them and the HTTP work of a node share its cores.
//
// Left out: packets that are lost, elections, garbage collection, the wait of a follower's
// read for the last entries, and any queue in the network.
package queue
