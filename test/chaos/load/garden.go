package load

import (
	"math/rand/v2"
	"sync"

	"github.com/tokengrove/grove/test/chaos/history"
)

const (
	// beds is how many trees grow at the same time, for each client.
	bedsPerClient = 2
	// treeTokens and treeRequests bound a tree, so that a search for an order of all that
	// was done to it comes to an end.
	treeTokens   = 16
	treeRequests = 60
	// graves is how many dead trees are kept to be asked for again.
	graves = 32
	// paths is how many source paths the trees are spread over; one of them dies at once now and then.
	paths = 16
)

// sprout is one token that the run got an answer for.
type sprout struct {
	keyed  bool // made under a key
	number history.Token
	id     string // the secret
	tree   *tree
	parent *sprout // nil: the root of its tree
	uses   int32   // num_uses
	cut    bool    // somebody has asked to revoke it; garden.mu
}

// tree is a token without a parent in the run, and its descendants.
type tree struct {
	tokens   []*sprout
	path     string // source path of its root
	requests int    // what was asked of it so far
	lifetime int    // after so many requests, it is revoked
	brief    bool   // its tokens have a short TTL
	felled   bool   // somebody revokes it
}

// garden is the trees that all clients share.
type garden struct {
	mu    sync.Mutex
	beds  []*tree
	dead  []*tree // a ring
	turn  int
	next  history.Token
	known map[string]history.Token // by accessor
	all   []*sprout
}

func newGarden(clients int) *garden {
	return &garden{beds: make([]*tree, bedsPerClient*clients), dead: make([]*tree, graves), known: map[string]history.Token{}}
}

// number gives the next token its number.
func (g *garden) number() history.Token {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.next++
	return g.next
}

// plant puts a new token into its tree, and a new tree into a bed that is free.
func (g *garden) plant(s *sprout, accessor string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.known[accessor] = s.number
	g.all = append(g.all, s)
	s.tree.tokens = append(s.tree.tokens, s)
	if s.parent != nil {
		s.cut = s.parent.cut
		return
	}
	for i, t := range g.beds {
		if t == nil {
			g.beds[i] = s.tree
			return
		}
	}
}

// pick is what a client works on next: a token of some tree, or nil for an empty bed. whole is the
// tree that must go, once for each tree.
func (g *garden) pick(r *rand.Rand) (s *sprout, whole *tree) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.IntN(12) == 0 {
		if t := g.dead[r.IntN(graves)]; t != nil {
			return t.tokens[r.IntN(len(t.tokens))], nil
		}
	}
	t := g.beds[r.IntN(len(g.beds))]
	if t == nil {
		return nil, nil
	}
	t.requests++
	if t.requests >= t.lifetime && !t.felled {
		t.felled = true
		return nil, t
	}
	s = t.tokens[r.IntN(len(t.tokens))]
	if s.cut && r.IntN(4) != 0 { // a dead one is of less interest
		s = t.tokens[r.IntN(len(t.tokens))]
	}
	return s, nil
}

// full reports whether a tree takes no more tokens.
func (g *garden) full(t *tree) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(t.tokens) >= treeTokens
}

// cut notes that s is about to be revoked, with its descendants.
func (g *garden) cut(s *sprout) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.cut = true
	for _, o := range s.tree.tokens { // parents come before their children
		o.cut = o.cut || o.parent != nil && o.parent.cut
	}
}

// bury takes a tree out of its bed.
func (g *garden) bury(t *tree) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, o := range g.beds {
		if o == t {
			g.beds[i] = nil
		}
	}
	g.dead[g.turn%graves] = t
	g.turn++
}

// below returns a token of s's tree that hangs from s, or s.
func (g *garden) below(s *sprout, r *rand.Rand) *sprout {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := r.IntN(len(s.tree.tokens))
	for i := range s.tree.tokens {
		o := s.tree.tokens[(from+i)%len(s.tree.tokens)]
		for p := o; p != nil; p = p.parent {
			if p == s {
				return o
			}
		}
	}
	return s
}

// onPath returns the trees in beds whose root was issued at path.
func (g *garden) onPath(path string) []*tree {
	g.mu.Lock()
	defer g.mu.Unlock()
	var found []*tree
	for _, t := range g.beds {
		if t != nil && t.path == path {
			t.felled = true
			found = append(found, t)
		}
	}
	return found
}
