package fsm

import "fmt"

// Code says what kind of refusal an Error is. The numbers are on the wire and in
// snapshots (results of edge sessions): never renumber or reuse one.
type Code uint8

// The vocabulary of refusals, one for the whole project. Invalid, Forbidden and
// NotFound come from apply; Unavailable and OutcomeUnknown from the cluster layer.
const (
	Invalid        Code = 1 // the request can never succeed as it is
	Forbidden      Code = 2 // unknown, expired or revoked caller, or not allowed
	NotFound       Code = 3
	Unavailable    Code = 4 // certainly not applied; try again
	OutcomeUnknown Code = 5 // may or may not have been applied
	// NoSession: the proposal's edge session is not known to the machine (idle for more than
	// SessionIdle, or never opened). It was not applied now; whether an earlier sending was is unknown.
	NoSession Code = 6
	// Replayed: the idempotency key was used for this very request before; nothing happened now, and
	// Machine.Answer has what was said then.
	Replayed  Code = 7
	KeyReused Code = 8 // the idempotency key was used for another request
	TooMany   Code = 9 // the caller has as many idempotency keys as it may have; nothing happened
)

// Error is a refusal that is safe to show to a client. Match with errors.As.
type Error struct {
	Code    Code
	Message string
}

// Error implements error.
func (e *Error) Error() string { return e.Message }

// Errorf makes an Error.
func Errorf(c Code, format string, args ...any) *Error {
	return &Error{Code: c, Message: fmt.Sprintf(format, args...)}
}
