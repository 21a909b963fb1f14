package load

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

const (
	// auditors is how many look at rows at the same time.
	auditors = 8
	// corpses is how many dead tokens are tried once more on each node.
	corpses = 100
)

// Audit looks at every live token of the healed cluster, lists them on every node, and tries some of
// the dead ones. Nothing else may be going on.
func (l *Load) Audit(ctx context.Context) (*history.Audit, error) {
	l.tryDead()
	a := &history.Audit{At: l.cfg.Clock.Now()}
	for node := range l.cfg.Nodes {
		keys, err := l.list(ctx, node)
		if err != nil {
			return nil, err
		}
		a.Live = append(a.Live, keys)
	}
	union := slices.Concat(a.Live...)
	slices.Sort(union)
	union = slices.Compact(union)
	var mu sync.Mutex
	var running sync.WaitGroup
	var failure error
	for first := range auditors {
		running.Go(func() {
			for i := first; i < len(union); i += auditors {
				row, mine, err := l.row(ctx, i%len(l.cfg.Nodes), union[i])
				mu.Lock()
				switch {
				case err != nil:
					failure = err
				case mine:
					a.Rows = append(a.Rows, row)
				case row.Accessor != "":
					a.Strangers = append(a.Strangers, row.Accessor)
				}
				mu.Unlock()
			}
		})
	}
	running.Wait()
	slices.SortFunc(a.Rows, func(x, y history.Row) int { return int(x.Token) - int(y.Token) })
	return a, failure
}

// tryDead uses some tokens that were revoked.
func (l *Load) tryDead() {
	c := l.newClient(0)
	var dead []*sprout
	for _, s := range l.garden.all {
		if s.cut {
			dead = append(dead, s)
		}
	}
	for range min(corpses, len(dead)) {
		s := dead[c.rand.IntN(len(dead))]
		for node := range l.cfg.Nodes {
			c.use(s, node)
		}
	}
}

// again sends a request of the audit until it is answered: right after healing, a node may still be busy.
func (l *Load) again(ctx context.Context, node int, a ask) (reply, error) {
	for deadline := time.Now().Add(time.Minute); ; {
		r := l.wire.send(ctx, node, a)
		if r.outcome == history.Applied || r.outcome == history.Refused {
			return r, nil
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return r, fmt.Errorf("audit of %s: %s: %d %s", l.cfg.Nodes[node].Name, a.path, r.answer.Status, r.answer.Error)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (l *Load) list(ctx context.Context, node int) ([]string, error) {
	r, err := l.again(ctx, node, ask{method: "LIST", path: "auth/token/accessors", token: l.cfg.Root})
	if err == nil && r.outcome != history.Applied {
		err = fmt.Errorf("audit of %s: listing: %d %s", l.cfg.Nodes[node].Name, r.answer.Status, r.answer.Error)
	}
	return r.body.Data.Keys, err
}

// row looks at one live token. mine: the run has made it. A stranger has nothing but its accessor, and the
// root token not even that.
func (l *Load) row(ctx context.Context, node int, accessor string) (row history.Row, mine bool, err error) {
	r, err := l.again(ctx, node, ask{method: "POST", path: "auth/token/lookup-accessor", token: l.cfg.Root, body: map[string]any{"accessor": accessor}})
	if err != nil || r.outcome == history.Refused { // expired meanwhile
		return row, false, err
	}
	d := r.body.Data
	if d.Path == "auth/token/root" {
		return row, false, nil
	}
	row = history.Row{Node: node, Accessor: accessor, Left: d.NumUses, Orphan: d.Orphan}
	n, err := strconv.ParseUint(d.Meta["token"], 10, 32)
	if err != nil {
		return row, false, nil
	}
	row.Token = history.Token(n)
	return row, true, nil
}
