package fsm

// Birth says which data directory a node ID belongs to: a random number that is made with the
// directory. A node that lost its data and comes back under its old ID has another one.
type Birth struct {
	Node  string `cbor:"1,keyasint"`
	Birth string `cbor:"2,keyasint"`
}

// AdmitNode gives a node ID to a data directory. What had it before is refused from then on.
// AnnounceMember with Removed frees it.
type AdmitNode struct {
	Node Birth `cbor:"1,keyasint"`
}

// apply gives the ID away.
func (c *AdmitNode) apply(m *Machine, _ *applyContext) Result {
	if c.Node.Node == "" || c.Node.Birth == "" {
		return refuse(Invalid, "an admission needs a node and its birth")
	}
	m.membership.births[c.Node.Node] = c.Node.Birth
	return Result{}
}
