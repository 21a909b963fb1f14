package queue

import "fmt"

// movedRows is how many tokens go into one entry of the receiving group.
const movedRows = 1000

// move hands a tree over as test/scale/move describes it: an entry freezes it at its group,
// its rows are entries of the other group, one after the other, an entry of the group that
// keeps the directory commits, and an entry activates. Requests for the tree wait meanwhile.
func (w *world) move(m Move) {
	t := &w.trees[m.Tree]
	from, to := w.groups[t.group], w.groups[m.To]
	if from == to || t.leaves {
		w.moving--
		return
	}
	t.leaves = true
	if !m.Live {
		w.handOver(m, t.rows)
		return
	}
	before := t.writes
	w.stream(from, to, t.rows, func() { w.handOver(m, min(t.writes-before, t.rows)) })
}

// handOver freezes the tree, moves rows, and has the other group serve it.
func (w *world) handOver(m Move, rows int) {
	t := &w.trees[m.Tree]
	from, to, directory := w.groups[t.group], w.groups[m.To], w.groups[0]
	t.frozen = true
	begin := w.now
	from.replicate(1, func() {
		w.stream(from, to, rows, func() {
			directory.replicate(1, func() {
				to.replicate(1, func() {
					t.group, t.frozen, t.leaves = m.To, false, false
					w.moving--
					w.book.pause(fmt.Sprintf("tree %d of %d tokens", m.Tree, t.rows), w.now-begin)
					waiting := t.wait
					t.wait = nil
					for _, again := range waiting {
						again()
					}
				})
			})
		})
	})
}

// stream takes rows from one group's leader to the other's, in entries.
func (w *world) stream(from, to *group, rows int, then func()) {
	if rows <= 0 {
		then()
		return
	}
	n := min(rows, movedRows)
	cost := times(w.cfg.Costs.Row, n)
	from.leader().work(cost, func() {
		w.hop(from.leader(), to.leader(), func() {
			to.leader().work(cost, func() {
				to.replicate(1, func() { w.stream(from, to, rows-n, then) })
			})
		})
	})
}
