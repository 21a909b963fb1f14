package cluster

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// target is where proposals and read indexes go: a leader in its term.
type target struct {
	local bool
	addr  string
	term  uint64
}

// leadership is what this node believes about who leads, and lets requests wait for it.
type leadership struct {
	mu      sync.Mutex
	id      string
	addr    string
	ready   uint64    // the last term in which this node led and its first entry was applied
	known   bool      // requests have somewhere to go
	lostAt  time.Time // when there was last somebody to go to
	since   time.Time // when the leader last changed
	removed bool      // the other members say that this node is none
	reach   reach
	era     context.Context // ends at the next change
	endEra  context.CancelFunc
}

// reach is the answer to the last question for a quorum.
type reach struct{ up, voters int }

func newLeadership(now time.Time) *leadership {
	l := &leadership{lostAt: now, since: now}
	l.era, l.endEra = context.WithCancel(context.Background())
	return l
}

// update takes what Raft says now, and wakes everyone who waits if that is news.
func (l *leadership) update(r *raft.Raft, self string, now time.Time) {
	addr, id := r.LeaderWithID()
	l.mu.Lock()
	defer l.mu.Unlock()
	known := id != "" && (string(id) != self || l.ready == r.CurrentTerm())
	if string(id) == l.id && string(addr) == l.addr && known == l.known {
		return
	}
	if string(id) != l.id {
		l.since = now
	}
	if l.known {
		l.lostAt = now
	}
	if known {
		l.removed = false
	}
	l.id, l.addr, l.known = string(id), string(addr), known
	l.endEra()
	l.era, l.endEra = context.WithCancel(context.Background())
}

// setReady notes that this node led in term and applied an entry of its own. Terms only
// grow, so that "ready is the current term" says that this still holds.
func (l *leadership) setReady(term uint64) {
	l.mu.Lock()
	l.ready = max(l.ready, term)
	l.mu.Unlock()
}

// look returns the leader, if requests can go to one, and a context that ends at the next
// change.
func (l *leadership) look(self string) (target, bool, context.Context) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return target{local: l.id == self, addr: l.addr, term: l.ready}, l.known, l.era
}

// lostSince returns the time from which patience counts.
func (l *leadership) lostSince() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lostAt
}

func (l *leadership) leaderSince() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.since
}

func (l *leadership) setRemoved(v bool) {
	l.mu.Lock()
	l.removed = v
	l.mu.Unlock()
}

func (l *leadership) isRemoved() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.removed
}

func (l *leadership) setReach(r reach) {
	l.mu.Lock()
	l.reach = r
	l.mu.Unlock()
}

func (l *leadership) lastReach() reach {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reach
}

// watch follows Raft's observations until the node closes.
func (n *Node) watch(r *raft.Raft, notify <-chan bool) {
	seen := make(chan raft.Observation, 16)
	o := raft.NewObserver(seen, false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	r.RegisterObserver(o)
	defer r.DeregisterObserver(o)
	stop := func() {}
	defer func() { stop() }()
	// Observations are dropped when the channel is full; the ticker sees what was missed.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-n.ctx.Done():
			return
		case <-seen:
		case <-tick.C:
		case leads := <-notify:
			stop()
			stop = func() {}
			if leads {
				stop = n.crown(r)
			}
		}
		n.lead.update(r, n.self.ID, time.Now())
	}
}

// drain keeps Raft from ever blocking on its notifications: the latest value wins.
func (n *Node) drain(from <-chan bool, to chan bool) {
	for {
		select {
		case v := <-from:
			select {
			case <-to:
			default:
			}
			to <- v
		case <-n.ctx.Done():
			return
		}
	}
}

// stopWhenBroken ends Raft on a replica that cannot be trusted: it must neither lead nor vote
// any more.
func (n *Node) stopWhenBroken(r *raft.Raft) {
	select {
	case <-n.replica.stopped:
		if err := r.Shutdown().Error(); err != nil {
			n.log.Error("stopping raft", "error", err)
		}
	case <-n.ctx.Done():
	}
}

// whyNoLeader tells an operator what to look at.
func (n *Node) whyNoLeader() string {
	if err := n.replica.failure(); err != nil {
		return "this node has stopped: " + err.Error()
	}
	if n.expelled() {
		return "this node is not a member of its cluster (removed, or still joining)"
	}
	if n.raft() != nil { // the store was there first
		if err := n.store.failure(); err != nil {
			return "this node could not write its log: " + err.Error()
		}
	}
	if s := n.lead.lastReach(); s.voters > 0 {
		return fmt.Sprintf("%d of %d voters answer, %d are needed", s.up, s.voters, s.voters/2+1)
	}
	return "the cluster has no quorum, or an election is going on"
}

// expelled reports whether the configuration does not have this node, or the others say so.
func (n *Node) expelled() bool {
	if n.lead.isRemoved() {
		return true
	}
	servers := n.raft().GetConfiguration().Configuration().Servers
	for _, s := range servers {
		if string(s.ID) == n.self.ID {
			return false
		}
	}
	return true
}
