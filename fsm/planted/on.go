//go:build planted

package planted

// bug is set by the linker.
var bug string

// Is reports whether the mistake is in this build.
func Is(name string) bool { return name == bug }
