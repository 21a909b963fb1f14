package cluster

import (
	"context"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

// expireLimit bounds the tokens that one entry expires.
const expireLimit = 1000

// sweep expires tokens when they are due, and lets the machine reclaim what died, while
// this node leads. It sleeps until the next deadline or until something was applied.
func (n *Node) sweep(ctx context.Context) {
	for ctx.Err() == nil {
		var next token.Instant
		var pending bool
		n.View(func(m *fsm.Machine) { next, pending = m.NextDeadline(), m.ReclaimPending() })
		wait := time.Hour
		if next != 0 {
			wait = min(wait, max(0, next.Sub(token.InstantOf(n.cfg.Now()))))
		}
		var err error
		switch {
		case next != 0 && wait == 0:
			_, err = n.system(ctx, &fsm.ExpireTokens{Limit: expireLimit})
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
