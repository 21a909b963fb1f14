package bench

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// pace says when the next request of a load is to be sent. Instants are durations since the start of the
// load: the warm-up comes first, then the measured part.
type pace struct {
	start  time.Time
	from   time.Duration // of the measured part
	until  time.Duration // its end; 0: open
	count  int64         // of measured requests; 0: unlimited
	rate   float64       // per second; 0: as fast as they are answered
	taken  atomic.Int64  // requests handed out: all of a schedule, else the measured ones
	unsent atomic.Int64  // handed out too late to be sent
	early  atomic.Bool   // the load has ended for want of requests, not of time
}

func newPace(l Load) *pace {
	p := &pace{start: time.Now(), from: l.Warmup, count: int64(l.Count), rate: l.Rate}
	if l.Duration > 0 {
		p.until = l.Warmup + l.Duration
	}
	return p
}

func (p *pace) now() time.Duration { return time.Since(p.start) }

// turn is the permission to send a request.
type turn struct {
	due  time.Duration // by the schedule, or now
	warm bool          // it is part of the warm-up
}

// next waits for a client's next turn; false: the load is over.
func (p *pace) next(ctx context.Context) (turn, bool) {
	if ctx.Err() != nil {
		return turn{}, false
	}
	if p.rate > 0 {
		return p.scheduled(ctx)
	}
	now := p.now()
	t := turn{due: now, warm: now < p.from}
	if p.until > 0 && now >= p.until {
		return t, false
	}
	if !t.warm && p.count > 0 && p.taken.Add(1) > p.count {
		p.early.Store(true)
		return t, false
	}
	return t, true
}

// scheduled hands out the instants of the schedule in turn, whether or not they have passed: a request that no
// client was free to send in time is late, and its latency says so. Only the warm-up is left behind
// when it is over, or the measured part would begin with its backlog.
func (p *pace) scheduled(ctx context.Context) (turn, bool) {
	i := p.taken.Add(1) - 1
	for w := p.warmups(); i < w && p.now() >= p.from; {
		i = p.taken.Add(1) - 1
	}
	t := turn{due: time.Duration(math.Round(float64(i) / p.rate * float64(time.Second)))}
	t.warm = t.due < p.from
	if p.until > 0 && t.due >= p.until {
		return t, false
	}
	if p.count > 0 && i >= p.warmups()+p.count {
		p.early.Store(true)
		return t, false
	}
	if wait := t.due - p.now(); wait > 0 {
		return t, pause(ctx, wait)
	}
	if p.until > 0 && p.now() >= p.until {
		p.unsent.Add(1)
		return t, false
	}
	return t, true
}

// warmups is how many requests of the schedule are before the measured part.
func (p *pace) warmups() int64 { return int64(math.Ceil(p.from.Seconds() * p.rate)) }

// missed is how many requests of the measured part were due and never sent, because the servers were
// behind at its end.
func (p *pace) missed() int64 {
	if p.rate == 0 || p.until == 0 {
		return 0
	}
	planned := int64(math.Ceil(p.until.Seconds()*p.rate)) - p.warmups()
	if p.count > 0 {
		planned = min(planned, p.count)
	}
	return p.unsent.Load() + max(0, planned-max(0, p.taken.Load()-p.warmups()))
}

// pause waits, and reports whether ctx let it.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
