package fsm

import "time"

// PutKeyRotation changes when the leader adds a key by itself. What is nil stays as it is.
type PutKeyRotation struct {
	Caller     Caller         `cbor:"1,keyasint"`
	Disabled   *bool          `cbor:"2,keyasint"`
	Interval   *time.Duration `cbor:"3,keyasint"`
	Operations *int64         `cbor:"4,keyasint"`
}

func (c *PutKeyRotation) asks() Caller { return c.Caller }

// apply changes what is given, if the whole then makes sense.
func (c *PutKeyRotation) apply(m *Machine, _ *applyContext) Result {
	r := m.ring.Rotation
	change(&r.Disabled, c.Disabled)
	change(&r.Interval, c.Interval)
	change(&r.Operations, c.Operations)
	if err := r.Check(); err != nil {
		return refuse(Invalid, "%v", err)
	}
	m.ring = m.ring.Rotated(r)
	return Result{}
}

// Kind implements Command.
func (*PutKeyRotation) Kind() Kind { return KindPutKeyRotation }
