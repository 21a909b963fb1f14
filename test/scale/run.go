package scale

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// errWrong says that what was measured is not what it should be: a bug, here or there.
var errWrong = errors.New("the measurement is void")

// least is the smallest number of tokens of which the shape has every part.
const least = 1000

// Options bound a run of one size.
type Options struct {
	Tokens  int    // in the forest; at least 1,000
	Samples int    // commands of each kind and way; at least 64
	Chain   int    // tokens in the chain; at least 2
	Dir     string // where the snapshot is written
	Log     func(format string, args ...any)
}

// Validate reports what is wrong with the options.
func (o Options) Validate() error {
	switch {
	case o.Tokens < least:
		return fmt.Errorf("%d tokens, at least %d are needed", o.Tokens, least)
	case o.Samples < batch:
		return fmt.Errorf("%d samples, at least %d are needed", o.Samples, batch)
	case o.Chain < 2:
		return fmt.Errorf("a chain of %d, at least 2 are needed", o.Chain)
	case o.Dir == "":
		return errors.New("no folder for the snapshot")
	}
	return nil
}

// run is the measurement of one size. Its phases go in the order of phases: the last ones
// kill what the first ones made.
type run struct {
	o   Options
	pop *population
	out *Recorder
	err error // the first failed write of a figure
}

// Measure takes all figures of one size. It ends early, with an error that names the phase,
// when ctx does.
func Measure(ctx context.Context, o Options, out *Recorder) error {
	if err := o.Validate(); err != nil {
		return err
	}
	r := &run{o: o, out: out}
	for _, ph := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"fill", r.fill}, {"commands", r.commands}, {"lookups", r.lookups}, {"collector", r.collector},
		{"freeze", r.freeze}, {"persist", r.persist}, {"snapshot", r.snapshot},
		{"chain", r.chain}, {"tree", r.tree}, {"end of the chain", r.cutChain}, {"prefix", r.prefix},
	} {
		begin := time.Now()
		if err := errors.Join(ph.do(ctx), r.err); err != nil {
			return fmt.Errorf("%d tokens, phase %s: %w", o.Tokens, ph.name, err)
		}
		if o.Log != nil {
			o.Log("%d tokens: %s took %s", o.Tokens, ph.name, time.Since(begin).Round(time.Millisecond))
		}
	}
	return nil
}

func (r *run) record(name string, value float64, unit string, count int) {
	r.err = errors.Join(r.err, r.out.Record(Figure{Tokens: r.o.Tokens, Name: name, Value: value, Unit: unit, Count: count}))
}

// fill creates the tokens and says what each occupies.
func (r *run) fill(ctx context.Context) error {
	before := memory()
	pop, err := newPopulation(r.o.Tokens)
	if err != nil {
		return err
	}
	r.pop = pop
	t, err := pop.fill(ctx)
	if err != nil {
		return err
	}
	after := memory()
	n := r.o.Tokens
	r.record("fill apply", t.perSecond(n), "/s", n)
	r.record("heap per token", (after.heap-before.heap)/float64(n), "B", n)
	if after.resident > 0 {
		r.record("resident per token", (after.resident-before.resident)/float64(n), "B", n)
	}
	return pop.alive(n)
}
