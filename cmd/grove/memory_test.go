package main

import (
	"math"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestHeadroom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ live, least, most uint64 }{
		{0, 90 << 20, 100 << 20}, // of the 4 MB that the runtime never goes below
		{10 << 20, 90 << 20, 100 << 20},
		{200 << 20, 90 << 20, 100 << 20},
		{1 << 30, 100 << 20, 130 << 20},
		{8 << 30, 900 << 20, 1100 << 20},
	} {
		got := max(c.live, 4<<20) * uint64(gcPercentFor(c.live)) / 100
		if got < c.least || got > c.most {
			t.Errorf("%d MB live: %d MB above it, want %d to %d", c.live>>20, got>>20, c.least>>20, c.most>>20)
		}
	}
}

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		want int64
	}{
		"a number":          {"536870912\n", 512 << 20},
		"max":               {"max\n", 0},
		"none of version 1": {"9223372036854771712\n", 0},
		"empty":             {"", 0},
		"negative":          {"-1", 0},
	} {
		file := filepath.Join(dir, "limit")
		if err := os.WriteFile(file, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := memoryLimit([]string{filepath.Join(dir, "missing"), file}); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := memoryLimit([]string{filepath.Join(dir, "missing")}); got != 0 {
		t.Errorf("without a file: %d, want 0", got)
	}
}

// Not parallel: the collector's percent is the process's.
func TestKeepMemory(t *testing.T) {
	before := gcPercent()
	unset := &environment{getenv: func(string) string { return "" }}
	stop := keepMemory(unset, hclog.NewNullLogger())
	awaitPercent(t, func(p int) bool { return p > 100 })
	ballast := make([]byte, 400<<20)
	runtime.GC()
	awaitPercent(t, func(p int) bool { return p < 30 })
	runtime.KeepAlive(ballast)
	stop()
	if p := gcPercent(); p != before {
		t.Errorf("stopped, the percent is %d, want %d as before", p, before)
	}
	set := &environment{getenv: func(name string) string { return map[string]string{"GOGC": "50"}[name] }}
	stop = keepMemory(set, hclog.NewNullLogger())
	runtime.GC()
	stop()
	if p := gcPercent(); p != before {
		t.Errorf("with GOGC set, the percent became %d", p)
	}
}

func awaitPercent(t *testing.T, ok func(int) bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok(gcPercent()) {
		if time.Now().After(deadline) {
			t.Fatalf("the percent stays at %d", gcPercent())
		}
		runtime.Gosched()
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	h := &metrics.Float64Histogram{Counts: []uint64{5, 95, 1}, Buckets: []float64{0, 1e-6, 1e-3, math.Inf(1)}}
	p := newPauses(h, nil)
	if p.total() != 101 || p.quantile(0.5) != time.Millisecond || p.quantile(0.01) != time.Microsecond || p.quantile(1) != time.Millisecond {
		t.Errorf("%d pauses, %v, %v, %v", p.total(), p.quantile(0.5), p.quantile(0.01), p.quantile(1))
	}
	later := newPauses(h, []uint64{5, 95, 1})
	if later.total() != 0 || later.quantile(0.99) != 0 {
		t.Errorf("nothing new: %d pauses, %v", later.total(), later.quantile(0.99))
	}
}
