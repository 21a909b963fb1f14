// Package bench loads servers that speak the token API and measures what they answer: rates,
// latencies, and whether the promises of a token store hold meanwhile.
//
// Contract: Run takes a Config, runs its workloads one after the other and hands out a Result
// for each. All tokens that a run makes are descendants of one token, its parent, which is
// revoked at the end; only the workload fill, and Config.Keep, leave tokens behind.
//
// Invariants: a request is counted once, as a success or under the class of its failure; the
// latency of a failure is never mixed with those of successes; at a fixed rate a latency
// starts when the request was due, not when a client was free to send it, so that a server
// which stalls cannot hide the requests it kept from being sent. A result in which nothing
// succeeded, or a promise was broken, is an error of Run.
package bench
