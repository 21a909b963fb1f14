package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/tokengrove/grove/fsm"
)

// target is where proposals and read indexes go.
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
	ready   uint64    // the term in which this node leads and its first entry is applied
	known   bool      // requests have somewhere to go
	lostAt  time.Time // when there was last nobody to go to
	since   time.Time // when the leader last changed
	changed chan struct{}
}

func newLeadership(now time.Time) *leadership {
	return &leadership{changed: make(chan struct{}), lostAt: now, since: now}
}

// update takes what Raft says now, and wakes everyone who waits if that is news.
func (l *leadership) update(r *raft.Raft, self string, now time.Time) {
	addr, id := r.LeaderWithID()
	l.mu.Lock()
	defer l.mu.Unlock()
	known := id != "" && (string(id) != self || (l.ready != 0 && l.ready == r.CurrentTerm()))
	if string(id) == l.id && string(addr) == l.addr && known == l.known {
		return
	}
	if string(id) != l.id {
		l.since = now
	}
	if l.known {
		l.lostAt = now
	}
	l.id, l.addr, l.known = string(id), string(addr), known
	close(l.changed)
	l.changed = make(chan struct{})
}

// setReady notes the term that this node leads with an applied entry of its own; 0: it does not.
func (l *leadership) setReady(term uint64) {
	l.mu.Lock()
	l.ready = term
	l.mu.Unlock()
}

// look returns the leader, if requests can go to one, and a channel that is closed at the
// next change.
func (l *leadership) look(self string) (target, bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return target{local: l.id == self, addr: l.addr, term: l.ready}, l.known, l.changed
}

// lostSince returns the time from which patience counts.
func (l *leadership) lostSince() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lostAt
}

// leader waits for a leader: until ctx is done, or there was none for the node's patience
// counted from start or from when the last one was lost, whichever is later. While a quorum
// is in reach, an election must come to an end, and the node is more patient.
func (n *Node) leader(ctx context.Context, start time.Time) (target, <-chan struct{}, error) {
	for {
		t, ok, changed := n.lead.look(n.self.ID)
		if ok {
			return t, changed, nil
		}
		since := n.lead.lostSince()
		if start.After(since) {
			since = start
		}
		waited := time.Since(since)
		left := n.cfg.stretch(patience) - waited
		if left <= 0 {
			if waited > n.cfg.stretch(electionPatience) || !n.quorumInReach(ctx) {
				return t, nil, fsm.Errorf(fsm.Unavailable, "no leader: %s", n.whyNoLeader())
			}
			left = n.cfg.stretch(electionTimeout)
		}
		timer := time.NewTimer(left)
		select {
		case <-changed:
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return t, nil, fsm.Errorf(fsm.Unavailable, "no leader within the request's deadline: %s", n.whyNoLeader())
		case <-n.ctx.Done():
			timer.Stop()
			return t, nil, fsm.Errorf(fsm.Unavailable, "this node is shutting down")
		}
		timer.Stop()
	}
}

// quorumInReach reports whether enough voters answer to elect a leader. Concurrent
// questions share one round of calls.
func (n *Node) quorumInReach(ctx context.Context) bool {
	ok, err := n.quorum.get(ctx)
	return err == nil && ok > 0
}

// probe asks all voters at once; 1: a majority answers.
func (n *Node) probe() (uint64, error) {
	r := n.raft()
	if r == nil {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(n.ctx, n.cfg.stretch(probeTimeout))
	defer cancel()
	voters, answers := 0, make(chan bool)
	servers := r.GetConfiguration().Configuration().Servers
	if !contains(servers, n.self.ID) {
		return 0, nil // no leader will ever tell a node that is not a member
	}
	for _, s := range servers {
		if s.Suffrage != raft.Voter {
			continue
		}
		voters++
		n.spawn(func() {
			_, err := n.infoOf(ctx, s)
			select {
			case answers <- err == nil:
			case <-ctx.Done():
			}
		})
	}
	up := 0
	for range voters {
		select {
		case ok := <-answers:
			if ok {
				up++
			}
		case <-ctx.Done():
			return 0, nil
		}
		if up > voters/2 {
			return 1, nil
		}
	}
	return 0, nil
}

// contains reports whether id is one of the servers.
func contains(servers []raft.Server, id string) bool {
	return slices.ContainsFunc(servers, func(s raft.Server) bool { return string(s.ID) == id })
}

// whyNoLeader tells an operator what to look at.
func (n *Node) whyNoLeader() string {
	r := n.raft()
	if r == nil {
		return "this node is not in a cluster yet"
	}
	if contains(r.GetConfiguration().Configuration().Servers, n.self.ID) {
		return "the cluster has no quorum, or an election is going on"
	}
	return "this node is not a member of its cluster (removed, or joining)"
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
			n.lead.setReady(0)
			if leads {
				ctx, cancel := context.WithCancel(n.ctx)
				stop = cancel
				n.spawn(func() { n.reign(ctx, r) })
			}
		}
		n.lead.update(r, n.self.ID, time.Now())
	}
}

// reign is everything that only a leader does, for one term.
func (n *Node) reign(ctx context.Context, r *raft.Raft) {
	term := r.CurrentTerm()
	// An entry of the own term must be committed before the commit index means
	// anything (Raft §8). It is a Tick, not a Barrier, so that the machine sees it too: its
	// index then reaches every commit index.
	if !n.firstTick(ctx) {
		return
	}
	n.lead.setReady(term)
	n.lead.update(r, n.self.ID, time.Now())
	n.log.Info("this node leads", "term", term)
	n.spawn(func() { n.sweep(ctx) })
	n.spawn(func() { n.tend(ctx, r) })
}

func (n *Node) firstTick(ctx context.Context) bool {
	for ctx.Err() == nil {
		_, err := n.system(ctx, &fsm.Tick{})
		if err == nil {
			return true
		}
		n.log.Warn("first entry of the term", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return false
}

// system proposes a command of the system itself on the leader that this node is.
func (n *Node) system(ctx context.Context, c fsm.Command) (fsm.Result, error) {
	k, body, err := fsm.EncodeCommand(c)
	if err != nil {
		return fsm.Result{}, err
	}
	rs, err := n.proposer.submit(ctx, fsm.Group{Items: []fsm.Item{{Kind: k, Body: body}}})
	if err != nil {
		return fsm.Result{}, err
	}
	return rs[0], rs[0].Err()
}
