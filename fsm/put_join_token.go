package fsm

import "time"

// PutJoinToken opens a join token for TTL from now.
type PutJoinToken struct {
	Caller Caller        `cbor:"1,keyasint"`
	Hash   JoinHash      `cbor:"2,keyasint"`
	TTL    time.Duration `cbor:"3,keyasint"`
}

func (c *PutJoinToken) asks() Caller { return c.Caller }

// apply opens the token, and forgets those that are over.
func (c *PutJoinToken) apply(m *Machine, x *applyContext) Result {
	switch {
	case c.Hash == JoinHash{}:
		return refuse(Invalid, "a join token needs a hash")
	case c.TTL <= 0 || c.TTL > MaxJoinTTL:
		return refuse(Invalid, "a join token lives for more than nothing and at most %s", MaxJoinTTL)
	}
	m.joining.forget(x.at)
	if _, ok := m.joining.tokens[c.Hash]; ok {
		return refuse(Invalid, "this join token is there already")
	}
	if len(m.joining.tokens) >= maxJoinTokens {
		return refuse(Invalid, "%d join tokens are open: wait until some are over", maxJoinTokens)
	}
	m.joining.tokens[c.Hash] = JoinToken{Hash: c.Hash, Deadline: x.at.Add(c.TTL)}
	return Result{}
}
