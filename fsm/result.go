package fsm

import (
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// Result is what one command gave. It crosses the wire from the leader to the
// edge and stays in the edge session's window until the edge has seen it, so it
// is a value without references into the state.
type Result struct {
	// Code is 0 when the command was applied; otherwise a refusal with Message.
	Code    Code   `cbor:"1,keyasint,omitempty"`
	Message string `cbor:"2,keyasint,omitempty"`
	// Stale means that the caller's authorisation epoch is no longer the machine's: nothing
	// happened, nothing was charged; the edge evaluates again and proposes anew.
	Stale bool `cbor:"3,keyasint,omitempty"`
	// Index is the log index of the entry; a read at this index or later sees the effect.
	Index uint64 `cbor:"4,keyasint"`
	// Caller is the caller as it was charged (UsesLeft already decremented); nil unless
	// the caller is a limited token.
	Caller *token.Record `cbor:"5,keyasint,omitempty"`
	// Token is the token that was created or renewed, after the effect.
	Token *token.Record `cbor:"6,keyasint,omitempty"`
	// Granted is the TTL that a renewal gave. Asked and Max are set when it was capped.
	Granted time.Duration `cbor:"7,keyasint,omitempty"`
	Asked   time.Duration `cbor:"8,keyasint,omitempty"`
	Max     time.Duration `cbor:"9,keyasint,omitempty"`
	// Count is the number of tokens a revocation or expiry named directly.
	Count uint64 `cbor:"10,keyasint,omitempty"`
	// At is the machine's time at which the command was applied.
	At token.Instant `cbor:"11,keyasint"`
}

// Err returns the refusal in r as an *Error, or nil.
func (r *Result) Err() error {
	if r.Code == 0 {
		return nil
	}
	return &Error{Code: r.Code, Message: r.Message}
}
