package main

import (
	"bytes"
	"context"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"
)

// How much garbage may gather before it is collected: leastHeadroom, or the live heap divided by
// headroomShare if that is more. The tokens lie in pages without pointers, so that a collection
// costs next to nothing whatever their number; what a large state must not do is to double in
// memory before it is collected, and a small one must not be collected many times a second.
const (
	leastHeadroom = 96 << 20
	headroomShare = 8
)

// memoryReport is how often a server says at most what the collector did.
const memoryReport = 10 * time.Second

// limitFiles are where the system says what a container may use, version 2 and version 1.
var limitFiles = []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}

// gcPercentFor returns the percent that lets headroom above a live heap of so many bytes.
func gcPercentFor(live uint64) int {
	live = max(live, 4<<20)
	headroom := max(leastHeadroom, live/headroomShare)
	return int(headroom * 100 / live)
}

// keepMemory tunes the collector until the returned function is called. What the operator set
// with GOGC or GOMEMLIMIT stays as it is.
func keepMemory(env *environment, log hclog.Logger) (stop func()) {
	restore := func() {}
	if env.getenv("GOMEMLIMIT") == "" {
		if limit := memoryLimit(limitFiles); limit > 0 {
			before := debug.SetMemoryLimit(limit / 10 * 9) // the rest is not the heap's
			restore = func() { debug.SetMemoryLimit(before) }
		}
	}
	k := &memoryKeeper{log: log, fixed: env.getenv("GOGC") != "", collected: make(chan struct{}, 1), at: time.Now()}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		k.run(ctx)
	}()
	return func() {
		cancel()
		<-done
		restore()
	}
}

// memoryLimit returns the limit of the container, 0 if there is none.
func memoryLimit(files []string) int64 {
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		// "max", and in version 1 a number that no machine has, are none.
		n, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64)
		if err != nil || n <= 0 || n > math.MaxInt64/2 {
			return 0
		}
		return n
	}
	return 0
}

// memoryKeeper sets the collector's percent anew after every collection.
type memoryKeeper struct {
	log       hclog.Logger
	fixed     bool // by the operator
	percent   int
	collected chan struct{}
	at        time.Time // of the last report
	total     []uint64  // counts of pauses, then
	stopping  []uint64  // of their parts until all threads stood still, which a busy machine makes long
}

func (k *memoryKeeper) run(ctx context.Context) {
	usual := gcPercent()
	k.percent = usual
	defer func() {
		if !k.fixed {
			debug.SetGCPercent(usual)
		}
	}()
	for {
		k.tune()
		select {
		case <-k.collected:
		case <-ctx.Done():
			return
		}
	}
}

// gcPercent returns the collector's percent.
func gcPercent() int {
	s := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(s)
	return int(s[0].Value.Uint64())
}

// arm leaves a piece of garbage whose cleanup tells of the next collection.
func (k *memoryKeeper) arm() {
	type sentinel struct{ _ *int } // not a part of somebody else's block of small objects
	runtime.AddCleanup(&sentinel{}, func(c chan struct{}) {
		select {
		case c <- struct{}{}:
		default:
		}
	}, k.collected)
}

func (k *memoryKeeper) tune() {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/cycles/total:gc-cycles"}, {Name: "/sched/pauses/total/gc:seconds"}, {Name: "/sched/pauses/stopping/gc:seconds"}}
	metrics.Read(s)
	live := s[0].Value.Uint64()
	// To set it stops the world for a moment: not for a change that makes no difference.
	if want := gcPercentFor(live); !k.fixed && (want > k.percent+k.percent/16 || want < k.percent-k.percent/16) {
		debug.SetGCPercent(want)
		k.percent = want
	}
	k.arm()
	if now := time.Now(); now.Sub(k.at) >= memoryReport && k.log.IsDebug() {
		all, stopping := s[2].Value.Float64Histogram(), s[3].Value.Float64Histogram()
		pauses, stops := newPauses(all, k.total), newPauses(stopping, k.stopping)
		k.at, k.total, k.stopping = now, append(k.total[:0], all.Counts...), append(k.stopping[:0], stopping.Counts...)
		k.log.Debug("memory", "live", live, "percent", k.percent, "collections", s[1].Value.Uint64(),
			"pauses", pauses.total(), "pause_p99", pauses.quantile(0.99), "pause_longest", pauses.quantile(1),
			"stopping_p99", stops.quantile(0.99))
	}
}

// pauses are how many stops of the world lasted no longer than each limit.
type pauses struct {
	counts []uint64
	limits []float64 // in seconds; one more than counts: the first is the lower one
}

// newPauses are those of h that are not in earlier counts, which may be nil.
func newPauses(h *metrics.Float64Histogram, earlier []uint64) pauses {
	p := pauses{counts: make([]uint64, len(h.Counts)), limits: h.Buckets}
	copy(p.counts, h.Counts)
	for i, n := range earlier {
		p.counts[i] -= n
	}
	return p
}

func (p pauses) total() uint64 {
	var n uint64
	for _, c := range p.counts {
		n += c
	}
	return n
}

// quantile returns a time that is not less than the quantile q.
func (p pauses) quantile(q float64) time.Duration {
	rest := int64(math.Ceil(q * float64(p.total())))
	if rest == 0 {
		return 0
	}
	for i, c := range p.counts {
		if rest -= int64(c); rest <= 0 {
			limit := p.limits[i+1]
			if math.IsInf(limit, 1) {
				limit = p.limits[i]
			}
			return time.Duration(limit * float64(time.Second))
		}
	}
	return 0
}
