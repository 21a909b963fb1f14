package queue

import "fmt"

// movedRows is how many tokens go into one entry of the receiving group.
const movedRows = 1000

// move hands a tree over as test/scale/move describes it: an entry freezes it at its group,
// its rows are entries of the other group, one after the other, an entry of the group that
// keeps the directory commits, and an entry activates. Requests for the tree wait meanwhile.
func (w *world) move(m Move) {
	t := &w.trees[m.Tree]
	from, to, directory := w.groups[t.group], w.groups[m.To], w.groups[0]
	if from == to || t.frozen {
		w.moving--
		return
	}
	t.frozen = true
	begin := w.now
	from.replicate(1, func() {
		w.stream(from, to, t.rows, func() {
			directory.replicate(1, func() {
				to.replicate(1, func() {
					t.group, t.frozen = m.To, false
					w.moving--
					w.book.pause(fmt.Sprintf("tree %d, %d tokens", m.Tree, t.rows), w.now-begin)
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
