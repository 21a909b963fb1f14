package fsm

// Prepare is the first of two steps of an engine: what it writes before it does something outside, so that it can be
// found again whatever happens. It charges nothing: the request is charged by its second step, a Transact.
type Prepare struct {
	Step Transact `cbor:"1,keyasint"`
}

func (c *Prepare) asks() Caller { return c.Step.Caller }

func (c *Prepare) moved(m *Machine) bool { return c.Step.moved(m) }

// apply writes what the engine has written.
func (c *Prepare) apply(m *Machine, x *applyContext) Result {
	if c.Step.Login != nil || c.Step.Renew != nil {
		return refuse(Invalid, "a first step has no effect but what it writes")
	}
	return c.Step.apply(m, x)
}
