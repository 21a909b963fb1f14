// Package mount holds the bookkeeping of what is mounted where: path, type,
// accessor and the TTL bounds that tokens issued there get.
package mount

import "time"

// Mount is one entry of the mount table. Path ends in a slash and starts with
// "auth/" for login methods. The CBOR keys are on disk: never reuse one.
type Mount struct {
	Path        string        `cbor:"1,keyasint"`
	Type        string        `cbor:"2,keyasint"`
	Accessor    string        `cbor:"3,keyasint"`
	UUID        string        `cbor:"4,keyasint"`
	Description string        `cbor:"5,keyasint,omitempty"`
	DefaultTTL  time.Duration `cbor:"6,keyasint,omitempty"` // 0: the system's
	MaxTTL      time.Duration `cbor:"7,keyasint,omitempty"` // 0: the system's
	TokenType   string        `cbor:"8,keyasint,omitempty"`
	Visibility  string        `cbor:"9,keyasint,omitempty"` // "", unauth or hidden
}
