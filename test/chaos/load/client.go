package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

// client is one client. It talks to its home, and to any node when it wants to know what others
// see; it moves when its home does not answer.
type client struct {
	*Load
	index int32
	home  int
	rand  *rand.Rand
}

func (c *client) run(ctx context.Context) {
	for ctx.Err() == nil {
		if c.turns != nil {
			select {
			case <-c.turns:
			case <-ctx.Done():
				return
			}
		}
		c.step()
	}
}

// step is one thing that a client does, of one or a few requests.
func (c *client) step() {
	s, whole := c.garden.pick(c.rand)
	switch {
	case whole != nil:
		c.fell(whole)
	case s == nil:
		c.seed()
	default:
		c.tend(s)
	}
}

// tend does something with a token that is alive, as far as anybody knows.
func (c *client) tend(s *sprout) {
	switch n := c.rand.IntN(100); {
	case n < 28 && s.uses == 0 && !c.garden.full(s.tree):
		c.branch(s, c.home)
	case n < 70:
		c.use(s, c.home)
	case n < 80:
		c.look(s, c.home)
	case n < 90:
		c.renew(s, c.home)
	case n < 93 && s.parent != nil && !s.tree.brief:
		c.prune(s)
	case n < 96 && c.keyed:
		c.replay(s)
	default:
		c.use(s, c.other())
	}
}

// other is any node.
func (c *client) other() int { return c.rand.IntN(len(c.cfg.Nodes)) }

// told moves the client when its home has failed it.
func (c *client) told(node int, r reply) reply {
	if node == c.home && (r.outcome == history.Unknown || r.outcome == history.Not) {
		c.home = (c.home + 1) % len(c.cfg.Nodes)
	}
	return r
}

func (c *client) op(k history.Kind, s *sprout) history.Operation {
	return history.Operation{Client: c.index, Kind: k, Token: s.number, By: s.number}
}

func (c *client) use(s *sprout, node int) {
	c.told(node, c.record(c.op(history.Use, s), ask{method: "POST", path: "auth/token/lookup-self", token: s.id}, node))
}

func (c *client) look(s *sprout, node int) {
	o := c.op(history.Lookup, s)
	o.By = 0
	c.told(node, c.record(o, ask{method: "POST", path: "auth/token/lookup", token: c.cfg.Root, body: map[string]any{"token": s.id}}, node))
}

func (c *client) renew(s *sprout, node int) {
	o := c.op(history.Renew, s)
	o.Request.TTL = c.ttl(s.tree)
	c.told(node, c.record(o, ask{method: "POST", path: "auth/token/renew-self", token: s.id, body: map[string]any{"increment": o.Request.TTL.String()}}, node))
}

// ttl is what the tokens of a tree ask for.
func (*client) ttl(t *tree) time.Duration {
	if t.brief {
		return 4 * time.Second
	}
	return 2 * time.Hour
}

// seed makes a new tree: under the root token, an orphan, or at a path that is revoked now and then.
func (c *client) seed() {
	t := &tree{lifetime: 10 + c.rand.IntN(treeRequests-10), brief: c.rand.IntN(16) == 0, path: "auth/token/create"}
	a := ask{method: "POST", path: "auth/token/create", token: c.cfg.Root}
	switch n := c.rand.IntN(3); {
	case n == 0:
		t.path = "auth/token/create-orphan"
		a.path = t.path
	case n == 1 && !t.brief:
		t.path = "auth/token/create/" + role(c.rand.IntN(paths))
		a.path = t.path
	}
	c.make(&sprout{tree: t}, a, c.home)
}

// branch makes a child of s. A limited one is a leaf; the next thing is often done to it at once, on any
// node.
func (c *client) branch(s *sprout, node int) {
	child := &sprout{tree: s.tree, parent: s}
	if c.rand.IntN(2) == 0 {
		child.uses = 1 + c.rand.Int32N(5)
	}
	if !c.make(child, ask{method: "POST", path: "auth/token/create", token: s.id}, node) {
		return
	}
	switch c.rand.IntN(4) {
	case 0:
		c.renew(child, c.other())
	case 1:
		c.use(child, c.other())
	}
}

// make creates s, and reports whether it was made.
func (c *client) make(s *sprout, a ask, node int) bool {
	s.number = c.garden.number()
	o := c.op(history.Create, s)
	o.By = 0
	if s.parent != nil {
		o.By = s.parent.number
	}
	path := a.path
	o.Request = history.Request{Uses: s.uses, TTL: c.ttl(s.tree), Path: path, Orphan: path == "auth/token/create-orphan"}
	a.body = createBody(s.number, o.Request)
	var r reply
	if s.keyed = c.keyed && (s.parent != nil || s.number <= rootKeys); s.keyed {
		a.key = c.key(s.number)
		r = c.insist(o, a, node)
	} else {
		r = c.told(node, c.record(o, a, node))
	}
	if r.outcome != history.Applied || r.body.Auth == nil {
		return false
	}
	s.id = r.body.Auth.ClientToken
	c.garden.plant(s, r.answer.Accessor)
	return true
}

func (l *Load) key(n history.Token) string { return fmt.Sprintf("%s%d", l.keyPrefix, n) }

func createBody(n history.Token, q history.Request) map[string]any {
	return map[string]any{
		"policies": []string{"chaos"}, "no_default_policy": true, "ttl": q.TTL.String(), "num_uses": q.Uses, "meta": map[string]string{"token": fmt.Sprint(n)},
	}
}

// prune kills a part of a tree, often while somebody adds to it, and looks at once whether it is dead.
func (c *client) prune(s *sprout) {
	c.garden.cut(s)
	c.duel(s, func() {
		o, a := c.op(history.Revoke, s), ask{method: "POST", path: "auth/token/revoke", token: c.cfg.Root, body: map[string]any{"token": s.id}}
		if c.rand.IntN(3) == 0 {
			a = ask{method: "POST", path: "auth/token/revoke-self", token: s.id}
		} else {
			o.By = 0
		}
		c.told(c.home, c.record(o, a, c.home))
	})
	c.probe(s)
}

// duel runs kill while a child is made below s on another node, and used if that worked.
func (c *client) duel(s *sprout, kill func()) {
	var running sync.WaitGroup
	if p := c.garden.below(s, c.rand); p.uses == 0 && c.rand.IntN(3) != 0 {
		rival := &client{Load: c.Load, index: c.index, home: c.other(), rand: rand.New(rand.NewPCG(c.rand.Uint64(), 0))}
		child := &sprout{tree: p.tree, parent: p}
		running.Go(func() {
			if rival.make(child, ask{method: "POST", path: "auth/token/create", token: p.id}, rival.home) {
				rival.use(child, rival.other())
			}
		})
	}
	kill()
	running.Wait()
}

// probe asks for what should be dead, on any node.
func (c *client) probe(s *sprout) {
	for range 2 {
		c.use(c.garden.below(s, c.rand), c.other())
	}
}

// fell kills a whole tree: its root, or, with others, by its source path.
func (c *client) fell(t *tree) {
	root := t.tokens[0]
	if t.path == "auth/token/create" || t.path == "auth/token/create-orphan" || c.rand.IntN(2) == 0 {
		c.prune(root)
		c.garden.bury(t)
		return
	}
	trees := c.garden.onPath(t.path)
	c.duel(root, func() {
		o := history.Operation{Client: c.index, Kind: history.RevokePrefix, Request: history.Request{Path: t.path}}
		c.told(c.home, c.record(o, ask{method: "PUT", path: "sys/leases/revoke-prefix/" + t.path, token: c.cfg.Root}, c.home))
	})
	for _, o := range trees {
		c.garden.cut(o.tokens[0])
		c.probe(o.tokens[0])
		c.garden.bury(o)
	}
}
