package load

import (
	"context"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

// insistence is how long a client sends a creation again under its key.
const insistence = 60 * time.Second

// rootKeys bounds the keys that are used with the root token: a server remembers 1,000 a token.
const rootKeys = 800

// insist sends a keyed request until there is an answer, on one node after the other, and notes all of it as
// one operation: the key makes it one.
func (c *client) insist(o history.Operation, a ask, node int) reply {
	o.Number = c.number.Add(1)
	o.Node = int32(node)
	o.Invoke = c.cfg.Clock.Now()
	maybe := false
	var r reply
	for sent := int32(1); ; sent++ {
		begin := c.cfg.Clock.Now()
		r = c.wire.send(context.Background(), node, a)
		maybe = maybe || r.outcome == history.Unknown
		o.Request.Sent, o.Node = sent, int32(node)
		if r.outcome == history.Applied || r.outcome == history.Refused || c.cfg.Clock.Now()-o.Invoke > insistence {
			break
		}
		c.noteAttempt(r, begin, node)
		c.told(node, r)
		node = (node + 1) % len(c.cfg.Nodes)
		time.Sleep(50 * time.Millisecond)
	}
	if maybe && r.outcome != history.Applied { // refused now, say because the parent is dead, but it may have been there
		r.outcome = history.Unknown
	}
	o.Return = c.cfg.Clock.Now()
	o.Outcome, o.Answer = r.outcome, r.answer
	c.cfg.Writer.Operation(o)
	return r
}

// noteAttempt notes a sending that failed.
func (c *client) noteAttempt(r reply, begin time.Duration, node int) {
	c.failed.Add(1)
	c.cfg.Writer.Operation(history.Operation{
		Number: c.number.Add(1), Client: c.index, Node: int32(node), Kind: history.Attempt, Outcome: r.outcome,
		Invoke: begin, Return: c.cfg.Clock.Now(), Answer: r.answer,
	})
}

// replay sends the creation of s once more: the answer must be the one that was given before.
func (c *client) replay(s *sprout) {
	if !s.keyed {
		return
	}
	a := ask{method: "POST", path: "auth/token/create", token: c.cfg.Root, key: c.key(s.number)}
	q := history.Request{Uses: s.uses, TTL: c.ttl(s.tree)}
	if s.parent != nil {
		a.token = s.parent.id
	} else {
		a.path = s.tree.path
	}
	a.body = createBody(s.number, q)
	o := c.op(history.Replay, s)
	if o.By = 0; s.parent != nil {
		o.By = s.parent.number
	}
	node := c.other()
	c.told(node, c.record(o, a, node))
}
