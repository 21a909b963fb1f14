package bench

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

// progress is the last line of a terminal, or nothing.
type progress struct {
	mu sync.Mutex
	to io.Writer // nil: nothing
}

// line replaces what is shown; an empty text clears it. That a terminal is gone is no fault of the run.
func (p *progress) line(text string) {
	if p.to == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.to, "\r\x1b[K%s", text)
}

// watch shows once a second what the last one brought, until ctx is done.
func (p *progress) watch(ctx context.Context, name string, pc *pace, rec *recorder) {
	if p.to == nil {
		return
	}
	defer p.line("")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		p.line(status(name, pc, rec.look()))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func status(name string, pc *pace, g glance) string {
	now := pc.now()
	if now < pc.from {
		return fmt.Sprintf("%s: warming up", name)
	}
	at := fmt.Sprintf("%.0f s", (now - pc.from).Seconds())
	if pc.until > 0 {
		at += fmt.Sprintf(" of %.0f", (pc.until - pc.from).Seconds())
	}
	return fmt.Sprintf("%s: %s  %d/s  p99 %.2f ms  %d errors", name, at, g.count, float64(g.p99.Microseconds())/1000, g.errors)
}
