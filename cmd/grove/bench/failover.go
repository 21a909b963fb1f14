package bench

import (
	"context"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// FailoverFigures are what the workload failover saw beside its creates, which are the counts and latencies
// of the result.
type FailoverFigures struct {
	LongestGap    float64 `json:"longest_gap_ms"` // between acknowledged writes of any client
	GapAt         float64 `json:"longest_gap_at_seconds"`
	KilledAt      float64 `json:"killed_at_seconds,omitempty"` // by the run itself
	Acknowledged  int     `json:"acknowledged"`                // writes
	Lost          int     `json:"lost"`                        // of those, how many tokens are not there afterwards: must be 0
	Unverified    int     `json:"unverified"`                  // of those, how many no node would tell
	Checks        int     `json:"checks"`                      // lookups of acknowledged tokens meanwhile, on every node
	ChecksFailed  int     `json:"checks_failed"`
	ChecksRefused int     `json:"checks_refused"` // by nodes that did not know the token

	killErr error
}

const (
	checkPause  = 10 * time.Millisecond // of a checker between two lookups
	verifyTries = 20                    // for one token, each at the next node
	verifyPause = 250 * time.Millisecond
)

// ledger is the workload failover under way: what was acknowledged, and when.
type ledger struct {
	r       *run
	parent  string
	body    []byte
	process *os.Process // to kill; nil: the operator does that
	start   time.Time

	mu   sync.Mutex
	ids  []string
	last time.Duration // when a write was acknowledged
	fig  FailoverFigures
}

// failover makes tokens all the time and looks some of them up on every node. It does not try a
// request again, but goes to the next node when nobody answers, as clients behind a load balancer do.
func failover(ctx context.Context, r *run) (Result, error) {
	g := &ledger{r: r, body: tokenBody(r.cfg.Tokens.TTL, 0)}
	if pid := r.cfg.Failover.KillPID; pid > 0 {
		var err error
		if g.process, err = running(pid); err != nil {
			return Result{}, fmt.Errorf("-kill-pid=%d: %w", pid, err)
		}
	}
	var err error
	if g.parent, err = r.root(ctx); err != nil {
		return Result{}, err
	}
	l := r.cfg.Load.bounded()
	l.Warmup = 0 // a write of the warm-up can be lost like any other
	g.start = time.Now()
	res := r.load(ctx, "failover", l, plan{op: g.create, beside: g.beside})
	g.acknowledge("", time.Duration(res.Seconds*float64(time.Second)))

	later, cancel := afterwards(ctx)
	defer cancel()
	g.verify(later)
	res.Failover = &g.fig
	return res, nil
}

// running finds a process that could be killed.
func running(pid int) (*os.Process, error) {
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil, err
	}
	return p, p.Signal(syscall.Signal(0))
}

func (g *ledger) create(ctx context.Context, c *client) error {
	id, err := c.create(ctx, g.parent, g.body)
	if err != nil {
		if class := classOf(err); class == classConnection || class == classTimeout {
			c.move()
		}
		return err
	}
	g.acknowledge(string(id), time.Since(g.start))
	return nil
}

// acknowledge notes a token; without one, only that the run has come to this instant.
func (g *ledger) acknowledge(id string, at time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if gap := millisOf(at - g.last); gap > g.fig.LongestGap {
		g.fig.LongestGap, g.fig.GapAt = gap, g.last.Seconds()
	}
	g.last = max(g.last, at)
	if id != "" {
		g.ids = append(g.ids, id)
		g.fig.Acknowledged++
	}
}

func millisOf(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// beside checks on every node, and kills when it is time.
func (g *ledger) beside(ctx context.Context, _ *pace) {
	var wg sync.WaitGroup
	for i := range g.r.nodes {
		wg.Go(func() { g.check(ctx, i) })
	}
	if g.process != nil && pause(ctx, g.r.cfg.Failover.KillAfter) {
		err := g.process.Kill()
		g.mu.Lock()
		g.fig.KilledAt, g.fig.killErr = time.Since(g.start).Seconds(), err
		g.mu.Unlock()
	}
	wg.Wait()
}

// check looks up at one node what was acknowledged last, until ctx is done.
func (g *ledger) check(ctx context.Context, node int) {
	c := newClient(node, g.r.nodes, g.r.cfg.Load.Timeout)
	defer c.close()
	for pause(ctx, checkPause) {
		g.mu.Lock()
		id := ""
		if n := len(g.ids); n > 0 {
			id = g.ids[n-1]
		}
		g.mu.Unlock()
		if id == "" {
			continue
		}
		err := c.lookupSelf(ctx, id)
		if ctx.Err() != nil {
			return
		}
		g.mu.Lock()
		g.fig.Checks++
		switch {
		case err == nil:
		case isRefusal(err):
			g.fig.ChecksRefused++
		default:
			g.fig.ChecksFailed++
		}
		g.mu.Unlock()
	}
}

// verify looks up everything that was acknowledged.
func (g *ledger) verify(ctx context.Context) {
	g.r.show.line(fmt.Sprintf("failover: looking for %d tokens", len(g.ids)))
	defer g.r.show.line("")
	missing := make([]error, len(g.ids))
	for i := range missing {
		missing[i] = context.DeadlineExceeded // until it was looked up
	}
	g.r.each(ctx, len(g.ids), func(ctx context.Context, c *client, i int) error {
		missing[i] = g.find(ctx, c, g.ids[i])
		return nil
	}) // an end of ctx leaves the rest unverified
	for _, err := range missing {
		switch {
		case err == nil:
		case isRefusal(err):
			g.fig.Lost++
		default:
			g.fig.Unverified++
		}
	}
}

// find looks for a node that says whether the token is there.
func (g *ledger) find(ctx context.Context, c *client, id string) error {
	for try := 1; ; try++ {
		err := c.lookupSelf(ctx, id)
		if err == nil || isRefusal(err) || try == verifyTries || !pause(ctx, verifyPause) {
			return err
		}
		c.move()
	}
}
