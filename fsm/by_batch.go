package fsm

import (
	"fmt"
	"slices"
)

// ByBatch is a command that a batch token asks for. The machine does not know the token: the edge has opened it, and brings what it
// says of itself. The command keeps its own kind and bytes, and names no caller; its epoch is that of the
// decision.
type ByBatch struct {
	Token BatchToken `cbor:"1,keyasint"`
	Inner Kind       `cbor:"2,keyasint"`
	Body  []byte     `cbor:"3,keyasint"`

	command Command // what Inner and Body are
}

// notForBatch are commands about their caller, which a batch token has no part in.
var notForBatch = []Kind{KindInitialize, KindCreateToken, KindUseToken, KindWriteCubbyhole, KindDeleteCubbyhole, KindOnce, KindBeginLease, KindCommitLease, KindIssueLease, KindIssueBatch, KindByBatch}

// NewByBatch wraps c, which must have an epoch and no caller.
func NewByBatch(b *BatchToken, c Command) (*ByBatch, error) {
	kind, body, err := EncodeCommand(c)
	if err != nil {
		return nil, err
	}
	o := &ByBatch{Token: *b, Inner: kind, Body: body}
	return o, o.open()
}

// open decodes the command.
func (c *ByBatch) open() error {
	if slices.Contains(notForBatch, c.Inner) {
		return fmt.Errorf("a command of kind %d is not for a batch token", c.Inner)
	}
	var err error
	if c.command, err = DecodeCommand(c.Inner, c.Body); err != nil {
		return err
	}
	if a, ok := c.command.(interface{ asks() Caller }); !ok || !a.asks().Token.IsZero() {
		return fmt.Errorf("a command of kind %d that has no caller, or another one than a batch token", c.Inner)
	}
	return nil
}

// apply applies the command, if the token lives and nothing that the decision relied on has changed.
func (c *ByBatch) apply(m *Machine, x *applyContext) Result {
	if !m.BatchAlive(&c.Token, m.at) {
		return refuse(Forbidden, "permission denied")
	}
	epoch := callerOf(c.command).Epoch
	if m.outdated(c.command, epoch, func(changed func(string) bool) bool { return slices.ContainsFunc(c.Token.Policies, changed) }) {
		return Result{Stale: true}
	}
	if ground, ok := c.command.(interface{ moved(*Machine) bool }); ok && ground.moved(m) {
		return Result{Stale: true}
	}
	return c.command.apply(m, &applyContext{index: x.index, at: x.at})
}

// Kind implements Command.
func (*ByBatch) Kind() Kind { return KindByBatch }
