package queue

import "time"

// clock is virtual time and what is planned.
type clock struct {
	now    time.Duration
	events []event // a binary heap by (at, seq)
	seq    uint64
}

// event is something that happens at an instant. seq keeps the order of planning.
type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

func (e *event) before(o *event) bool {
	if e.at != o.at {
		return e.at < o.at
	}
	return e.seq < o.seq
}

// after plans do.
func (c *clock) after(d time.Duration, do func()) {
	c.seq++
	c.events = append(c.events, event{c.now + d, c.seq, do})
	for i := len(c.events) - 1; i > 0; {
		up := (i - 1) / 2
		if !c.events[i].before(&c.events[up]) {
			return
		}
		c.events[i], c.events[up] = c.events[up], c.events[i]
		i = up
	}
}

// step lets the next event happen; false if there is none.
func (c *clock) step() bool {
	if len(c.events) == 0 {
		return false
	}
	e := c.events[0]
	last := len(c.events) - 1
	c.events[0] = c.events[last]
	c.events[last] = event{}
	c.events = c.events[:last]
	c.sink()
	c.now = e.at
	e.do()
	return true
}

func (c *clock) sink() {
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < len(c.events) && c.events[down].before(&c.events[least]) {
				least = down
			}
		}
		if least == i {
			return
		}
		c.events[i], c.events[least] = c.events[least], c.events[i]
		i = least
	}
}
