//go:build race

package sim

// underRace says that the race detector is on: it makes the simulation ten times slower, and a
// machine has no second goroutine that it could find.
const underRace = true
