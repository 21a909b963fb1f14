package scale

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strings"
	"time"
)

// memoryUse is what the process occupies, in bytes.
type memoryUse struct {
	heap     float64 // live objects
	resident float64 // pages of the process; 0 if the system does not tell
}

// memory collects the garbage, gives free pages back and looks.
func memory() memoryUse {
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return memoryUse{heap: float64(m.HeapAlloc), resident: residentBytes()}
}

// residentBytes reads VmRSS where there is a /proc.
func residentBytes() float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kb float64
		if n, _ := fmt.Sscanf(line, "VmRSS: %f kB", &kb); n == 1 {
			return kb * 1024
		}
	}
	return 0
}

// collections is how many times the garbage is collected while commands are applied. A
// forest that finds nothing to scan hardly ever makes the collector run by itself.
const collections = 10

// collector measures the pauses of the garbage collector, and Apply beside it: the whole
// forest is marked again and again while commands of all kinds are applied.
func (r *run) collector(ctx context.Context) error {
	before := gcPauses()
	done := make(chan time.Duration)
	go func() {
		begin := time.Now()
		for range collections {
			runtime.GC()
		}
		done <- time.Since(begin)
	}()
	var t timing
	next := r.pop.mix()
	for {
		select {
		case cycles := <-done:
			after := gcPauses()
			r.record("gc pause p99", micros(after.quantileSince(before, 0.99)), "µs", after.since(before))
			r.record("gc pause max", micros(after.quantileSince(before, 1)), "µs", after.since(before))
			r.record("gc cycle", millis(cycles/collections), "ms", collections)
			r.record("apply p99 beside gc", micros(t.quantile(0.99)), "µs", len(t.all))
			r.record("apply max beside gc", micros(t.max()), "µs", len(t.all))
			return nil
		default:
		}
		if err := r.timed(ctx, &t, next, 1); err != nil {
			<-done
			return err
		}
	}
}

// pauses is the runtime's histogram of the stops of the world for the collector.
type pauses struct {
	counts  []uint64
	buckets []float64 // limits, in seconds
}

func gcPauses() pauses {
	s := []metrics.Sample{{Name: "/sched/pauses/total/gc:seconds"}}
	metrics.Read(s)
	if s[0].Value.Kind() != metrics.KindFloat64Histogram {
		return pauses{}
	}
	h := s[0].Value.Float64Histogram()
	return pauses{append([]uint64(nil), h.Counts...), append([]float64(nil), h.Buckets...)}
}

// since counts the pauses after an earlier look.
func (p pauses) since(earlier pauses) int {
	n := 0
	for i, c := range p.counts {
		n += int(c - earlier.at(i))
	}
	return n
}

func (p pauses) at(i int) uint64 {
	if i < len(p.counts) {
		return p.counts[i]
	}
	return 0
}

// quantileSince returns the upper limit of the bucket that has the quantile q of the pauses
// after an earlier look: never less than the true one.
func (p pauses) quantileSince(earlier pauses, q float64) time.Duration {
	rest := int(math.Ceil(q * float64(p.since(earlier))))
	if rest == 0 {
		return 0
	}
	for i, c := range p.counts {
		rest -= int(c - earlier.at(i))
		if rest <= 0 {
			limit := p.buckets[i+1]
			if math.IsInf(limit, 1) {
				limit = p.buckets[i]
			}
			return time.Duration(limit * float64(time.Second))
		}
	}
	return 0
}
