package fsm

import "github.com/tokengrove/grove/fsm/storage"

// WriteCubbyhole puts an entry into the caller's own cubbyhole. The value is sealed.
type WriteCubbyhole struct {
	Caller Caller `cbor:"1,keyasint"`
	Path   string `cbor:"2,keyasint"`
	Value  []byte `cbor:"3,keyasint"`
	// Replaces: the edge saw an entry there, which is another capability than making one.
	Replaces bool `cbor:"4,keyasint,omitempty"`
}

func (c *WriteCubbyhole) asks() Caller { return c.Caller }

// moved reports whether the edge decided about the wrong one of create and update.
func (c *WriteCubbyhole) moved(m *Machine) bool {
	return (m.cubbyholes.held.Of(c.Caller.Token).Find(c.Path).Version != 0) != c.Replaces
}

// apply writes the entry.
func (c *WriteCubbyhole) apply(m *Machine, x *applyContext) Result {
	if x.caller == 0 {
		return refuse(Invalid, "a cubbyhole is that of a token")
	}
	r, _ := m.cubbyholes.put(c.Caller.Token, c.Path, storage.Entry{Value: c.Value, Version: x.index})
	return r
}
