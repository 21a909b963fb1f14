package cluster

import "github.com/tokengrove/grove/fsm"

// ackRevocations is a planted mistake: revocations are answered before they are committed. It returns the batch with
// nobody waiting for these.
func (*proposer) ackRevocations(batch []*submission, index uint64) []*submission {
	kind := (&fsm.RevokeToken{}).Kind()
	for i, s := range batch {
		results := make([]fsm.Result, len(s.group.Items))
		all := true
		for j, it := range s.group.Items {
			results[j] = fsm.Result{Count: 1, Index: index}
			all = all && it.Kind == kind
		}
		if all {
			s.done <- outcome{results: results}
			batch[i] = &submission{group: s.group, size: s.size, done: make(chan outcome, 1)}
		}
	}
	return batch
}
