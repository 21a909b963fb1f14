package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestShort is a run of twenty seconds. P10 is for scripts/chaos: on a machine that starves the servers
// they may lose their majority without any fault.
func TestShort(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes and breaks them for twenty seconds")
	}
	t.Parallel()
	bin, err := build(filepath.Join(t.TempDir(), "grove"))
	if err != nil {
		t.Fatal(err)
	}
	noBugIn(t, bin)
	var out bytes.Buffer
	code := run(t.Context(), []string{"-target=process", "-duration=20s", "-seed=4", "-clients=12", "-rate=200", "-without=P10", "-quiet", "-binary=" + bin}, &out, &out)
	t.Log(out.String())
	if code != 0 {
		t.Errorf("exit code %d, want 0", code)
	}
}

// noBugIn looks for the names of planted bugs in a server as it ships.
func noBugIn(t *testing.T, bin string) {
	t.Helper()
	text, err := os.ReadFile(bin)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bugs {
		if bytes.Contains(text, []byte(b.name)) {
			t.Errorf("the server has the planted bug %s in it", b.name)
		}
	}
}

// TestEveryBugIsPlanted: the table names what is in the code, and all of it.
func TestEveryBugIsPlanted(t *testing.T) {
	t.Parallel()
	asked := regexp.MustCompile(`planted\.Is\("([^"]*)"\)`)
	planted := map[string]bool{}
	for _, dir := range []string{"fsm", "cluster", "httpapi"} {
		err := filepath.WalkDir(filepath.Join("..", "..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") {
				return err
			}
			text, err := os.ReadFile(path)
			for _, m := range asked.FindAllSubmatch(text, -1) {
				planted[string(m[1])] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range bugs {
		if !planted[b.name] {
			t.Errorf("%s is planted nowhere", b.name)
		}
		if len(b.promises) == 0 || b.what == "" {
			t.Errorf("%s breaks nothing, or does not say what it is", b.name)
		}
	}
	for name := range planted {
		if !slices.ContainsFunc(bugs, func(b bug) bool { return b.name == name }) {
			t.Errorf("%s is planted, and nobody looks for it", name)
		}
	}
}

// TestArguments: what is wrong is said, with what is allowed.
func TestArguments(t *testing.T) {
	t.Parallel()
	for want, args := range map[string][]string{
		"want one of":        {"-target=cloud"},
		"want 1 to 1024":     {"-clients=0"},
		"want 0 (no bound)":  {"-rate=-1"},
		"want more than 0":   {"-duration=0s"},
		"unexpected":         {"now"},
		"no such file":       {"-judge=/nowhere"},
		"not defined: -what": {"-what"},
	} {
		var out, errs bytes.Buffer
		if code := run(t.Context(), args, &out, &errs); code != 2 || !strings.Contains(errs.String(), want) {
			t.Errorf("%v: exit code %d, %q; want 2 and %q", args, code, errs.String(), want)
		}
	}
}
