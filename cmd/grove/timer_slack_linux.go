package main

import (
	"fmt"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// startedAgain is in the environment of a program that was started again.
const startedAgain = "GROVE_STARTED_AGAIN"

// slacken gives all threads of the process the timer slack. A thread has that of the thread which made it, and Go's
// scheduler has threads before main runs: so the process starts its program again, once, with what this thread has then (execve(2)
// keeps it). A service manager can set it instead (TimerSlackNSec=).
//
// It returns if there is nothing to do, or an error if it cannot be done.
func slacken() error {
	runtime.LockOSThread() // until execve
	defer runtime.UnlockOSThread()
	now, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	switch {
	case err != nil:
		return fmt.Errorf("reading the timer slack: %w", err)
	case int64(now) >= timerSlack.Nanoseconds():
		return nil
	case os.Getenv(startedAgain) != "": // not for ever, on a system that forgets it
		return fmt.Errorf("the system has a timer slack of %d ns, and does not keep another", now)
	}
	file, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding the program: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack.Nanoseconds()), 0, 0, 0); err != nil {
		return fmt.Errorf("setting the timer slack: %w", err)
	}
	return fmt.Errorf("starting %s again: %w", file, syscall.Exec(file, os.Args, append(os.Environ(), startedAgain+"=1")))
}
