package fsm

import (
	"time"

	"github.com/tokengrove/grove/fsm/planted"
	"github.com/tokengrove/grove/fsm/token"
)

// SessionIdle is how long an edge session is kept after its last proposal. It is far
// longer than any edge re-sends one.
const SessionIdle = 24 * time.Hour

// MaxSessions bounds the edge sessions of a machine: nodes and their restarts of a day.
const MaxSessions = 4096

// MaxWindow bounds the results that one session keeps.
const MaxWindow = 1 << 16

// session remembers the results of an edge's proposals until the edge has seen them, so
// that a proposal which is sent again is applied once and answers the same (P5).
//
// Everything below low is answered and forgotten. A delayed copy of such a proposal
// is refused, because it can no longer be told from one that was never applied.
type session struct {
	node    string
	low     uint64
	used    token.Instant
	results map[uint64]Result
}

// forget drops the results that the edge has seen.
func (s *session) forget(low uint64, at token.Instant) {
	s.used = at
	if low <= s.low {
		return
	}
	// The window is dense: walking the numbers is cheaper than walking the map, unless
	// the edge jumped far.
	if low-s.low <= uint64(2*len(s.results)) {
		for seq := s.low; seq < low; seq++ {
			delete(s.results, seq)
		}
	} else {
		for seq := range s.results { // order: deletes only
			if seq < low {
				delete(s.results, seq)
			}
		}
	}
	s.low = low
}

// once applies c unless seq was applied already; then it returns the same result.
func (s *session) once(seq uint64, m *Machine, c Command) Result {
	if seq < s.low {
		return Result{Code: Invalid, Message: "sequence number was answered already", Index: m.index, At: m.at}
	}
	if r, ok := s.results[seq]; ok && !planted.Is("twice-on-resend") {
		return r
	}
	if len(s.results) >= MaxWindow {
		return Result{Code: Unavailable, Message: "edge session window is full", Index: m.index, At: m.at}
	}
	r := m.applyCommand(c)
	s.results[seq] = r
	return r
}

// apply registers the session. Opening it again is harmless. Sessions that were idle for
// SessionIdle go first.
func (c *OpenSession) apply(m *Machine, x *applyContext) Result {
	if c.Session == (SessionID{}) {
		return refuse(Invalid, "the zero session cannot be opened")
	}
	if s := m.sessions[c.Session]; s != nil {
		s.used = x.at
		return Result{}
	}
	for id, s := range m.sessions { // order: deletes only
		if x.at.Sub(s.used) >= SessionIdle {
			delete(m.sessions, id)
		}
	}
	if len(m.sessions) >= MaxSessions {
		return refuse(Unavailable, "more than %d edge sessions within %s", MaxSessions, SessionIdle)
	}
	m.sessions[c.Session] = &session{node: c.Node, used: x.at, results: map[uint64]Result{}}
	return Result{}
}
