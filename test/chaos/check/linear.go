package check

import (
	"fmt"
	"math"
	"runtime"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/tokengrove/grove/test/chaos/history"
)

const (
	// What porcupine searches is bounded: a search grows with what overlaps and what is unknown.
	maxTreeTokens  = 32
	maxTreeOps     = 250
	maxTreeUnknown = 8
	// treeTimeout is how long it may take for one tree.
	treeTimeout = 20 * time.Second
)

// kin is a tree of a history: its tokens by their places, and everything that was done to it.
type kin struct {
	world *World
	place map[history.Token]int
	token []history.Token
	ops   []*history.Operation
	brief bool
}

// state is a tree at one moment, as a value: which tokens were made, which were revoked or used up, and how
// many uses each has left. Whether one is alive is a question to its ancestors.
type state struct {
	made, dead uint32
	left       [maxTreeTokens]int8
}

// step is an operation as the model sees it.
type step struct {
	op   *history.Operation
	tree *kin
}

// linearize gives each tree to porcupine: is there an order of everything that was done to it, in
// keeping with time, in which a tree that runs in one place gives the same answers? The operations on
// different trees have nothing to do with each other, but for revocations of a path: each tree
// that it touches sees its own.
func (w *World) linearize(r *Report, budget time.Duration) {
	deadline := time.Now().Add(budget)
	work := make(chan *kin)
	var mu sync.Mutex
	var running sync.WaitGroup
	for range max(1, runtime.GOMAXPROCS(0)) {
		running.Go(func() {
			for k := range work {
				result := porcupine.Unknown
				if left := time.Until(deadline); left > 0 {
					result = porcupine.CheckOperationsTimeout(model, k.operations(), min(treeTimeout, left))
				}
				mu.Lock()
				r.judged(k, result)
				mu.Unlock()
			}
		})
	}
	for _, k := range w.kins() {
		if k.searchable() {
			work <- k
		} else {
			r.Skipped++
		}
	}
	close(work)
	running.Wait()
}

// judged notes what porcupine says about a tree.
func (r *Report) judged(k *kin, result porcupine.CheckResult) {
	switch result {
	case porcupine.Unknown:
		r.Undecided++
		return
	case porcupine.Illegal:
		var ops []uint64
		for _, o := range k.ops {
			ops = append(ops, o.Number)
		}
		r.Violations = append(r.Violations, Violation{"lin", k.token[0], fmt.Sprintf("no order of the %d operations on this tree of %d tokens explains its answers", len(k.ops), len(k.token)), ops})
	}
	r.Trees++
}

// kins takes the history apart into trees.
func (w *World) kins() []*kin {
	root := make([]*kin, len(w.tokens))
	var all []*kin
	for n := 1; n < len(w.tokens); n++ {
		t := &w.tokens[n]
		if t.create == nil {
			continue
		}
		if t.parent != 0 {
			root[n] = root[t.parent]
		}
		if root[n] == nil {
			root[n] = &kin{world: w, place: map[history.Token]int{}}
			all = append(all, root[n])
		}
		k, id := root[n], history.Token(n)
		k.place[id] = len(k.token)
		k.token = append(k.token, id)
		k.ops = append(k.ops, t.create)
		k.brief = k.brief || t.create.Request.TTL > 0 && t.create.Request.TTL < time.Minute+2*w.h.Header.Skew
		for _, o := range t.ops {
			if o.Token == id {
				k.ops = append(k.ops, o)
			}
		}
	}
	for _, k := range all {
		k.ops = append(k.ops, w.prefix[w.tokens[k.token[0]].create.Request.Path]...)
		k.trim()
	}
	return all
}

// trim drops what did not happen, and revocations of the path before the tree or after its end.
func (k *kin) trim() {
	last := time.Duration(0)
	for _, o := range k.ops {
		if o.Kind != history.RevokePrefix {
			last = max(last, o.Return)
		}
	}
	first := k.world.tokens[k.token[0]].create.Invoke
	keep := k.ops[:0]
	for _, o := range k.ops {
		outside := o.Kind == history.RevokePrefix && (o.Invoke > last || o.Outcome == history.Applied && o.Return < first)
		if o.Outcome != history.Not && !outside {
			keep = append(keep, o)
		}
	}
	k.ops = keep
}

// searchable reports whether the tree is within bounds. Deadlines are not in the model.
func (k *kin) searchable() bool {
	unknown := 0
	for _, o := range k.ops {
		if o.Outcome == history.Unknown {
			unknown++
		}
	}
	return !k.brief && len(k.token) <= maxTreeTokens && len(k.ops) <= maxTreeOps && unknown <= maxTreeUnknown
}

// operations is the tree as porcupine takes it. What has no outcome has no end: it may happen last.
func (k *kin) operations() []porcupine.Operation {
	out := make([]porcupine.Operation, 0, len(k.ops))
	for _, o := range k.ops {
		end := int64(o.Return)
		if o.Outcome == history.Unknown {
			end = math.MaxInt64
		}
		out = append(out, porcupine.Operation{ClientId: int(o.Client), Input: step{o, k}, Call: int64(o.Invoke), Output: nil, Return: end})
	}
	return out
}
