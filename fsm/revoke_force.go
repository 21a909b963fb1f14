package fsm

import "strings"

// RevokeForce is RevokePrefix for what cannot be taken back: leases below the prefix, also those that are in the queue
// already, are tried once and then forgotten.
type RevokeForce struct {
	Caller Caller `cbor:"1,keyasint"`
	Prefix string `cbor:"2,keyasint"`
}

func (c *RevokeForce) asks() Caller { return c.Caller }

// apply kills everything at the prefix and below it.
func (c *RevokeForce) apply(m *Machine, _ *applyContext) Result {
	path := strings.TrimRight(c.Prefix, "/")
	if path == "" {
		return refuse(Invalid, "a prefix is needed; the empty one would revoke every token")
	}
	m.cut(path, true)
	return Result{Count: m.revokeBelow(path)}
}
