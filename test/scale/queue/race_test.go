//go:build race

package queue

// underRace says that the race detector is on: it makes the model ten times slower, and there is
// no second goroutine that it could find.
const underRace = true
