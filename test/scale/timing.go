package scale

import (
	"slices"
	"time"
)

// timing is a set of durations.
type timing struct {
	all   []time.Duration
	total time.Duration
}

func (t *timing) add(d time.Duration) {
	t.all = append(t.all, d)
	t.total += d
}

// quantile returns the smallest duration that is not exceeded by a share q of them, 0 if
// there are none.
func (t *timing) quantile(q float64) time.Duration {
	if len(t.all) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(t.all))
	i := int(q*float64(len(s))+0.999999) - 1
	return s[min(max(i, 0), len(s)-1)]
}

func (t *timing) max() time.Duration { return t.quantile(1) }

// perSecond is the rate of n things in the sum of the durations.
func (t *timing) perSecond(n int) float64 {
	if t.total <= 0 {
		return 0
	}
	return float64(n) / t.total.Seconds()
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
func millis(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
