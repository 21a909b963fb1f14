package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "size:", err)
		os.Exit(1)
	}
}

// options of a run.
type options struct {
	sizes                 string
	tree, chain, children int
	load                  time.Duration
	bin, dir              string
}

func (o *options) parse(args []string) error {
	fl := flag.NewFlagSet("size", flag.ContinueOnError)
	fl.StringVar(&o.sizes, "sizes", "1000000,5000000", "tokens of one node, separated by commas; \"\" leaves that part out")
	fl.IntVar(&o.tree, "tree", 1_000_000, "descendants of the tree that three nodes revoke; 0 leaves that part out")
	fl.IntVar(&o.chain, "chain", 100_000, "tokens of the chain beside it")
	fl.IntVar(&o.children, "children", 3000, "children of the small tree, made through the API")
	fl.DurationVar(&o.load, "load", 20*time.Second, "how long a node is under load")
	fl.StringVar(&o.bin, "binary", "", "the server (default: built from this module)")
	return fl.Parse(args)
}

func run(args []string, out io.Writer) (err error) {
	var o options
	if err := o.parse(args); err != nil {
		return err
	}
	if o.dir, err = os.MkdirTemp("", "grove-size"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.dir)) }()
	if o.bin == "" {
		o.bin = filepath.Join(o.dir, "grove")
		cmd := exec.Command("go", "build", "-trimpath", "-o", o.bin, "github.com/tokengrove/grove/cmd/grove")
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building the server: %w\n%s", err, text)
		}
	}
	var t table
	for size := range strings.SplitSeq(o.sizes, ",") {
		if size == "" {
			continue
		}
		n, err := strconv.Atoi(size)
		if err != nil {
			return fmt.Errorf("-sizes: %w", err)
		}
		if err := o.one(&t, n); err != nil {
			return fmt.Errorf("one node of %d tokens: %w", n, err)
		}
		if err := o.backup(&t, n); err != nil {
			return fmt.Errorf("backup of %d tokens: %w", n, err)
		}
	}
	if o.tree > 0 {
		if err := o.three(&t); err != nil {
			return fmt.Errorf("three nodes: %w", err)
		}
	}
	return t.print(out)
}
