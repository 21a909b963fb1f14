//go:build race

package move

// underRace says that the race detector is on: it makes an exploration ten times slower, and
// there is no second goroutine that it could find.
const underRace = true
