package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// ErrInterrupted is what Run returns when ctx ended it: the last result is of a shorter run.
var ErrInterrupted = errors.New("interrupted: the results are of a shorter run than was asked for")

// afterTimeout bounds what a run does when it is over: its checks and its clean-up.
const afterTimeout = 2 * time.Minute

// parentTTL bounds the life of what a run that was killed leaves behind.
const parentTTL = 24 * time.Hour

// run is a set of workloads under way against some nodes.
type run struct {
	cfg      Config
	nodes    []*node
	show     *progress
	parent   string // token that all others of the run descend from; "": not made yet
	accessor string // its
}

func newRun(cfg Config, addresses []string) (*run, error) {
	r := &run{cfg: cfg, show: &progress{to: cfg.Progress}}
	for _, a := range addresses {
		n, err := newNode(a, cfg.TLS)
		if err != nil {
			return nil, err
		}
		r.nodes = append(r.nodes, n)
	}
	return r, nil
}

// Run runs the workloads in turn and gives each result to emit, also that of a workload which
// ctx or failures cut short. It returns what makes results invalid, what promises the servers
// broke, and what could not be cleaned up.
func Run(ctx context.Context, cfg Config, emit func(Result) error) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	cfg = cfg.withDefaults()
	r, err := newRun(cfg, cfg.Addresses)
	if err != nil {
		return err
	}
	var faults []error
	for _, name := range cfg.Workloads {
		w := find(name)
		res, err := r.one(ctx, w)
		if err != nil {
			if ctx.Err() != nil {
				err = ErrInterrupted // and whatever failed did so because of that
			}
			faults = append(faults, err)
			break
		}
		if err := emit(res); err != nil {
			faults = append(faults, err)
			break
		}
		faults = append(faults, res.invalid(), res.broken())
		if ctx.Err() != nil {
			faults = append(faults, ErrInterrupted)
			break
		}
	}
	return errors.Join(append(faults, r.cleanUp(ctx))...)
}

// one runs a workload, on a null server first if that is wanted.
func (r *run) one(ctx context.Context, w *workload) (Result, error) {
	var null *Null
	if r.cfg.Null != nil && w.comparable {
		var err error
		if null, err = r.onNull(ctx, w); err != nil {
			return Result{}, fmt.Errorf("%s on the null server: %w", w.name, err)
		}
	}
	res, err := w.run(ctx, r)
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", w.name, err)
	}
	if null != nil {
		if null.Rate > 0 {
			null.Ratio = res.Rate / null.Rate
		}
		res.Null = null
	}
	return res, nil
}

// onNull runs a workload on a null server of its own.
func (r *run) onNull(ctx context.Context, w *workload) (*Null, error) {
	address, stop, err := r.cfg.Null(ctx)
	if err != nil {
		return nil, err
	}
	n, err := newRun(r.cfg, []string{address})
	if err != nil {
		return nil, errors.Join(err, stop())
	}
	res, err := w.run(ctx, n)
	if err = errors.Join(err, res.invalid(), stop()); err != nil {
		return nil, err
	}
	return &Null{Rate: res.Rate, P99: res.Latency.P99}, nil
}

func (r *run) result(name string, l Load) Result {
	res := Result{Workload: name, Clients: l.Clients, TargetRate: l.Rate, Started: time.Now().UTC()}
	for _, n := range r.nodes {
		res.Nodes = append(res.Nodes, n.url)
	}
	return res
}

// root returns the token that the run's tokens descend from, and makes it when it is first needed:
// one request undoes the whole run then.
func (r *run) root(ctx context.Context) (string, error) {
	if r.parent != "" {
		return r.parent, nil
	}
	c := newClient(0, r.nodes, r.cfg.Load.Timeout)
	defer c.close()
	var body []byte
	var err error
	for range r.nodes { // one of them may be down: failover
		if body, err = c.ask(ctx, &request{method: "POST", path: pathCreate, token: r.cfg.Token, body: heirBody(parentTTL)}); err == nil || classOf(err) != classConnection {
			break
		}
		c.move()
	}
	if err != nil {
		return "", fmt.Errorf("making a token: %w", err)
	}
	id, ok := textOf(body, []byte(`"client_token"`))
	if !ok {
		return "", errors.New("making a token: no client_token in the answer: is it a server of the token API?")
	}
	accessor, _ := textOf(body, []byte(`"accessor"`))
	r.parent, r.accessor = string(id), string(accessor)
	return r.parent, nil
}

// cleanUp revokes everything that the run made, also after an interruption.
func (r *run) cleanUp(ctx context.Context) error {
	if r.parent == "" || r.cfg.Keep {
		return nil
	}
	r.show.line("revoking the tokens of the run")
	defer r.show.line("")
	ctx, cancel := afterwards(ctx)
	defer cancel()
	c := newClient(0, r.nodes, afterTimeout)
	defer c.close()
	var err error
	for range r.nodes {
		if err = c.revoke(ctx, r.parent, r.parent); err == nil {
			return nil
		}
		c.move()
	}
	return fmt.Errorf("the tokens of the run are left behind, for %s at most: revoking their parent (accessor %s): %w", parentTTL, r.accessor, err)
}

// afterwards is the context of what must happen though ctx is done.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), afterTimeout)
}

// each does n jobs with the clients of the load, and stops at the first error.
func (r *run) each(ctx context.Context, n int, do func(ctx context.Context, c *client, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	for id := range min(r.cfg.Load.Clients, n) {
		wg.Go(func() {
			c := newClient(id, r.nodes, r.cfg.Load.Timeout)
			defer c.close()
			for i := int(next.Add(1)) - 1; i < n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				if err := do(ctx, c, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// tokens makes n tokens below parent.
func (r *run) tokens(ctx context.Context, what string, n int, parent string, body []byte) ([]string, error) {
	r.show.line(fmt.Sprintf("%s: making %d tokens", what, n))
	defer r.show.line("")
	ids := make([]string, n)
	err := r.each(ctx, n, func(ctx context.Context, c *client, i int) error {
		id, err := c.create(ctx, parent, body)
		ids[i] = string(id)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("making %d tokens: %w", n, err)
	}
	return ids, nil
}
