// Command figures measures Grove beside a null server, again and again in turn, and writes
// what it measured as Markdown and as JSON. scripts/bench builds what it needs and runs it.
//
// Contract: every measurement of Grove has one of null of the same repetition, taken within seconds of
// it: only their ratio counts, because all of them share one machine. The order of servers is
// turned round in every other repetition, so that a machine that gets slower favours nobody. What else
// took processor time is measured too, and said.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	grove, generator, cluster string // binaries; the last two may be missing
	out                       string // path of the results, without .md and .json
	commit                    string
	repetitions, procs        int
	duration                  time.Duration
	links                     string
	trees                     string
	dev, quick                bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "figures:", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	fl := flag.NewFlagSet("figures", flag.ContinueOnError)
	fl.SetOutput(stderr)
	fl.StringVar(&o.grove, "grove", "", "binary of grove")
	fl.StringVar(&o.generator, "generator", "", "binary of another load generator (default: grove bench)")
	fl.StringVar(&o.cluster, "cluster", "", "test binary of package cluster, for the benchmarks of one client alone (default: without them)")
	fl.StringVar(&o.out, "out", "", "where to write the results, as PATH.md and PATH.json (default: the table to standard output only)")
	fl.StringVar(&o.commit, "commit", "", "what was built, for the heading")
	fl.IntVar(&o.repetitions, "n", 5, "repetitions")
	fl.DurationVar(&o.duration, "d", 5*time.Second, "length of one measurement")
	fl.StringVar(&o.links, "links", "plain,tls", "of clients: plain, tls or both")
	fl.StringVar(&o.trees, "trees", "3000,1000000", "descendants of a revoked parent, several times; the largest in the first repetition only; empty: none")
	fl.IntVar(&o.procs, "procs", max(1, runtime.NumCPU()/3), "GOMAXPROCS of each of three nodes: its share of the cores that they have together; a node alone has all")
	fl.BoolVar(&o.dev, "dev", false, "also three nodes in one process, as -dev-nodes=3 makes them (plain only)")
	fl.BoolVar(&o.quick, "quick", false, "one repetition of one second with small trees: shows that everything works, and nothing else")
	if err := fl.Parse(args); err != nil {
		return o, err
	}
	if o.quick {
		o.hurry(fl)
	}
	switch {
	case fl.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fl.Arg(0))
	case o.grove == "":
		return o, errors.New("-grove is needed")
	case o.procs < 1:
		return o, errors.New("-procs is at least 1")
	case o.repetitions < 1 || o.duration < 100*time.Millisecond:
		return o, errors.New("-n is at least 1, and -d 100ms")
	}
	return o, nil
}

// hurry sets what -quick means, where nothing else is asked for.
func (o *options) hurry(fl *flag.FlagSet) {
	given := map[string]bool{}
	fl.Visit(func(f *flag.Flag) { given[f.Name] = true })
	if !given["n"] {
		o.repetitions = 1
	}
	if !given["d"] {
		o.duration = time.Second
	}
	if !given["trees"] {
		o.trees = "300"
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	trees, err := numbers(o.trees)
	if err != nil {
		return fmt.Errorf("-trees: %w", err)
	}
	dir, err := os.MkdirTemp("", "grove-figures-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	mounts, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return err
	}
	s := &survey{options: o, sizes: trees, dir: dir, progress: stderr, record: newRecord(o)}
	s.record.FileSystem = fileSystem(dir, string(mounts))
	for _, links := range strings.Split(o.links, ",") {
		if links != plain && links != secure {
			return fmt.Errorf("-links: %q is neither %s nor %s", links, plain, secure)
		}
		s.links = append(s.links, links)
	}
	err = s.run(ctx)
	if ctx.Err() != nil {
		err = errors.New("interrupted: the results are of a shorter run") // and whatever failed did so because of that
	}
	if err != nil && len(s.record.Measurements) == 0 {
		return err
	}
	text := s.record.markdown() // also of a run that was cut short
	if _, werr := io.WriteString(stdout, text); werr != nil {
		return errors.Join(err, werr)
	}
	return errors.Join(err, s.record.save(o.out, text), s.record.fault())
}

// save writes the results beside each other.
func (r *record) save(path, text string) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	b, err := r.json()
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(path+".md", []byte(text), 0o644), os.WriteFile(path+".json", b, 0o644))
}
