package queue

// writes returns the time of a write's cycle: alone, and in company.
func (f *formula) writes(now guess) (alone, company float64) {
	alone = f.http(now) + f.forward(now) + f.entry(now)
	gap := f.gap(now)
	z := f.http(now) + f.forward(now) + f.burst(now.entry/f.sources)
	return alone, z + next(gap, z) + f.way(now)
}

// log is how long Raft's main loop is busy with an entry.
func (f *formula) log(now guess) float64 {
	return seconds(f.cfg.Costs.Entry, f.cfg.Costs.Sync) + f.wait(now.busy)
}

// entry is how long an entry takes, from the leader's main loop to its results.
func (f *formula) entry(now guess) float64 {
	c := f.cfg.Costs
	t := f.log(now) + now.entry*seconds(c.Apply) + f.wait(now.busy)
	if f.cfg.Shape.replicas() > 1 {
		t += seconds(c.Follower, c.Sync, 2*c.Hop) + f.wait(now.busy)
	}
	return t
}

// gap is the time between two entries of a busy group: until the one before has landed or, if that
// is sooner, until there are pipelinedItems commands.
func (f *formula) gap(now guess) float64 {
	return max(f.least(now), min(f.entry(now)+f.yield(now), pipelinedItems/now.write))
}

// yield is how long the leader lets those go first whom the entry before has answered.
func (f *formula) yield(now guess) float64 {
	return (now.entry - 1) / f.sources * seconds(f.cfg.Costs.Server) / 2 / float64(f.cfg.Shape.Cores)
}

// least is the gap at which entries that go ahead of time keep something busy: Raft's main
// loop, as many as may be under way, or the disk, which all its logs share.
func (f *formula) least(now guess) float64 {
	return max(f.log(now), f.entry(now)/entriesInFlight, f.disk())
}

// way is how long a command is under way in its entry: where entries go ahead of time as fast as
// they can, as many as may be are under way.
func (f *formula) way(now guess) float64 {
	gap := f.gap(now)
	if gap == f.least(now) && pipelinedItems/now.write < gap {
		return max(f.entry(now), entriesInFlight*gap)
	}
	return max(f.entry(now), gap)
}

// disk is how long the disk takes for one sync of each of its logs. A commit waits for a
// majority: with others on the same disk, what the rest needs is done meanwhile.
func (f *formula) disk() float64 { return float64(f.logs) * seconds(f.cfg.Costs.Sync) }
