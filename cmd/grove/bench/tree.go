package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// TreeFigures are what the workload tree measured beside its bystanders, whose requests are the counts and
// latencies of the result.
type TreeFigures struct {
	Descendants  int     `json:"descendants"` // of the revoked parent
	Depth        int     `json:"depth"`       // of the chain above the children
	BuildSeconds float64 `json:"build_seconds"`
	RevokeMillis float64 `json:"revoke_ms"`  // until it was acknowledged
	Sampled      int     `json:"sampled"`    // lookups of parent and descendants after that, on all nodes
	Alive        int     `json:"alive"`      // of those, how many succeeded: must be 0
	Unverified   int     `json:"unverified"` // of those, how many got no answer that says either
}

const (
	treeSample = 200 // tokens looked up on every node
	// treeSettle is how long the bystanders go on: a server may answer first and tidy up then, but nobody
	// should have to wait for that either.
	treeSettle = time.Second
	// revokeTimeout is that of revoking the parent: some servers walk the tree first.
	revokeTimeout = 10 * time.Minute
)

// felling is the workload tree under way.
type felling struct {
	r      *run
	by     string   // token with the right to revoke
	ids    []string // the parent first
	fig    TreeFigures
	err    error
	felled atomic.Bool // and the bystanders have seen enough
}

// tree revokes a parent while one bystander a node looks up tokens that have nothing to do with it.
func tree(ctx context.Context, r *run) (Result, error) {
	by, err := r.root(ctx)
	if err != nil {
		return Result{}, err
	}
	f := &felling{r: r, by: by}
	if err := f.plant(ctx); err != nil {
		return Result{}, fmt.Errorf("building the tree: %w", err)
	}
	others, err := r.tokens(ctx, "tree", len(r.nodes), by, tokenBody(r.cfg.Tokens.TTL, 0))
	if err != nil {
		return Result{}, err
	}
	l := r.cfg.Load
	l.Clients, l.Duration, l.Count = len(r.nodes), 0, 0
	look := func(ctx context.Context, c *client) error {
		if f.felled.Load() {
			return errSpent
		}
		return c.lookupSelf(ctx, others[c.id])
	}
	res := r.load(ctx, "tree", l, plan{op: look, beside: f.fell})
	res.Tree = &f.fig
	if !res.Interrupted {
		err = f.err
	}
	return res, err
}

// plant makes the parent, the chain below it, and the children of the chain's end.
func (f *felling) plant(ctx context.Context) error {
	shape, start := f.r.cfg.Tree, time.Now()
	c := newClient(0, f.r.nodes, f.r.cfg.Load.Timeout)
	defer c.close()
	above, heir := f.by, heirBody(f.r.cfg.Tokens.TTL)
	for range shape.Depth + 1 {
		id, err := c.create(ctx, above, heir)
		if err != nil {
			return err
		}
		above = string(id)
		f.ids = append(f.ids, above)
	}
	children, err := f.r.tokens(ctx, "tree", shape.Children, above, tokenBody(f.r.cfg.Tokens.TTL, 0))
	f.ids = append(f.ids, children...)
	f.fig = TreeFigures{Descendants: len(f.ids) - 1, Depth: shape.Depth, BuildSeconds: time.Since(start).Seconds()}
	return err
}

// fell revokes the parent once the bystanders are warm, and looks at once for survivors.
func (f *felling) fell(ctx context.Context, p *pace) {
	defer f.felled.Store(true)
	if !pause(ctx, p.from-p.now()) {
		return
	}
	c := newClient(0, f.r.nodes, revokeTimeout)
	defer c.close()
	start := time.Now()
	if err := c.revoke(ctx, f.by, f.ids[0]); err != nil {
		f.err = fmt.Errorf("revoking the parent: %w", err)
		return
	}
	f.fig.RevokeMillis = float64(time.Since(start).Microseconds()) / 1000
	f.survey(ctx)
	pause(ctx, treeSettle-time.Since(start))
}

// survey looks up a sample of the tree on every node.
func (f *felling) survey(ctx context.Context) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range f.r.nodes {
		wg.Go(func() {
			c := newClient(i, f.r.nodes, f.r.cfg.Load.Timeout)
			defer c.close()
			for _, id := range sampleOf(f.ids, treeSample) {
				err := c.lookupSelf(ctx, id)
				if ctx.Err() != nil {
					return
				}
				mu.Lock()
				f.fig.Sampled++
				switch {
				case err == nil:
					f.fig.Alive++
				case !isRefusal(err):
					f.fig.Unverified++
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// sampleOf takes n of the texts, spread evenly, with the first and the last.
func sampleOf(all []string, n int) []string {
	if len(all) <= n {
		return all
	}
	out := make([]string, n)
	for i := range out {
		out[i] = all[i*(len(all)-1)/(n-1)]
	}
	return out
}
