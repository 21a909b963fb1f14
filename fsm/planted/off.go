//go:build !planted

// Package planted is mistakes that are put in on purpose, to show that test/chaos finds them. There are none
// in a server: without the build tag "planted", Is is the constant false, and the compiler removes
// what depends on it. With it, the linker chooses one mistake:
//
//	go build -tags planted -ldflags "-X github.com/tokengrove/grove/fsm/planted.bug=no-barrier" ./cmd/grove
//
// test/chaos/planted.go lists them, and says which checker has to find each.
package planted

// Is reports whether the mistake is in this build.
func Is(string) bool { return false }
