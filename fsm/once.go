package fsm

import (
	"fmt"

	"github.com/tokengrove/grove/fsm/answer"
	"github.com/tokengrove/grove/fsm/forest"
	"github.com/tokengrove/grove/fsm/token"
)

// Once is a command of a client that may send it again: under its idempotency key it is applied once, and
// what it gave is remembered in the same step. The command keeps its own kind and bytes, so
// that requests without a key carry nothing of this.
type Once struct {
	Key     answer.Key    `cbor:"1,keyasint"`
	Request answer.Digest `cbor:"2,keyasint"`
	Memo    []byte        `cbor:"3,keyasint,omitempty"` // given back with the result
	Inner   Kind          `cbor:"4,keyasint"`
	Body    []byte        `cbor:"5,keyasint"`

	command Command // what Inner and Body are
}

// NewOnce wraps c, which must have a caller.
func NewOnce(k answer.Key, request answer.Digest, memo []byte, c Command) (*Once, error) {
	kind, body, err := EncodeCommand(c)
	if err != nil {
		return nil, err
	}
	o := &Once{Key: k, Request: request, Memo: memo, Inner: kind, Body: body}
	return o, o.open()
}

// open decodes the command.
func (c *Once) open() error {
	if c.Inner == KindOnce || c.Inner == KindByBatch {
		return fmt.Errorf("a command of kind %d inside of one of kind %d", c.Inner, KindOnce)
	}
	var err error
	if c.command, err = DecodeCommand(c.Inner, c.Body); err != nil {
		return err
	}
	if _, ok := c.command.(interface{ asks() Caller }); !ok {
		return fmt.Errorf("a command of kind %d has no caller that could have an idempotency key", c.Inner)
	}
	return nil
}

// Answer is what a request under an idempotency key was answered.
type Answer struct {
	Request answer.Digest
	Memo    []byte
	Result  Result
	Caller  token.Record // who asked; all of it only while it lives
}

// Answer returns what a caller was answered under a key, if that is remembered and the caller may
// still hear it.
func (m *Machine) Answer(caller token.Hash, k answer.Key, now token.Instant) (Answer, bool) {
	r := m.remembered(caller, k, m.Now(now))
	if r == nil {
		return Answer{}, false
	}
	rs, err := DecodeResults(r.Result)
	if err != nil || len(rs) != 1 {
		return Answer{}, false // Check says so
	}
	a := Answer{Request: r.Request, Memo: r.Memo, Result: rs[0]}
	if r.Remains != nil {
		a.Caller.BoundCIDRs = r.Remains.BoundCIDRs
	} else {
		a.Caller = m.forest.Record(m.forest.Find(caller))
	}
	return a, true
}

// Answers returns how many answers are remembered, and in about how many bytes.
func (m *Machine) Answers() (n, bytes int) { return m.answers.Len(), m.answers.Bytes() }

// remembered finds a record that its caller may still hear at now. A caller that is dead may not, unless its own
// request was what ended it: then revoking it, an ancestor or its path, and its deadline, still count.
func (m *Machine) remembered(caller token.Hash, k answer.Key, now token.Instant) *answer.Record {
	r := m.answers.Find(caller, k, now)
	if r == nil {
		return nil
	}
	ref := m.forest.Find(caller)
	alive := ref != 0 && m.forest.Alive(ref, now)
	if left := r.Remains; left != nil {
		switch {
		case alive: // another token has the hash by now
			return nil
		case left.Final:
			return r
		case left.Deadline != 0 && left.Deadline <= now:
			return nil
		case left.Parent == "":
			return r
		}
		parent := m.forest.FindAccessor(left.Parent)
		alive = parent != 0 && m.forest.Alive(parent, now)
	} else if alive && m.forest.Record(ref).Accessor != r.Accessor {
		return nil
	}
	if !alive {
		return nil
	}
	return r
}

// remains says under which conditions the answers to rec, which has used its last use, are still given.
func (m *Machine) remains(ref forest.Ref, rec *token.Record) answer.Remains {
	left := answer.Remains{Deadline: rec.Deadline, Path: rec.Path, BoundCIDRs: rec.BoundCIDRs}
	if parent := m.forest.Parent(ref); parent != 0 {
		left.Parent = m.forest.Record(parent).Accessor
	}
	return left
}

// apply applies the command, unless the key is known.
func (c *Once) apply(m *Machine, _ *applyContext) Result {
	caller := callerOf(c.command)
	if caller.Token.IsZero() {
		return refuse(Invalid, "an idempotency key needs a caller")
	}
	ref := m.forest.Find(caller.Token)
	var rec token.Record
	if ref != 0 && m.forest.Alive(ref, m.at) {
		rec = m.forest.Record(ref)
	}
	if r := m.remembered(caller.Token, c.Key, m.at); r != nil {
		if r.Request != c.Request {
			return refuse(KeyReused, "this idempotency key was used for another request within the last %s: a new request needs a new key", answer.Lifetime)
		}
		return Result{Code: Replayed}
	}
	switch {
	case rec.Accessor == "":
		return refuse(Forbidden, "permission denied")
	case m.answers.CallerFull(caller.Token):
		return refuse(TooMany, "this token has used %d idempotency keys, or %d MiB of what is remembered for them, within the last %s: wait until the oldest is over, use another token, or send the request without a key",
			answer.MaxKeys, answer.CallerBytes>>20, answer.Lifetime)
	case m.answers.Full():
		return refuse(Unavailable, "what is remembered for idempotency keys has %d MiB, which is all it may have, within the last %s: send the request without a key, or later", answer.TotalBytes>>20, answer.Lifetime)
	case m.namesChanged(c.command, caller.Epoch):
		return Result{Stale: true}
	}
	return m.applyOnce(c, ref, &rec)
}

// namesChanged reports whether a policy of a new token has changed since epoch: the memo says which
// of them do not exist.
func (m *Machine) namesChanged(c Command, epoch uint64) bool {
	create, ok := c.(*CreateToken)
	return ok && m.PoliciesChanged(create.Token.Policies, epoch)
}

// applyOnce applies the command of c, asked for by the live token rec, and remembers what it gave. What is stale or
// unavailable did not happen, and is not remembered.
func (m *Machine) applyOnce(c *Once, ref forest.Ref, rec *token.Record) Result {
	x := applyContext{index: m.index, at: m.at}
	charged, refusal := m.admit(c.command, &x)
	var r Result
	if refusal != nil {
		r = *refusal
	} else {
		r = c.command.apply(m, &x)
	}
	r.Index, r.At, r.Caller = m.index, m.at, charged
	if r.Stale || r.Code == Unavailable {
		return r
	}
	encoded, err := AppendResults(nil, []Result{r})
	if err != nil {
		panic(fmt.Sprintf("a result that cannot be encoded: %v", err))
	}
	kept := answer.Record{Caller: rec.Hash, Accessor: rec.Accessor, Key: c.Key, Request: c.Request, At: m.at, Memo: c.Memo, Result: encoded}
	if !m.forest.Alive(ref, m.at) {
		m.answers.Drop(rec.Hash)
		kept.Remains = &answer.Remains{Final: true}
	}
	m.answers.Add(kept)
	if charged != nil {
		m.useUp(ref, charged)
	}
	return r
}

// checkAnswers verifies what the book cannot know: results can be read, and callers that left nothing
// are tokens.
func (m *Machine) checkAnswers() error {
	if err := m.answers.Check(m.at); err != nil {
		return err
	}
	for _, r := range m.answers.Freeze() {
		if r == nil {
			continue
		}
		if rs, err := DecodeResults(r.Result); err != nil || len(rs) != 1 {
			return fmt.Errorf("a remembered answer of %d results: %w", len(rs), err)
		}
		ref := m.forest.Find(r.Caller)
		if r.Remains == nil && (ref == 0 || m.forest.Record(ref).Accessor != r.Accessor) {
			return fmt.Errorf("a remembered answer of token %s, which is gone", r.Caller)
		}
	}
	return nil
}
