//go:build unix

package main

import (
	"math"
	"syscall"
)

// raiseFiles raises the process's limit of open files as far as the system allows, and returns
// what it is then; 0: unknown.
func raiseFiles() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	if l.Cur < l.Max {
		higher := l
		higher.Cur = l.Max
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &higher) == nil {
			l = higher
		}
	}
	return int(min(uint64(l.Cur), math.MaxInt32))
}
