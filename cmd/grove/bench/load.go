package bench

import (
	"context"
	"errors"
	"sync"
	"time"
)

// operation is one request of a client, with whatever it needs prepared. A failure is counted;
// errSpent ends the client.
type operation func(ctx context.Context, c *client) error

// errSpent says that the tokens made for the load are used up.
var errSpent = errors.New("no tokens left")

// plan is what a load consists of.
type plan struct {
	op     operation
	warm   operation                          // for the warm-up, where op would use something up; nil: op
	beside func(ctx context.Context, p *pace) // runs beside the load until ctx is done; nil: nothing
}

// failurePause keeps a client whose request failed from doing nothing but fail.
const failurePause = 10 * time.Millisecond

// load puts a plan on the servers and measures it.
func (r *run) load(ctx context.Context, name string, l Load, p plan) Result {
	if p.warm == nil {
		p.warm = p.op
	}
	res := r.result(name, l)
	pc := newPace(l)
	rec := newRecorder(pc.from, pc.until)
	beside, end := context.WithCancel(ctx)
	defer end()
	var sides, clients sync.WaitGroup
	sides.Go(func() { r.show.watch(beside, name, pc, rec) })
	if p.beside != nil {
		sides.Go(func() { p.beside(beside, pc) })
	}
	for i := range l.Clients {
		clients.Go(func() {
			c := newClient(i, r.nodes, l.Timeout)
			defer c.close()
			drive(ctx, c, p, pc, rec)
		})
	}
	clients.Wait()
	end()
	sides.Wait()

	last := pc.until
	if res.Interrupted = ctx.Err() != nil; res.Interrupted {
		last = pc.now() // requests under way end at once then
	} else if pc.early.Load() || pc.until == 0 {
		last = rec.end()
	}
	res.Figures, res.Latency, res.Timeline = rec.figures(last)
	if !res.Interrupted {
		res.Unsent = pc.missed()
	}
	return res
}

// drive is the life of a client.
func drive(ctx context.Context, c *client, p plan, pc *pace, rec *recorder) {
	b := batch{to: rec}
	defer b.flush()
	for {
		t, ok := pc.next(ctx)
		if !ok {
			return
		}
		op := p.op
		if t.warm {
			op = p.warm
		}
		err := op(ctx, c)
		if errors.Is(err, errSpent) {
			pc.early.Store(true)
			return
		}
		if ctx.Err() != nil {
			return // the request was cut short, or may have been
		}
		if !t.warm {
			b.add(sample{due: t.due, end: pc.now(), err: err})
		}
		if err != nil {
			pause(ctx, failurePause)
		}
	}
}
