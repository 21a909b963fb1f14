package queue

import "time"

// station is a queue with some servers, first come first served: the cores of a machine, a
// disk, a lane.
type station struct {
	clock   *clock
	servers int
	busy    int
	queue   []func()
	head    int
	used    time.Duration // servers' time, up to since
	since   time.Duration
}

func newStation(c *clock, servers int) *station { return &station{clock: c, servers: servers} }

// enter calls then as soon as a server is free. Whoever entered must leave.
func (s *station) enter(then func()) {
	if s.busy == s.servers {
		s.queue = append(s.queue, then)
		return
	}
	s.account()
	s.busy++
	then()
}

// leave gives the server to the next.
func (s *station) leave() {
	if s.head < len(s.queue) {
		next := s.queue[s.head]
		s.queue[s.head] = nil
		s.head++
		if s.head == len(s.queue) {
			s.queue, s.head = s.queue[:0], 0
		}
		s.clock.after(0, next) // not a call: a long queue is no deep stack
		return
	}
	s.account()
	s.busy--
}

// serve takes a server for d.
func (s *station) serve(d time.Duration, then func()) {
	s.enter(func() {
		s.clock.after(d, func() {
			s.leave()
			then()
		})
	})
}

func (s *station) account() {
	s.used += time.Duration(s.busy) * (s.clock.now - s.since)
	s.since = s.clock.now
}

// idle reports whether nothing is in service or waits.
func (s *station) idle() bool { return s.busy == 0 && s.head == len(s.queue) }
