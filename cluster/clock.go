package cluster

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// clockLimit is how far the clock of a leader may be off, unless Tuning says otherwise.
	clockLimit = 10 * time.Second
	// guardPause is how often a node asks the other voters for their clocks.
	guardPause = time.Second
)

// A node's clock is judged by the median of the voters' clocks, its own included: a minority of
// wrong clocks, however wrong, does not move the median out of the range of the right ones.
// Each node judges for itself, from what it has asked the others:
//   - without the opinion of a majority of the voters, itself included, there is no verdict, and
//     the node counts as right: it could not lead either;
//   - of an even number of opinions the middle one that is nearer to the own clock counts. Two nodes
//     that differ therefore both count as right: nobody can tell which one is, and it is only said;
//   - the last opinion of a voter that does not answer any more still counts. It is kept against
//     the monotonic clock, so that a jump of the own clock is seen at the next stamp, without
//     asking anyone;
//   - half of the time that an answer took is taken off: so much is not known.

// clocks is what a node knows of the clocks of the voters.
type clocks struct {
	start time.Time // has a monotonic reading
	now   func() time.Time
	limit time.Duration

	mu   sync.Mutex
	seen map[string]opinion
	said map[string]bool // clocks that the log has called wrong
}

// opinion is the clock of a voter: its reading less the time since start, and how far that may
// be wrong.
type opinion struct{ base, doubt time.Duration }

func newClocks(cfg *Config) *clocks {
	return &clocks{start: time.Now(), now: cfg.Now, limit: cfg.Tune.ClockSkew, seen: map[string]opinion{}, said: map[string]bool{}}
}

func (c *clocks) base(reading int64) time.Duration {
	return time.Duration(reading) - time.Since(c.start)
}

// note takes the answer of a voter that was asked at asked, which has a monotonic reading.
func (c *clocks) note(id string, reading int64, asked time.Time) {
	half := time.Since(asked) / 2
	c.mu.Lock()
	c.seen[id] = opinion{c.base(reading) + half, half}
	c.mu.Unlock()
}

// middle returns the own clock and the median of the voters' clocks, and how far that may be
// wrong. Without a majority they are the same. c.mu is held.
func (c *clocks) middle(self string, voters []raft.Server) (own, m, doubt time.Duration) {
	own = c.base(c.now().UnixNano())
	var room [9]time.Duration
	bases, total := room[:0], 0
	for _, s := range voters {
		if s.Suffrage != raft.Voter {
			continue
		}
		total++
		if string(s.ID) == self {
			bases = append(bases, own)
		} else if o, ok := c.seen[string(s.ID)]; ok {
			bases, doubt = append(bases, o.base), max(doubt, o.doubt)
		}
	}
	if len(bases) <= total/2 {
		return own, own, doubt
	}
	return own, median(bases, own), doubt
}

// skew returns how far the clock of self is from the median of the voters' clocks.
func (c *clocks) skew(self string, voters []raft.Server) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	own, m, doubt := c.middle(self, voters)
	return beyond(own-m, doubt)
}

// skews returns the same of self and of every voter that is known.
func (c *clocks) skews(self string, voters []raft.Server) map[string]time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	own, m, doubt := c.middle(self, voters)
	all := map[string]time.Duration{self: beyond(own-m, doubt)}
	for _, s := range voters {
		if o, ok := c.seen[string(s.ID)]; ok && string(s.ID) != self {
			all[string(s.ID)] = beyond(o.base-m, doubt)
		}
	}
	return all
}

// median is the middle one; of an even number, that of the two which is nearer to own.
func median(ds []time.Duration, own time.Duration) time.Duration {
	slices.Sort(ds)
	return min(max(own, ds[(len(ds)-1)/2]), ds[len(ds)/2])
}

// beyond is d less the doubt, 0 within it.
func beyond(d, doubt time.Duration) time.Duration {
	switch {
	case d > doubt:
		return d - doubt
	case d < -doubt:
		return d + doubt
	}
	return 0
}

// skew returns how far this node's clock is off, as far as it knows.
func (n *Node) skew() time.Duration {
	r := n.raft()
	if r == nil {
		return 0
	}
	return n.clocks.skew(n.self.ID, r.GetConfiguration().Configuration().Servers)
}

// clockOff returns why this node must not stamp entries, nil if it may.
func (n *Node) clockOff() error {
	if d := n.skew(); d.Abs() > n.clocks.limit {
		return fmt.Errorf("its clock is %s from the median of the voters, %s are allowed", d.Round(time.Millisecond), n.clocks.limit)
	}
	return nil
}

// guard asks for the voters' clocks, tells the operator of wrong ones, and gives up leadership
// while the own one is wrong, until the node closes.
func (n *Node) guard() {
	tick := time.NewTicker(guardPause)
	defer tick.Stop()
	for {
		n.askClocks(n.ctx)
		n.tellClocks()
		if _, err := n.leading(); err == nil && n.clockOff() != nil {
			if err := n.handOver(n.ctx); err != nil {
				n.log.Error("this node leads with a wrong clock, refuses writes, and cannot hand over", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-n.wrongClock:
		case <-n.ctx.Done():
			return
		}
	}
}

// askClocks asks the other voters, at the same time, and returns when a majority has answered, or all
// that do.
func (n *Node) askClocks(ctx context.Context) {
	others, need := n.voters()
	heard := make(chan bool, len(others))
	for _, s := range others {
		if !n.spawn(func() {
			asked := time.Now()
			in, err := n.infoOf(ctx, string(s.ID), string(s.Address))
			ok := err == nil && in.Member.ID == string(s.ID) && in.Clock != 0
			if ok {
				n.clocks.note(in.Member.ID, in.Clock, asked)
			}
			heard <- ok
		}) {
			return
		}
	}
	for range others {
		if <-heard { // infoOf has a time-out
			need--
		}
		if need <= 0 && len(n.clocks.unknown(others)) == 0 {
			return
		}
	}
}

// unknown returns those of whom there is no opinion.
func (c *clocks) unknown(voters []raft.Server) (ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range voters {
		if _, ok := c.seen[string(s.ID)]; !ok {
			ids = append(ids, string(s.ID))
		}
	}
	return ids
}

// tellClocks says once that a clock has become wrong, and once that it is right again. A clock
// that differs by half of what is allowed is worth a word.
func (n *Node) tellClocks() {
	skews := n.clocks.skews(n.self.ID, n.raft().GetConfiguration().Configuration().Servers)
	ids := []string{}
	for id := range skews { // order: sorted below
		ids = append(ids, id)
	}
	slices.SortFunc(ids, cmp.Compare[string])
	n.clocks.mu.Lock()
	defer n.clocks.mu.Unlock()
	for _, id := range ids {
		wrong := skews[id].Abs() > n.clocks.limit/2
		if wrong == n.clocks.said[id] {
			continue
		}
		n.clocks.said[id] = wrong
		if wrong {
			n.log.Warn("a clock differs from the median of the voters", "node", id, "by", skews[id].Round(time.Millisecond), "allowed", n.clocks.limit)
		} else {
			n.log.Info("a clock is right again", "node", id)
		}
	}
}
