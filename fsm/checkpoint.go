package fsm

// Checkpoint makes every replica compute the hash of its state at the index of the entry. The state
// itself does not change.
type Checkpoint struct{}

// apply tells the replica.
func (*Checkpoint) apply(m *Machine, x *applyContext) Result {
	m.upkeep.checkpoint = x.index
	return Result{}
}

// ConfirmCheckpoint says which hash most voters have at a checkpoint: a replica that has another one
// cannot be trusted. It is in the log, so that one that was away learns of it, too.
type ConfirmCheckpoint struct {
	Verdict Verdict `cbor:"1,keyasint"`
}

// apply tells the replica.
func (c *ConfirmCheckpoint) apply(m *Machine, x *applyContext) Result {
	if c.Verdict.Index == 0 || c.Verdict.Index >= x.index {
		return refuse(Invalid, "a verdict about index %d at index %d", c.Verdict.Index, x.index)
	}
	m.upkeep.verdict = c.Verdict
	return Result{}
}

// Kind implements Command.
func (*Checkpoint) Kind() Kind { return KindCheckpoint }

// Kind implements Command.
func (*ConfirmCheckpoint) Kind() Kind { return KindConfirmCheckpoint }
