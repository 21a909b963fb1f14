package queue

import "time"

func times(d time.Duration, n int) time.Duration { return d * time.Duration(n) }

// appendEntries is how many entries Raft's main loop writes to the log at once, at most.
const appendEntries = 64

// store writes an entry to the log: Raft's main loop computes, then waits for the disk, and
// does nothing else meanwhile. Entries that came in the meantime go together, and share a
// sync: that is how a follower which fell behind catches up.
func (r *replica) store(cpu time.Duration, then func()) {
	r.log = append(r.log, then)
	if len(r.log) > 1 || r.storing {
		return
	}
	r.append(cpu)
}

func (r *replica) append(cpu time.Duration) {
	r.storing = true
	n := min(len(r.log), appendEntries)
	batch := append([]func(){}, r.log[:n]...)
	r.log = append(r.log[:0], r.log[n:]...)
	r.raft.enter(func() {
		r.node.work(times(cpu, n), func() {
			r.node.sync(func() {
				r.raft.leave()
				r.storing = false
				if len(r.log) > 0 {
					r.append(cpu)
				}
				for _, then := range batch {
					then()
				}
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
