package scale

import (
	"context"
	"fmt"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

// making is one kind of command, and how to make the next one of it.
type making struct {
	name string
	next func() fsm.Command
}

// makings are the kinds that are measured. Revocations take what creations made, so that
// the number of tokens is n again at the end.
func (p *population) makings() []making {
	var made []int
	return []making{
		{"create", func() fsm.Command {
			made = append(made, p.made)
			p.made++
			return p.child(p.made-1, p.anyWeb())
		}},
		{"use", func() fsm.Command { return &fsm.UseToken{Caller: p.caller(p.limited())} }},
		{"renew", func() fsm.Command {
			i := p.anyWeb() + 1 + p.rnd.IntN(family-2)
			return &fsm.RenewToken{
				Caller: p.caller(i), Target: fsm.Target{Token: hashOf(i)}, Increment: ttl + time.Duration(p.rnd.IntN(3600))*time.Second,
				DefaultTTL: ttl, MaxTTL: 32 * ttl,
			}
		}},
		{"revoke", func() fsm.Command {
			i := p.rnd.IntN(len(made))
			target := made[i]
			made[i] = made[len(made)-1]
			made = made[:len(made)-1]
			return &fsm.RevokeToken{Caller: p.caller(0), Target: fsm.Target{Token: hashOf(target)}}
		}},
	}
}

// mix makes commands of all kinds in turn.
func (p *population) mix() func() fsm.Command {
	all, i := p.makings(), 0
	return func() fsm.Command {
		i++
		return all[(i-1)%len(all)].next()
	}
}

// commands measures each kind in entries of one, for what a lone client waits, and in
// entries of many, for what a busy leader achieves.
func (r *run) commands(ctx context.Context) error {
	for _, k := range r.pop.makings() {
		var one, many timing
		for range r.o.Samples {
			if err := r.timed(ctx, &one, k.next, 1); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
		}
		for range r.o.Samples / batch {
			if err := r.timed(ctx, &many, k.next, batch); err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
		}
		r.record(k.name+" apply", many.perSecond(len(many.all)*batch), "/s", len(many.all)*batch)
		r.record(k.name+" p50", micros(one.quantile(0.5)), "µs", len(one.all))
		r.record(k.name+" p99", micros(one.quantile(0.99)), "µs", len(one.all))
	}
	return r.err
}

// timed applies one entry of n commands that next makes.
func (r *run) timed(ctx context.Context, t *timing, next func() fsm.Command, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	cs := make([]fsm.Command, n)
	for i := range cs {
		cs[i] = next()
	}
	took, err := r.pop.do(cs...)
	t.add(took)
	return err
}

// lookups measures what a read costs the machine: a random token's record.
func (r *run) lookups(ctx context.Context) error {
	var t timing
	p := r.pop
	for range r.o.Samples {
		h := hashOf(p.anyWeb() + p.rnd.IntN(family))
		begin := time.Now()
		_, ok := p.machine.Lookup(h, p.at)
		t.add(time.Since(begin))
		if !ok {
			return fmt.Errorf("a token is not there: %w", errWrong)
		}
	}
	r.record("lookup p50", micros(t.quantile(0.5)), "µs", len(t.all))
	r.record("lookup p99", micros(t.quantile(0.99)), "µs", len(t.all))
	return ctx.Err()
}

// alive checks the number of live tokens, which is exact at every moment.
func (p *population) alive(want int) error {
	if got := p.machine.TokenCount(token.Instant(p.at)); got != uint64(want) {
		return fmt.Errorf("%d tokens are alive, want %d: %w", got, want, errWrong)
	}
	return nil
}
