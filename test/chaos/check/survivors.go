package check

import (
	"sort"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

// spans are the times in which one node has an excuse, in order and without overlap.
type spans []span

type span struct{ from, to time.Duration }

// outages are the Survivors that the fault log of a run gives.
type outages []spans

// FromEvents returns who survived what, for a cluster of n nodes. A node has an excuse while an event
// cuts it off, and a moment afterwards: what broke then may reach the client only later.
func FromEvents(events []history.Event, n int) Survivors {
	const after = 500 * time.Millisecond
	all := make(outages, n)
	for _, e := range events {
		for _, node := range e.Cut {
			all[node] = append(all[node], span{e.From, e.To + after})
		}
	}
	for i, s := range all {
		sort.Slice(s, func(i, j int) bool { return s[i].from < s[j].from })
		merged := s[:0]
		for _, x := range s {
			if last := len(merged) - 1; last >= 0 && x.from <= merged[last].to {
				merged[last].to = max(merged[last].to, x.to)
			} else {
				merged = append(merged, x)
			}
		}
		all[i] = merged
	}
	return all
}

// Surviving implements Survivors.
func (o outages) Surviving(node int, from, to time.Duration) bool {
	s := o[node]
	i := sort.Search(len(s), func(i int) bool { return s[i].to >= from })
	return i == len(s) || s[i].from > to
}
