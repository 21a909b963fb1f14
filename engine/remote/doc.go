// Package remote asks JSON APIs of other servers, for engines that need to know something from outside.
//
// Contract: a call ends within ten seconds, or when its context does; its answer has a bounded size; and a server that is
// slow keeps a bounded number of calls waiting, and with them a bounded part of the node: one more is refused
// at once. A redirect is followed only within the same server, because credentials are sent along.
//
// What goes wrong is engine.Unreachable, and told by its kind ("did not answer in time"), never with an address, a body or a
// credential: whoever tries to log in reads it.
package remote
