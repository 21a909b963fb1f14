//go:build !race

package scale

// underRace says that the race detector is on.
const underRace = false
