package cluster

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/planted"
)

// session numbers the proposals of this process, so that the machine applies each at most
// once. It is opened in the machine before its first use, and replaced when the machine
// has forgotten it.
//
// The low mark is the smallest number that is not finished: the machine forgets the results
// below it. A proposal that was given up counts as finished. That is safe although a copy
// of it may still be under way: the machine refuses numbers below the mark, so the copy
// is applied before the mark passes it, once, or never; its caller was told "unknown", which
// covers both. A proposal of which the caller was told that it is certainly not applied
// was never handed to a leader that took it, so no copy exists.
type session struct {
	random io.Reader

	mu      sync.Mutex
	id      fsm.SessionID
	opened  bool
	next    uint64
	low     uint64
	pending map[uint64]bool

	opening sync.Mutex // one opens, the others wait
}

func newSession(random io.Reader) (*session, error) {
	s := &session{random: random, next: 1, low: 1, pending: map[uint64]bool{}}
	return s, s.mint()
}

// mint draws a new session ID. s.mu is held.
func (s *session) mint() error {
	s.opened = false
	if _, err := io.ReadFull(s.random, s.id[:]); err != nil {
		return fmt.Errorf("minting a session: %w", err)
	}
	return nil
}

// replace mints a new ID if the machine has forgotten old.
func (s *session) replace(old fsm.SessionID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != old {
		return nil
	}
	return s.mint()
}

// depart makes a batch ready to be sent: it drops what nobody waits for, gives numbers when
// numbered is zero, and notes that the rest may be applied from now on. It returns the group
// and what is in it.
func (s *session) depart(batch []*proposal, numbered fsm.SessionID) ([]*proposal, fsm.Group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := fsm.Group{Session: numbered}
	fresh := numbered == fsm.SessionID{} || planted.Is("renumber-on-resend")
	if fresh {
		g.Session = s.id
	}
	keep := batch[:0]
	for _, p := range batch {
		if p.gone {
			s.finishLocked(p)
			continue
		}
		if fresh {
			p.item.Seq = s.next
			s.pending[s.next] = true
			s.next++
		}
		p.flying = true
		keep = append(keep, p)
		g.Items = append(g.Items, p.item)
	}
	g.Low = s.low
	return keep, g
}

// landed notes that a sending of batch has ended without an answer.
func (s *session) landed(batch []*proposal, certain bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range batch {
		p.flying = false
		p.uncertain = p.uncertain || !certain
	}
}

// abandon notes that nobody waits for p, and reports whether it may be applied.
func (s *session) abandon(p *proposal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.gone = true
	return p.flying || p.uncertain
}

// finish ends p; answers to those who have left are dropped.
func (s *session) finish(p *proposal, a answer) {
	s.mu.Lock()
	s.finishLocked(p)
	s.mu.Unlock()
	p.done <- a
}

// giveUp ends p without a result: certainly not applied, or unknown.
func (s *session) giveUp(p *proposal, why error) {
	s.mu.Lock()
	uncertain := p.uncertain
	s.finishLocked(p)
	s.mu.Unlock()
	if uncertain {
		why = unknown(why.Error())
	}
	p.done <- answer{err: why}
}

// renumber takes p's number away, of a session that the machine has forgotten. It reports
// false when p may have been applied under it.
func (s *session) renumber(p *proposal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finishLocked(p)
	p.flying = false
	return !p.uncertain
}

func (s *session) finishLocked(p *proposal) {
	delete(s.pending, p.item.Seq)
	for s.low < s.next && !s.pending[s.low] {
		s.low++
	}
}

// open makes sure that the machine knows the session. send has a group applied.
func (s *session) open(ctx context.Context, node string, send func(context.Context, fsm.Group) ([]fsm.Result, error)) error {
	s.opening.Lock()
	defer s.opening.Unlock()
	s.mu.Lock()
	id, opened := s.id, s.opened
	s.mu.Unlock()
	if opened {
		return nil
	}
	k, body, err := fsm.EncodeCommand(&fsm.OpenSession{Session: id, Node: node})
	if err != nil {
		return err
	}
	rs, err := send(ctx, fsm.Group{Items: []fsm.Item{{Kind: k, Body: body}}})
	if err != nil {
		return err
	}
	if err := rs[0].Err(); err != nil {
		return err
	}
	s.mu.Lock()
	s.opened = s.id == id
	s.mu.Unlock()
	return nil
}
