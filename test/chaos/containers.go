package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tokengrove/grove/test/chaos/compose"
	"github.com/tokengrove/grove/test/chaos/fault"
	"github.com/tokengrove/grove/test/chaos/target"
)

// composeOptions are those of the target compose alone.
type composeOptions struct {
	nodes  int
	faults string
	tags   string
}

func (o *composeOptions) flags(f *flag.FlagSet) {
	f.IntVar(&o.nodes, "nodes", 5, "compose: containers, 3 or 5")
	f.StringVar(&o.faults, "faults", "", "compose: kinds of fault, with commas; default: all of "+strings.Join(fault.Kinds(), ","))
	f.StringVar(&o.tags, "tags", "", "compose: build tags of the server besides chaos, with commas")
}

func (o *composeOptions) check() error {
	if o.nodes != 3 && o.nodes != 5 {
		return fmt.Errorf("-nodes=%d: want 3 or 5", o.nodes)
	}
	for _, k := range list(o.faults) {
		if !slices.Contains(fault.Kinds(), k) {
			return fmt.Errorf("-faults: no kind %q; want some of %s", k, strings.Join(fault.Kinds(), ", "))
		}
	}
	return nil
}

// arguments are the flags that say the same again.
func (o *composeOptions) arguments(target string) string {
	if target != "compose" {
		return ""
	}
	s := fmt.Sprintf(" -nodes=%d", o.nodes)
	if o.faults != "" {
		s += " -faults=" + o.faults
	}
	if o.tags != "" {
		s += " -tags=" + o.tags
	}
	return s
}

// newCompose makes the target of containers.
func newCompose(o options, dir string) (target.Target, error) {
	gomod, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return nil, fmt.Errorf("looking for the root of the repository: %w", err)
	}
	if filepath.Base(strings.TrimSpace(string(gomod))) != "go.mod" {
		return nil, errors.New("-target=compose builds the server and its image: run it in a folder of the repository")
	}
	say := func(format string, args ...any) { fmt.Fprintf(os.Stderr, "chaos: "+format+"\n", args...) }
	return compose.New(compose.Config{
		Root: filepath.Dir(strings.TrimSpace(string(gomod))), Size: o.compose.nodes, Tags: list(o.compose.tags), Kinds: list(o.compose.faults), Logs: dir, Logf: say,
	})
}

// list splits at commas; nothing has no parts.
func list(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
}
