package fsm

// UnknownJoinToken is why a join token is refused that the machine does not know.
const UnknownJoinToken = "the join token is unknown, or its time is over: make another with `grove operator join-token` on a member"

// UseJoinToken uses up a join token for a node. It succeeds again for the same node only.
type UseJoinToken struct {
	Hash JoinHash `cbor:"1,keyasint"`
	Node NodeKey  `cbor:"2,keyasint"`
}

// apply notes which node has used the token.
func (c *UseJoinToken) apply(m *Machine, x *applyContext) Result {
	t, ok := m.joining.tokens[c.Hash]
	switch {
	case c.Node == NodeKey{}:
		return refuse(Invalid, "a join token is used by the key of a node")
	case !ok || t.Deadline <= x.at:
		return refuse(Forbidden, UnknownJoinToken)
	case t.UsedBy != NodeKey{} && t.UsedBy != c.Node:
		return refuse(Forbidden, "the join token was used already: each lets one node in; make another with `grove operator join-token` on a member")
	}
	t.UsedBy = c.Node
	m.joining.tokens[c.Hash] = t
	return Result{}
}
