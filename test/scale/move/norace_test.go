//go:build !race

package move

// underRace says that the race detector is on.
const underRace = false
