package fsm

func (c *UseToken) asks() Caller { return c.Caller }

// apply has nothing left to do: admitting the caller charged the use.
func (*UseToken) apply(*Machine, *applyContext) Result { return Result{} }
