package fsm

// DeleteCubbyhole takes an entry out of the caller's own cubbyhole, if it is there.
type DeleteCubbyhole struct {
	Caller Caller `cbor:"1,keyasint"`
	Path   string `cbor:"2,keyasint"`
}

func (c *DeleteCubbyhole) asks() Caller { return c.Caller }

// apply takes the entry out.
func (c *DeleteCubbyhole) apply(m *Machine, _ *applyContext) Result {
	held := m.cubbyholes.held
	m.cubbyholes.held = held.With(c.Caller.Token, held.Of(c.Caller.Token).Delete(c.Path))
	return Result{}
}
