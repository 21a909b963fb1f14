package bench

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"
)

// paceAt is a pace whose load began so long ago.
func paceAt(l Load, ago time.Duration) *pace {
	p := newPace(l)
	p.start = p.start.Add(-ago)
	return p
}

func TestScheduleIsKept(t *testing.T) {
	t.Parallel()
	p := paceAt(Load{Rate: 10, Duration: time.Hour}, 10*time.Second)
	for i := range 50 { // all are late, and due when they were due
		got, ok := p.next(t.Context())
		if want := time.Duration(i) * 100 * time.Millisecond; !ok || got.due != want || got.warm {
			t.Fatalf("turn %d: %+v, %v; want due %s", i, got, ok, want)
		}
	}
}

func TestUnsentRequestsAreCounted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		load Load
		want int64
	}{
		"duration":             {Load{Rate: 10, Duration: 5 * time.Second}, 50},
		"after a warm-up":      {Load{Rate: 10, Duration: 5 * time.Second, Warmup: time.Second}, 50},
		"no more than counted": {Load{Rate: 10, Duration: 5 * time.Second, Count: 7}, 7},
		"no schedule":          {Load{Duration: 5 * time.Second}, 0},
	} {
		p := paceAt(c.load, time.Minute)
		for range 3 { // clients
			if got, ok := p.next(t.Context()); ok {
				t.Errorf("%s: turn %+v after the end", name, got)
			}
		}
		if got := p.missed(); got != c.want {
			t.Errorf("%s: %d missed, want %d", name, got, c.want)
		}
	}
}

func TestWarmupLeavesNoBacklog(t *testing.T) {
	t.Parallel()
	p := paceAt(Load{Rate: 1000, Warmup: time.Second, Duration: time.Hour}, time.Second)
	if got, ok := p.next(t.Context()); !ok || got.warm || got.due != time.Second {
		t.Errorf("%+v, %v, want the first turn of the measured part", got, ok)
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	p := paceAt(Load{Count: 2, Warmup: time.Hour}, 0)
	for range 5 {
		if got, ok := p.next(t.Context()); !ok || !got.warm {
			t.Fatalf("%+v, %v in the warm-up", got, ok)
		}
	}
	p.start = p.start.Add(-2 * time.Hour)
	var oks []bool
	for range 4 {
		got, ok := p.next(t.Context())
		oks = append(oks, ok && !got.warm)
	}
	if !slices.Equal(oks, []bool{true, true, false, false}) || !p.early.Load() {
		t.Errorf("turns %v, early %v", oks, p.early.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, l := range []Load{{}, {Rate: 1}} {
		if _, ok := newPace(l).next(ctx); ok {
			t.Error("a turn after the end of the context")
		}
	}
}

func TestRecorder(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	r := newRecorder(100*ms, 1100*ms)
	b := batch{to: r}
	for i := range 200 { // due at 100, 105 …; each takes 10 ms; the last two end after the end
		due := 100*ms + time.Duration(i)*5*ms
		b.add(sample{due: due, end: due + 10*ms})
	}
	b.add(sample{due: 200 * ms, end: 300 * ms, err: &failure{"503", "no leader"}})
	b.add(sample{due: 200 * ms, end: 300 * ms, err: errors.New("odd")})
	b.flush()
	fig, lat, line := r.figures(1100 * ms)
	want := Figures{Seconds: 1, Count: 200, Rate: 198, Errors: 2, ErrorsByClass: map[string]int64{"503": 1, classAnswer: 1}, FirstError: "503: no leader"}
	if !reflect.DeepEqual(fig, want) {
		t.Errorf("figures %+v\nwant    %+v", fig, want)
	}
	if lat.P50 < 9.9 || lat.P50 > 10.1 || lat.Max < 9.9 || lat.Max > 10.1 || lat.Mean < 9.9 || lat.Mean > 10.1 {
		t.Errorf("latency %+v, want 10 ms", lat)
	}
	if len(line.Counts) != 10 || line.Counts[0] != 18 || line.Counts[1] != 20 || line.Errors[2] != 2 || line.SliceSeconds != 0.1 {
		t.Errorf("timeline %+v", line)
	}
	if g := r.look(); g.count != 200 || g.errors != 2 || g.p99 < 9*ms {
		t.Errorf("first look %+v", g)
	}
	if g := r.look(); g.count != 0 || g.errors != 0 {
		t.Errorf("second look %+v", g)
	}
}

func TestLatencyBeyondTheRange(t *testing.T) {
	t.Parallel()
	h := newHistogram()
	put(h, -1)
	put(h, 100*time.Hour)
	if h.TotalCount() != 2 || h.Min() != 1 {
		t.Errorf("%d latencies from %d to %d µs", h.TotalCount(), h.Min(), h.Max())
	}
	if got := latencyOf(newHistogram()); !reflect.DeepEqual(got, Latency{}) {
		t.Errorf("of nothing: %+v", got)
	}
}

func TestTimelineIsBounded(t *testing.T) {
	t.Parallel()
	l := timeline{width: sliceWidth}
	l.add(-1, true)
	n := int64(0)
	for at := time.Duration(0); at < time.Hour; at += time.Second {
		l.add(at, at%(2*time.Second) == 0)
		n++
	}
	got := l.export()
	var sum int64
	for i := range got.Counts {
		sum += got.Counts[i] + got.Errors[i]
	}
	if len(got.Counts) > maxSlices || sum != n || got.SliceSeconds != 12.8 {
		t.Errorf("%d slices of %g s hold %d, want %d", len(got.Counts), got.SliceSeconds, sum, n)
	}
}

func TestSampleOf(t *testing.T) {
	t.Parallel()
	all := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"}
	if got := sampleOf(all, 3); !slices.Equal(got, []string{"a", "e", "i"}) {
		t.Errorf("%q", got)
	}
	if got := sampleOf(all, 20); !slices.Equal(got, all) {
		t.Errorf("%q", got)
	}
}
