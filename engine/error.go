package engine

import "github.com/tokengrove/grove/fsm"

// Denied refuses credentials. It is answered as 400 with Text, after the failure was counted
// against Alias; without an alias it is only answered.
type Denied struct {
	Alias string
	Text  string
}

// Error implements error.
func (d *Denied) Error() string { return d.Text }

// Invalid is a 400 with a text that says what is wrong and what is allowed.
func Invalid(format string, args ...any) error { return fsm.Errorf(fsm.Invalid, format, args...) }

// ErrForbidden is a 403: locked out, or from where this may not come.
var ErrForbidden error = fsm.Errorf(fsm.Forbidden, "permission denied")

// ErrNotFound is a 404 without a text, the answer to a read of nothing.
var ErrNotFound error = fsm.Errorf(fsm.NotFound, "")

// Missing is a 404 with a text.
func Missing(format string, args ...any) error { return fsm.Errorf(fsm.NotFound, format, args...) }

// Unreachable is a 503: what the engine needs outside did not answer in time. The text reaches the
// client, and must hold no secret.
func Unreachable(format string, args ...any) error {
	return fsm.Errorf(fsm.Unavailable, format, args...)
}
