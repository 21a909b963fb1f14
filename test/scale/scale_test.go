package scale

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	sizes    = flag.String("scale.sizes", "10000", "numbers of tokens to measure with, separated by commas")
	samples  = flag.Int("scale.samples", 2000, "commands of each kind")
	links    = flag.Int("scale.chain", 10000, "tokens in the chain")
	limit    = flag.Duration("scale.limit", 2*time.Minute, "time for the whole measurement")
	costs    = flag.Int("scale.costs", 2000, "commands for the constants of the model")
	rounds   = flag.Int("scale.rounds", 1, "rounds of that, of which the median counts")
	costFile = flag.String("scale.costs-out", "", "file that gets the constants")
	outFile  = flag.String("scale.out", "", "file that gets the figures")
)

// expected is what every size must give, but for what depends on the system or the size.
var expected = []string{
	"fill apply", "heap per token", "create apply", "create p50", "create p99", "use apply", "use p99", "renew apply", "renew p99",
	"revoke apply", "revoke p99", "lookup p50", "lookup p99", "gc pause p99", "gc pause max", "gc cycle", "apply p99 beside gc",
	"freeze p50", "freeze max", "apply p99 after a freeze", "write beside apply", "apply p99 beside write", "apply max beside write",
	"write", "snapshot", "snapshot per token", "restore", "chain create", "chain check", "chain revoke", "chain reclaim",
	"tree revoke", "tree reclaim", "tree longest apply of others", "prefix revoke", "prefix reclaim", "prefix longest apply of others",
}

func sizesOf(t *testing.T) []int {
	t.Helper()
	var ns []int
	for s := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("-scale.sizes: %v", err)
		}
		ns = append(ns, n)
	}
	return ns
}

// TestMeasure takes the figures. It fails when a result is wrong, never for a time.
func TestMeasure(t *testing.T) {
	name := *outFile
	if name == "" {
		name = filepath.Join(t.TempDir(), "figures.jsonl")
	}
	out, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	rec, err := NewRecorder(out, Here(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), *limit)
	defer cancel()
	for _, n := range sizesOf(t) {
		if err := Measure(ctx, Options{Tokens: n, Samples: *samples, Chain: *links, Dir: t.TempDir(), Log: t.Logf}, rec); err != nil {
			t.Fatal(err)
		}
	}
	fs, err := ReadFigureFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range sizesOf(t) {
		for _, name := range expected {
			if f, ok := fs.Of(name, n); !ok || f.Count <= 0 || f.Value < 0 {
				t.Errorf("%d tokens: figure %q is %+v", n, name, f)
			}
		}
	}
}

// TestMeasureEnds: no time left is an error that says where, not a short file.
func TestMeasureEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rec, err := NewRecorder(io.Discard, Origin{})
	if err != nil {
		t.Fatal(err)
	}
	err = Measure(ctx, Options{Tokens: least, Samples: batch, Chain: 2, Dir: t.TempDir()}, rec)
	if err == nil || !strings.Contains(err.Error(), "phase fill") {
		t.Errorf("got %v, want an error of the phase fill", err)
	}
}

// TestMain makes the process that measureHTTP starts a null server.
func TestMain(m *testing.M) {
	if os.Getenv(NullVariable) == "" {
		os.Exit(m.Run())
	}
	if err := ServeNull(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestCosts takes the constants of the model.
func TestCosts(t *testing.T) {
	var b bytes.Buffer
	rec, err := NewRecorder(&b, Here(time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	if err := MeasureCosts(t, *costs, *rounds, rec); err != nil {
		t.Fatal(err)
	}
	if *costFile != "" {
		if err := os.WriteFile(*costFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Log(b.String())
	fs, err := ReadFigures(&b)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"http server cpu", "http client cpu", "disk sync p50", "entry cpu, 1 nodes", "command cpu, 3 nodes", "lone write p50, 3 nodes"} {
		if f, ok := fs.Of(name, 0); !ok || f.Count <= 0 {
			t.Errorf("figure %q is %+v", name, f)
		}
	}
}
