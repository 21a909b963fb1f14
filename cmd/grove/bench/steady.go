package bench

import (
	"context"
	"sync/atomic"
)

// prepare makes what a load needs.
type prepare func(ctx context.Context, r *run, l Load) (plan, error)

// steady is a workload that is nothing but load.
func steady(name string, p prepare) func(context.Context, *run) (Result, error) {
	return func(ctx context.Context, r *run) (Result, error) {
		l := r.cfg.Load.bounded()
		pl, err := p(ctx, r, l)
		if err != nil {
			return Result{}, err
		}
		return r.load(ctx, name, l, pl), nil
	}
}

func createPlan(ctx context.Context, r *run, _ Load) (plan, error) {
	parent, err := r.root(ctx)
	return plan{op: creating(parent, tokenBody(r.cfg.Tokens.TTL, 0))}, err
}

func creating(parent string, body []byte) operation {
	return func(ctx context.Context, c *client) error {
		_, err := c.create(ctx, parent, body)
		return err
	}
}

// fill makes children of the operator's own token, which outlive the run.
func fill(ctx context.Context, r *run) (Result, error) {
	l := r.cfg.Load
	l.Warmup = 0 // what it made would not be counted
	if l.Duration == 0 && l.Count == 0 {
		l.Count = fillCount
	}
	return r.load(ctx, "fill", l, plan{op: creating(r.cfg.Token, tokenBody(r.cfg.Tokens.TTL, 0))}), nil
}

func lookupPlan(ctx context.Context, r *run, _ Load) (plan, error) {
	return onStock(ctx, r, "lookup", 0, (*client).lookupSelf)
}

// plenty of uses: no load uses a token up.
const plenty = 100_000_000

func usePlan(ctx context.Context, r *run, _ Load) (plan, error) {
	return onStock(ctx, r, "use", plenty, (*client).lookupSelf)
}

func renewPlan(ctx context.Context, r *run, _ Load) (plan, error) {
	return onStock(ctx, r, "renew", 0, (*client).renewSelf)
}

// onStock does something with one of many tokens, at random.
func onStock(ctx context.Context, r *run, what string, uses int, do func(*client, context.Context, string) error) (plan, error) {
	parent, err := r.root(ctx)
	if err != nil {
		return plan{}, err
	}
	ids, err := r.tokens(ctx, what, r.cfg.stock(), parent, tokenBody(r.cfg.Tokens.TTL, uses))
	return plan{op: func(ctx context.Context, c *client) error {
		return do(c, ctx, ids[c.random.IntN(len(ids))])
	}}, err
}

// revokePlan warms up with creates: they take the same way through the servers, and use nothing up.
func revokePlan(ctx context.Context, r *run, l Load) (plan, error) {
	parent, err := r.root(ctx)
	if err != nil {
		return plan{}, err
	}
	body := tokenBody(r.cfg.Tokens.TTL, 0)
	ids, err := r.tokens(ctx, "revoke", r.revocable(l), parent, body)
	var next atomic.Int64
	revoke := func(ctx context.Context, c *client) error {
		i := int(next.Add(1)) - 1
		if i >= len(ids) {
			return errSpent
		}
		return c.revoke(ctx, parent, ids[i])
	}
	return plan{op: revoke, warm: creating(parent, body)}, err
}

// revocable is how many tokens a load can revoke at most, if that is known.
func (r *run) revocable(l Load) int {
	switch {
	case r.cfg.Tokens.Stock > 0:
		return r.cfg.Tokens.Stock
	case l.Count > 0:
		return l.Count
	case l.Rate > 0:
		return int(l.Rate*l.Duration.Seconds()) + 1
	}
	return revokeStock
}
