package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
	"github.com/tokengrove/grove/test/chaos/target"
)

// Config is a load.
type Config struct {
	Nodes   []target.Node
	Root    string // the root token
	Clients int
	// Rate bounds the requests per second of all clients together; 0: no bound.
	Rate   int
	Seed   uint64
	Clock  target.Clock
	Writer *history.Writer
}

// Progress is how far a load is.
type Progress struct{ Operations, Failed uint64 }

// Load is the clients and what they know.
type Load struct {
	cfg       Config
	wire      *wire
	garden    *garden
	number    atomic.Uint64
	failed    atomic.Uint64
	turns     chan struct{} // nil: no bound
	keyed     bool          // the servers know Idempotency-Key
	keyPrefix string
}

// policyText lets tokens make children, and kill themselves.
const policyText = `path "auth/token/*" { capabilities = ["create", "read", "update"] }`

// New prepares the servers: a policy, and a role for each source path.
func New(ctx context.Context, cfg Config) (*Load, error) {
	l := &Load{cfg: cfg, wire: newWire(cfg.Nodes), garden: newGarden(cfg.Clients), keyPrefix: fmt.Sprintf("chaos-%d-", cfg.Seed)}
	if cfg.Rate > 0 {
		l.turns = make(chan struct{}, cfg.Clients)
	}
	asks := []ask{{method: "PUT", path: "sys/policies/acl/chaos", body: map[string]any{"policy": policyText}}}
	for i := range paths {
		asks = append(asks, ask{method: "POST", path: "auth/token/roles/" + role(i), body: map[string]any{"allowed_policies": "chaos", "renewable": true}})
	}
	for _, a := range asks {
		a.token = cfg.Root
		if r := l.wire.send(ctx, 0, a); r.outcome != history.Applied {
			return nil, fmt.Errorf("preparing the load: %s: %d %s", a.path, r.answer.Status, r.answer.Error)
		}
	}
	l.keyed = l.knowsKeys(ctx)
	return l, nil
}

func role(i int) string { return fmt.Sprintf("chaos-%d", i) }

// knowsKeys finds out whether a create with an Idempotency-Key that is sent again answers the same.
func (l *Load) knowsKeys(ctx context.Context) bool {
	a := ask{method: "POST", path: "auth/token/create-orphan", token: l.cfg.Root, key: l.keyPrefix + "probe", body: map[string]any{"policies": []string{"chaos"}, "ttl": "1h"}}
	var ids []string
	for range 2 {
		if r := l.wire.send(ctx, 0, a); r.body.Auth != nil {
			ids = append(ids, r.body.Auth.ClientToken)
		}
	}
	for _, id := range ids {
		l.wire.send(ctx, 0, ask{method: "POST", path: "auth/token/revoke", token: l.cfg.Root, body: map[string]any{"token": id}})
	}
	return len(ids) == 2 && ids[0] == ids[1]
}

// Keyed reports whether the creations carry an Idempotency-Key.
func (l *Load) Keyed() bool { return l.keyed }

// Progress returns how far the load is.
func (l *Load) Progress() Progress { return Progress{l.number.Load(), l.failed.Load()} }

// Run sends requests until ctx ends, and returns when all have their answers.
func (l *Load) Run(ctx context.Context) {
	var running sync.WaitGroup
	if l.turns != nil {
		running.Go(func() { l.pace(ctx) })
	}
	for i := range l.cfg.Clients {
		running.Go(func() { l.newClient(i).run(ctx) })
	}
	running.Wait()
}

// Close drops the connections.
func (l *Load) Close() { l.wire.close() }

// pace hands out turns at the rate.
func (l *Load) pace(ctx context.Context) {
	const step = 5 * time.Millisecond
	tick := time.NewTicker(step)
	defer tick.Stop()
	owed := 0.0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for owed += float64(l.cfg.Rate) * step.Seconds(); owed >= 1; owed-- {
			select {
			case l.turns <- struct{}{}:
			default:
			}
		}
	}
}

// record sends a and notes it as o. The request is not bound to the run's context: what was begun
// gets its answer.
func (l *Load) record(o history.Operation, a ask, node int) reply {
	o.Number = l.number.Add(1)
	o.Node = int32(node)
	o.Invoke = l.cfg.Clock.Now()
	r := l.wire.send(context.Background(), node, a)
	o.Return = l.cfg.Clock.Now()
	o.Outcome, o.Answer = r.outcome, r.answer
	if o.Failed() {
		l.failed.Add(1)
	}
	l.cfg.Writer.Operation(o)
	return r
}

func (l *Load) newClient(i int) *client {
	return &client{Load: l, index: int32(i), home: i % len(l.cfg.Nodes), rand: rand.New(rand.NewPCG(l.cfg.Seed, uint64(i)))}
}
