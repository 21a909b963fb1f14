//go:build !linux && !darwin && !freebsd

package main

// hasLeft is for systems that can look without reading.
func (c quietConn) hasLeft() bool { return false }
