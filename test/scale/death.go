package scale

import (
	"context"
	"fmt"
	"time"

	"github.com/tokengrove/grove/fsm"
)

// chainTop is the number of the chain's top; the rest follow it.
func (r *run) chainTop() int { return r.pop.made - r.o.Chain }

// chain creates a chain, of which each token is the parent of the next, and looks up its end.
func (r *run) chain(ctx context.Context) error {
	p := r.pop
	var t timing
	for left := r.o.Chain; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		var cs []fsm.Command
		for ; left > 0 && len(cs) < batch; left-- {
			parent := p.made - 1
			if left == r.o.Chain {
				parent = 0
			}
			c := p.child(p.made, parent)
			if parent == 0 {
				c.Token.Path = "auth/chain/login"
			}
			cs = append(cs, c)
			p.made++
		}
		took, err := p.do(cs...)
		if err != nil {
			return err
		}
		t.add(took)
	}
	r.record("chain create", millis(t.total), "ms", r.o.Chain)
	return r.checkEnd("chain check")
}

// checkEnd looks up the end of the chain.
func (r *run) checkEnd(name string) error {
	const times = 9
	var t timing
	for range times {
		begin := time.Now()
		_, ok := r.pop.machine.Lookup(hashOf(r.pop.made-1), r.pop.at)
		t.add(time.Since(begin))
		if !ok {
			return fmt.Errorf("the end of the chain is not there: %w", errWrong)
		}
	}
	r.record(name, micros(t.quantile(0.5)), "µs", times)
	return nil
}

// tree revokes the giant, and looks at the end of the chain while the dead are reclaimed:
// that is when a check walks the ancestors.
func (r *run) tree(ctx context.Context) error {
	p := r.pop
	alive := int(p.machine.TokenCount(p.at))
	took, err := p.do(&fsm.RevokeToken{Caller: p.caller(0), Target: fsm.Target{Token: hashOf(1)}})
	if err != nil {
		return err
	}
	r.record("tree revoke", millis(took), "ms", p.giant())
	if err := p.alive(alive - p.giant()); err != nil {
		return err
	}
	if p.machine.ReclaimPending() {
		if err := r.checkEnd("chain check while reclaiming"); err != nil {
			return err
		}
	}
	return r.reclaim(ctx, "tree")
}

// cutChain revokes the top of the chain.
func (r *run) cutChain(ctx context.Context) error {
	p := r.pop
	alive := int(p.machine.TokenCount(p.at))
	took, err := p.do(&fsm.RevokeToken{Caller: p.caller(0), Target: fsm.Target{Token: hashOf(r.chainTop())}})
	if err != nil {
		return err
	}
	r.record("chain revoke", millis(took), "ms", r.o.Chain)
	if err := p.alive(alive - r.o.Chain); err != nil {
		return err
	}
	return r.reclaim(ctx, "chain")
}

// prefix revokes every family that logged in at auth/ci: half of them.
func (r *run) prefix(ctx context.Context) error {
	p := r.pop
	alive := int(p.machine.TokenCount(p.at))
	dead := 0
	for i := p.firstTop(); i < p.n; i++ {
		if (i-p.firstTop())/family%2 == 0 {
			dead++
		}
	}
	took, err := p.do(&fsm.RevokePrefix{Caller: p.caller(0), Prefix: "auth/ci"})
	if err != nil {
		return err
	}
	r.record("prefix revoke", millis(took), "ms", dead)
	if err := p.alive(alive - dead); err != nil {
		return err
	}
	return r.reclaim(ctx, "prefix")
}

// reclaim applies uses of other tokens until nothing dead is left: what others wait for.
func (r *run) reclaim(ctx context.Context, name string) error {
	p := r.pop
	var others timing
	for p.machine.ReclaimPending() || len(others.all) == 0 {
		next := func() fsm.Command { return &fsm.UseToken{Caller: p.caller(p.limited())} }
		if err := r.timed(ctx, &others, next, 1); err != nil {
			return err
		}
	}
	r.record(name+" reclaim", millis(others.total), "ms", len(others.all))
	r.record(name+" longest apply of others", millis(others.max()), "ms", len(others.all))
	return nil
}
