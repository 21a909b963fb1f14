package main

import "time"

// timerSlack is how late the kernel may fire a server's timers. Linux fires them up to 50 µs late by itself, and Go's
// scheduler then looks after its threads every 70 µs for as long as one of them computes or waits for a disk: with an
// fdatasync of some 300 µs an entry, always. That was a seventh of a node's CPU time, and a third of its context switches. Nothing
// of Grove counts in less than milliseconds.
const timerSlack = time.Millisecond
