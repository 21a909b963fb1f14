package cluster

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/tokengrove/grove/fsm"
)

func proposals(n int) []*proposal {
	var ps []*proposal
	for range n {
		ps = append(ps, &proposal{done: make(chan answer, 1)})
	}
	return ps
}

func newTestSession(t *testing.T) *session {
	t.Helper()
	s, err := newSession(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLowMark(t *testing.T) {
	t.Parallel()
	s := newTestSession(t)
	ps, g := s.depart(proposals(3), fsm.SessionID{})
	if g.Low != 1 || g.Items[0].Seq != 1 || g.Items[2].Seq != 3 || g.Session != s.id {
		t.Fatalf("first group: %+v", g)
	}
	s.finish(ps[1], answer{})
	if s.low != 1 {
		t.Errorf("low is %d while 1 is unanswered", s.low)
	}
	s.finish(ps[0], answer{})
	if s.low != 3 {
		t.Errorf("low is %d after 1 and 2, want 3", s.low)
	}
	again, g := s.depart(ps[2:], g.Session)
	if len(again) != 1 || g.Items[0].Seq != 3 || g.Low != 3 {
		t.Errorf("sent again: %+v, want number 3 kept", g)
	}
}

func TestGiveUpOutcomes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		certain []bool // of each sending that ended without an answer
		want    fsm.Code
	}{
		{"never sent", nil, fsm.Unavailable},
		{"refused", []bool{true, true}, fsm.Unavailable},
		{"lost once", []bool{true, false, true}, fsm.OutcomeUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newTestSession(t)
			ps := proposals(1)
			var g fsm.Group
			for _, certain := range c.certain {
				ps, g = s.depart(ps, g.Session)
				s.landed(ps, certain)
			}
			s.giveUp(ps[0], fsm.Errorf(fsm.Unavailable, "no leader"))
			var e *fsm.Error
			if a := <-ps[0].done; !errors.As(a.err, &e) || e.Code != c.want {
				t.Errorf("outcome %v, want code %d", a.err, c.want)
			}
		})
	}
}

func TestAbandon(t *testing.T) {
	t.Parallel()
	s := newTestSession(t)
	waiting, flying, landed := proposals(1)[0], proposals(1)[0], proposals(1)[0]
	s.depart([]*proposal{flying}, fsm.SessionID{})
	s.depart([]*proposal{landed}, fsm.SessionID{})
	s.landed([]*proposal{landed}, true)
	if s.abandon(waiting) {
		t.Error("one that was never sent counts as uncertain")
	}
	if !s.abandon(flying) {
		t.Error("one that is under way counts as certainly not applied")
	}
	if s.abandon(landed) {
		t.Error("one that was refused counts as uncertain")
	}
	if ps, g := s.depart([]*proposal{waiting, landed}, fsm.SessionID{}); len(ps) != 0 || len(g.Items) != 0 {
		t.Errorf("%d abandoned proposals were sent", len(g.Items))
	}
}

func TestLostSession(t *testing.T) {
	t.Parallel()
	s := newTestSession(t)
	ps, g := s.depart(proposals(2), fsm.SessionID{})
	s.landed(ps[1:], false)
	if !s.renumber(ps[0]) || s.renumber(ps[1]) {
		t.Error("only what was never in doubt may be sent under another session")
	}
	if s.low != 3 {
		t.Errorf("low is %d, want 3", s.low)
	}
	if err := s.replace(g.Session); err != nil || s.id == g.Session || s.opened {
		t.Errorf("the session was not replaced: %v", err)
	}
	fresh := s.id
	if err := s.replace(g.Session); err != nil || s.id != fresh {
		t.Error("the fresh session was replaced too")
	}
}
