package queue

import (
	"fmt"
	"slices"
	"time"
)

// book counts requests, exactly.
type book struct {
	issued   int
	answered int
	sent     []time.Duration // by request; -1 when it has its answer
	done     []finish        // in the order of answers
	inside   int
	area     int64 // integral of inside over time, up to since
	since    time.Duration
	spent    int64 // sum of the times between request and answer
	pauses   []Pause
	wrong    error
}

// finish is an answer.
type finish struct{ at, took time.Duration }

// Pause is how long a tree that moved was not served.
type Pause struct {
	What string
	Took time.Duration
}

func (b *book) count(now time.Duration, by int) {
	b.area += int64(b.inside) * int64(now-b.since)
	b.since = now
	b.inside += by
}

func (b *book) issue(now time.Duration) int {
	b.count(now, 1)
	b.issued++
	b.sent = append(b.sent, now)
	return b.issued - 1
}

func (b *book) answer(id int, now time.Duration) {
	if b.sent[id] < 0 {
		b.wrong = fmt.Errorf("request %d was answered twice, the second time at %s", id, now)
		return
	}
	b.count(now, -1)
	took := now - b.sent[id]
	b.spent += int64(took)
	b.sent[id] = -1
	b.answered++
	b.done = append(b.done, finish{now, took})
}

func (b *book) pause(what string, took time.Duration) { b.pauses = append(b.pauses, Pause{what, took}) }

// check reports which law the run broke.
func (b *book) check(w *world) error {
	switch {
	case b.wrong != nil:
		return b.wrong
	case b.answered != b.issued || b.issued != w.cfg.Load.Requests:
		return fmt.Errorf("%d requests, %d sent, %d answered", w.cfg.Load.Requests, b.issued, b.answered)
	case b.inside != 0 || b.area != b.spent:
		return fmt.Errorf("law of Little: the integral is %d, the sum of times %d, %d are inside", b.area, b.spent, b.inside)
	case w.moving != 0:
		return fmt.Errorf("%d moves have not ended", w.moving)
	}
	for i, m := range w.machines {
		if !m.cpu.idle() || !m.disk.idle() {
			return fmt.Errorf("machine %d is busy after the last answer", i)
		}
	}
	return nil
}

// latencies returns the sorted times of the answers from the i-th on.
func (b *book) latencies(i int) []time.Duration {
	var ds []time.Duration
	for _, f := range b.done[i:] {
		ds = append(ds, f.took)
	}
	slices.Sort(ds)
	return ds
}
