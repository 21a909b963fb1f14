package bench

import "time"

// Bounds of a timeline.
const (
	sliceWidth = 100 * time.Millisecond
	maxSlices  = 300
)

// timeline counts successes and failures by when they ended. It holds a bounded number of slices:
// when a load outgrows them, each two become one of twice the width.
type timeline struct {
	width   time.Duration
	ok, bad []int64
}

func (t *timeline) add(at time.Duration, ok bool) {
	if at < 0 {
		return
	}
	for at/t.width >= maxSlices {
		t.widen()
	}
	i := int(at / t.width)
	for len(t.ok) <= i {
		t.ok, t.bad = append(t.ok, 0), append(t.bad, 0)
	}
	if ok {
		t.ok[i]++
	} else {
		t.bad[i]++
	}
}

func (t *timeline) widen() {
	t.ok, t.bad = pairs(t.ok), pairs(t.bad)
	t.width *= 2
}

func pairs(n []int64) []int64 {
	var out []int64
	for i, v := range n {
		if i%2 == 0 {
			out = append(out, v)
		} else {
			out[i/2] += v
		}
	}
	return out
}

func (t *timeline) export() Timeline {
	return Timeline{SliceSeconds: t.width.Seconds(), Counts: append([]int64{}, t.ok...), Errors: append([]int64{}, t.bad...)}
}
