//go:build !race

package queue

// underRace says that the race detector is on.
const underRace = false
