// Command size measures real server processes that hold many tokens: what a token occupies, how long
// a restart takes, what others wait for while a snapshot is taken or saved through the API and what a restore takes, while a tree of a million dies, and while a
// follower that was down catches up by snapshot. It prints one table of verdicts.
//
// Contract: the nodes are processes of the binary that ships, on loopback, in folders of their own that are
// deleted at the end. Their tokens are made in this process by the same commands, and laid down as a
// snapshot of Raft: through the API, five million would take an hour. A broken promise (a token that is
// alive and should not be, a lost write) is an error; a time that is missed is only said.
package main
