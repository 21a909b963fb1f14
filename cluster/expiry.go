package cluster

import (
	"context"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

// expireLimit bounds the tokens that one entry expires.
const expireLimit = 1000

// sweep expires tokens and leases when they are due, and lets the machine reclaim what died, while
// this node leads. It sleeps until the next deadline or until something was applied.
func (n *Node) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		var next, lease token.Instant
		var pending bool
		n.View(func(m *fsm.Machine) {
			next, lease, pending = m.NextDeadline(), m.NextLeaseDeadline(), m.ReclaimPending()
		})
		now := token.InstantOf(n.cfg.Now())
		wait := min(until(next, now), until(lease, now))
		var err error
		switch {
		case until(next, now) == 0:
			_, err = n.system(ctx, &fsm.ExpireTokens{Limit: expireLimit})
		case wait == 0:
			_, err = n.system(ctx, &fsm.Tick{}) // leases go with time
		case pending:
			// At half speed, so that requests keep a core: nobody waits for what is reclaimed.
			begin := time.Now()
			_, err = n.system(ctx, &fsm.Tick{})
			n.rest(ctx, min(time.Since(begin), tendPause))
		default:
			n.idle(ctx, wait)
		}
		if err != nil && ctx.Err() == nil {
			n.log.Debug("sweeping", "error", err)
			n.idle(ctx, tendPause)
		}
	}
}

// until is how long it is to a deadline, an hour at most, also if there is none.
func until(deadline, now token.Instant) time.Duration {
	if deadline == 0 {
		return time.Hour
	}
	return min(time.Hour, max(0, deadline.Sub(now)))
}

// rest waits, whatever is applied meanwhile.
func (n *Node) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (n *Node) idle(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-n.replica.woken:
	case <-ctx.Done():
	}
}
