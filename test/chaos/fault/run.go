package fault

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
	"github.com/tokengrove/grove/test/chaos/target"
)

// stepTimeout bounds a step after its hold: to be done, to be healed, and until its nodes are well.
const stepTimeout = 2 * time.Minute

// Cluster is what faults are done to. Its methods are called from up to two goroutines at a time.
type Cluster interface {
	// Leader returns the node that leads, or -1.
	Leader(ctx context.Context) int
	// Inject does what the step says, but does not hold it. A fault that has no state, such as
	// a transfer, is done when it returns.
	Inject(ctx context.Context, s Step) error
	// Heal takes it back, also when Inject has failed halfway.
	Heal(ctx context.Context, s Step) error
	// Await returns when the nodes answer requests with a token.
	Await(ctx context.Context, nodes []int) error
}

// Run carries out a schedule until ctx ends, and then lets the slot that is under way come to its
// end. An error means that the test is broken, or that nodes did not become well again.
func Run(ctx context.Context, s *Schedule, c Cluster, log *target.Log) error {
	r := &runner{cluster: c, log: log, state: &state{nodes: s.nodes, steps: map[int]Step{}}}
	for ctx.Err() == nil {
		slot := s.Next()
		if err := r.slot(ctx, slot); err != nil {
			return err
		}
		pause(ctx, slot.Rest)
	}
	return nil
}

type runner struct {
	cluster Cluster
	log     *target.Log
	state   *state
}

func (r *runner) slot(ctx context.Context, slot Slot) error {
	errs := make([]error, len(slot.Steps))
	var wg sync.WaitGroup
	for i, s := range slot.Steps {
		wg.Go(func() {
			if i > 0 {
				pause(ctx, slot.Lag)
			}
			errs[i] = r.steps(ctx, s)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// steps does a step to its nodes together, or, if it rolls, to one after the other: each is a
// fault of its own then.
func (r *runner) steps(ctx context.Context, s Step) error {
	if s.Kind != RollingRestart {
		return r.step(ctx, s)
	}
	nodes := s.Nodes
	s.Leader = false
	for _, n := range nodes {
		s.Nodes = []int{n}
		if err := r.step(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *runner) step(ctx context.Context, s Step) error {
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.Hold+stepTimeout)
	defer cancel()
	leader := r.cluster.Leader(bounded)
	cut := r.state.begin(&s, leader)
	end := r.log.Begin(history.Event{Kind: s.Kind, Nodes: s.Nodes, Cut: cut, Detail: s.detail(leader)})
	defer end()
	defer r.state.end(s.Number)
	err := r.cluster.Inject(bounded, s)
	if err == nil {
		pause(ctx, s.Hold)
	}
	if err = errors.Join(err, r.cluster.Heal(bounded, s)); err != nil {
		return fmt.Errorf("fault %d (%s of %v): %w", s.Number, s.Kind, s.Nodes, err)
	}
	if err := r.cluster.Await(bounded, s.Nodes); err != nil {
		return fmt.Errorf("after fault %d (%s of %v) was healed: %w", s.Number, s.Kind, s.Nodes, err)
	}
	return nil
}

func (s *Step) detail(leader int) string {
	text := fmt.Sprintf("fault %d, level %d, hold %v", s.Number, s.Level, s.Hold)
	for _, n := range s.Nodes {
		if n == leader {
			text += ", hits the leader"
			break
		}
	}
	return text
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
