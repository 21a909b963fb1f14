package queue

import "time"

func times(d time.Duration, n int) time.Duration { return d * time.Duration(n) }

// store writes an entry to the log: Raft's main loop computes, then waits for the disk, and
// does nothing else meanwhile.
func (r *replica) store(cpu time.Duration, then func()) {
	r.raft.enter(func() {
		r.node.work(cpu, func() {
			r.node.sync(func() {
				r.raft.leave()
				then()
			})
		})
	})
}

// apply has the machine apply an entry of n commands.
func (r *replica) apply(n int, then func()) {
	r.fold.enter(func() {
		r.node.work(times(r.node.w.cfg.Costs.Apply, n), func() {
			r.fold.leave()
			then()
		})
	})
}
