package bench

import "context"

// mixedPlan is what a service asks of its token store: mostly whether tokens are good. Shares in percent:
//
//	lookup 90, use 5, create 3, renew 1, revoke 1
//
// A client revokes tokens that it made itself, so there are three creates to a revocation; its
// first revocations are creates as well, as long as it has made none.
func mixedPlan(ctx context.Context, r *run, _ Load) (plan, error) {
	parent, err := r.root(ctx)
	if err != nil {
		return plan{}, err
	}
	body := tokenBody(r.cfg.Tokens.TTL, 0)
	ids, err := r.tokens(ctx, "mixed", r.cfg.stock(), parent, body)
	if err != nil {
		return plan{}, err
	}
	limited, err := r.tokens(ctx, "mixed", max(1, r.cfg.stock()/4), parent, tokenBody(r.cfg.Tokens.TTL, plenty))
	m := &mix{parent: parent, body: body, ids: ids, limited: limited}
	return plan{op: m.one}, err
}

// mix is what the clients of the mixed workload share.
type mix struct {
	parent       string
	body         []byte
	ids, limited []string
}

func (m *mix) one(ctx context.Context, c *client) error {
	n := c.random.IntN(100)
	switch {
	case n < 90:
		return c.lookupSelf(ctx, m.ids[c.random.IntN(len(m.ids))])
	case n < 95:
		return c.lookupSelf(ctx, m.limited[c.random.IntN(len(m.limited))])
	case n < 96:
		return c.renewSelf(ctx, m.ids[c.random.IntN(len(m.ids))])
	case n < 97 && len(c.made) > 0:
		last := len(c.made) - 1
		id := c.made[last]
		c.made = c.made[:last]
		return c.revokeSelf(ctx, id)
	}
	id, err := c.create(ctx, m.parent, m.body)
	if err == nil {
		c.made = append(c.made, string(id))
	}
	return err
}
