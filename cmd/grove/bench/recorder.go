package bench

import (
	"maps"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// sample is a request that was measured: when it was due and when its answer was there, since the
// start of the load.
type sample struct {
	due, end time.Duration
	err      error
}

// batch gathers the samples of one client, so that clients rarely meet at the recorder.
type batch struct {
	to      *recorder
	samples [64]sample
	n       int
}

// batchAge is how long a sample may wait, for the progress line.
const batchAge = 100 * time.Millisecond

func (b *batch) add(s sample) {
	b.samples[b.n] = s
	b.n++
	if b.n == len(b.samples) || s.end-b.samples[0].end > batchAge {
		b.flush()
	}
}

func (b *batch) flush() {
	b.to.record(b.samples[:b.n])
	b.n = 0
}

// The histograms count microseconds, to three digits.
const (
	longestLatency = time.Hour
	digits         = 3
)

func newHistogram() *hdrhistogram.Histogram {
	return hdrhistogram.New(1, longestLatency.Microseconds(), digits)
}

// put counts a latency; one beyond the histogram's range counts as the longest in it.
func put(h *hdrhistogram.Histogram, d time.Duration) {
	h.RecordValue(min(max(d.Microseconds(), 1), longestLatency.Microseconds())) // fails only out of range
}

// recorder puts together what the clients of a load have seen. Safe for several goroutines.
type recorder struct {
	from, until time.Duration // the measured part, as in pace

	mu       sync.Mutex
	all      *hdrhistogram.Histogram // latencies of successes
	inTime   int64                   // successes that ended within the measured part
	failures map[string]int64        // by class
	first    string                  // failure
	last     time.Duration           // end of a sample
	line     timeline
	recent   *hdrhistogram.Histogram // since the last look
	errors   int64                   // likewise
}

func newRecorder(from, until time.Duration) *recorder {
	return &recorder{
		from: from, until: until, failures: map[string]int64{}, line: timeline{width: sliceWidth},
		all: newHistogram(), recent: newHistogram(),
	}
}

func (r *recorder) record(samples []sample) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range samples {
		s := &samples[i]
		r.last = max(r.last, s.end)
		inTime := r.until == 0 || s.end < r.until
		if inTime {
			r.line.add(s.end-r.from, s.err == nil)
		}
		if s.err != nil {
			r.errors++
			r.failures[classOf(s.err)]++
			if r.first == "" {
				r.first = s.err.Error()
			}
			continue
		}
		if inTime {
			r.inTime++
		}
		put(r.all, s.end-s.due)
		put(r.recent, s.end-s.due)
	}
}

// glance is what a progress line shows.
type glance struct {
	count, errors int64
	p99           time.Duration
}

// look returns what has come since the last look.
func (r *recorder) look() glance {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := glance{count: r.recent.TotalCount(), errors: r.errors, p99: time.Duration(r.recent.ValueAtQuantile(99)) * time.Microsecond}
	r.recent.Reset()
	r.errors = 0
	return g
}

// end is when the last answer came.
func (r *recorder) end() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.last
}

// figures sums up. end is when the measured part ended: rates are of what was answered until then.
func (r *recorder) figures(end time.Duration) (Figures, Latency, Timeline) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := Figures{Count: r.all.TotalCount(), FirstError: r.first, Seconds: max(end-r.from, 0).Seconds()}
	if f.Seconds > 0 {
		f.Rate = float64(r.inTime) / f.Seconds
	}
	if len(r.failures) > 0 {
		f.ErrorsByClass = maps.Clone(r.failures)
	}
	for _, n := range r.failures {
		f.Errors += n
	}
	return f, latencyOf(r.all), r.line.export()
}
