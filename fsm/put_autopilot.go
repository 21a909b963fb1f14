package fsm

import "time"

// PutAutopilot changes how the leader looks after the members. What is nil stays as it is.
type PutAutopilot struct {
	Caller                         Caller         `cbor:"1,keyasint,omitzero"`
	CleanupDeadServers             *bool          `cbor:"2,keyasint,omitempty"`
	LastContactThreshold           *time.Duration `cbor:"3,keyasint,omitempty"`
	DeadServerLastContactThreshold *time.Duration `cbor:"4,keyasint,omitempty"`
	MaxTrailingLogs                *uint64        `cbor:"5,keyasint,omitempty"`
	MinQuorum                      *uint64        `cbor:"6,keyasint,omitempty"`
	ServerStabilizationTime        *time.Duration `cbor:"7,keyasint,omitempty"`
}

func (c *PutAutopilot) asks() Caller { return c.Caller }

// apply changes what is given, if the whole then makes sense.
func (c *PutAutopilot) apply(m *Machine, _ *applyContext) Result {
	a := m.membership.autopilot
	change(&a.CleanupDeadServers, c.CleanupDeadServers)
	change(&a.LastContactThreshold, c.LastContactThreshold)
	change(&a.DeadServerLastContactThreshold, c.DeadServerLastContactThreshold)
	change(&a.MaxTrailingLogs, c.MaxTrailingLogs)
	change(&a.MinQuorum, c.MinQuorum)
	change(&a.ServerStabilizationTime, c.ServerStabilizationTime)
	if err := a.check(); err != nil {
		return refuse(Invalid, "%v", err)
	}
	m.membership.autopilot, m.membership.set = a, true
	return Result{}
}

func change[T any](dst, to *T) {
	if to != nil {
		*dst = *to
	}
}
