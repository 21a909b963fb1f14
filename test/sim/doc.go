// Package sim checks the state machine against a naive model, by seed.
//
// A seed makes a sequence of log entries. Each entry is applied to a machine and to a
// model that is too simple to be wrong: maps, pointers and a walk to the root for every
// question. Results and every token's state must agree after each entry; Machine.Check
// must hold; a replica restored from a snapshot of the index before must give the same
// bytes after the entry; and at the end a replay of the whole log must give them too.
//
// A failure names the seed and the step, and the command that repeats it.
package sim
