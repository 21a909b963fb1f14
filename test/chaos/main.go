// Command chaos runs clients against a cluster while it is being broken, and judges what they were told.
//
//	go run ./test/chaos -target=process -duration=1m -seed=7
//	go run ./test/chaos -planted                 every planted bug, each of which must be found
//	go run ./test/chaos -judge=FILE              judges a history again
//
// It exits 0 if every promise held, 1 if one was broken, 2 if the run itself failed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// options are what a run is made of.
type options struct {
	target   string
	duration time.Duration
	seed     uint64
	clients  int
	rate     int
	skew     time.Duration
	out      string // folder for histories and logs
	binary   string // "": built from this module
	planted  plantedOptions
	judge    judgeOptions
	compose  composeOptions
	quiet    bool
}

// judgeOptions say what is judged.
type judgeOptions struct {
	file    string // a history of before; "": that of the run
	without string // promises that are not judged
}

// plantedOptions say which planted bugs are run.
type plantedOptions struct {
	run  bool
	only string // "": all
}

func (o *options) parse(args []string, stderr io.Writer) error {
	f := flag.NewFlagSet("chaos", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.target, "target", "process", "what to break: "+targetNames())
	f.DurationVar(&o.duration, "duration", time.Minute, "how long load and faults go on")
	f.Uint64Var(&o.seed, "seed", 0, "of the schedule of faults and of the clients; 0: any")
	f.IntVar(&o.clients, "clients", 18, "clients, spread over all nodes")
	f.IntVar(&o.rate, "rate", 600, "steps per second of all clients, each of one or a few requests; 0: no bound")
	f.DurationVar(&o.skew, "skew", 0, "how far the clocks of nodes may be apart; 0: what the target says")
	f.StringVar(&o.out, "out", "", "folder for the history and the logs; default: a new one, removed after a good run")
	f.StringVar(&o.binary, "binary", "", "the server; default: built from this module")
	f.BoolVar(&o.planted.run, "planted", false, "run every planted bug, on processes")
	f.StringVar(&o.planted.only, "only", "", "with -planted: this one alone")
	f.StringVar(&o.judge.file, "judge", "", "judge this history and run nothing")
	f.StringVar(&o.judge.without, "without", "", "promises that are not judged, as in P10,lost")
	o.compose.flags(f)
	f.BoolVar(&o.quiet, "quiet", false, "no progress")
	if err := f.Parse(args); err != nil {
		return err
	}
	switch {
	case f.NArg() > 0:
		return fmt.Errorf("unexpected argument %q; -h lists the flags", f.Arg(0))
	case targets[o.target] == nil:
		return fmt.Errorf("-target=%s: want one of %s", o.target, targetNames())
	case o.clients < 1 || o.clients > 1024:
		return fmt.Errorf("-clients=%d: want 1 to 1024", o.clients)
	case o.rate < 0:
		return fmt.Errorf("-rate=%d: want 0 (no bound) or more", o.rate)
	case o.duration <= 0:
		return fmt.Errorf("-duration=%s: want more than 0", o.duration)
	}
	if err := o.compose.check(); err != nil {
		return err
	}
	if o.seed == 0 {
		o.seed = uint64(rand.Uint32()) + 1
	}
	return nil
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var o options
	if err := o.parse(args, stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(stderr, "chaos:", err)
		}
		return 2
	}
	good, err := false, error(nil)
	switch {
	case o.judge.file != "":
		good, err = judge(o, stdout)
	case o.planted.run:
		good, err = plant(ctx, o, stdout)
	default:
		good, err = chaos(ctx, o, stdout)
	}
	switch {
	case err != nil:
		fmt.Fprintln(stderr, "chaos:", err)
		return 2
	case !good:
		return 1
	}
	return 0
}
