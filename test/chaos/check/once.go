package check

import (
	"fmt"
	"slices"

	"github.com/tokengrove/grove/test/chaos/history"
)

// doubles: P5 at the end. Every live token says for which creation it was made.
func doubles(w *World) []Violation {
	a := w.h.Audit
	if a == nil {
		return nil
	}
	var found []Violation
	for _, s := range a.Strangers {
		found = append(found, Violation{"P5", 0, "a live token that nobody asked for: " + s, nil})
	}
	for i := range a.Rows {
		r := &a.Rows[i]
		if int(r.Token) >= len(w.tokens) || w.tokens[r.Token].create == nil {
			found = append(found, Violation{"P5", r.Token, "it is alive, and was never asked for", nil})
			continue
		}
		t := &w.tokens[r.Token]
		switch {
		case len(t.rows) > 1 && t.rows[0] != r:
			found = append(found, Violation{"P5", r.Token, "it was made twice: " + t.rows[0].Accessor + " and " + r.Accessor, proof(t.create)})
		case t.made() && t.create.Answer.Accessor != r.Accessor:
			found = append(found, Violation{"P5", r.Token, "it is alive as " + r.Accessor + ", its creator was told " + t.create.Answer.Accessor, proof(t.create)})
		}
	}
	return found
}

// replays: P5 of clients. A creation that is sent again under its key answers the same.
func replays(w *World) []Violation {
	var found []Violation
	for i := range w.h.Operations {
		o := &w.h.Operations[i]
		if o.Kind != history.Replay || o.Outcome != history.Applied {
			continue
		}
		if t := &w.tokens[o.Token]; t.made() && t.create.Answer.Accessor != o.Answer.Accessor {
			found = append(found, Violation{"P5", o.Token, "sent again under its key, it answers another token", proof(t.create, o)})
		}
	}
	return found
}

// equality: P8 as clients see it. All nodes list the same tokens after everything is healed.
func equality(w *World) []Violation {
	if w.h.Audit == nil {
		return nil
	}
	var found []Violation
	first := slices.Sorted(slices.Values(w.h.Audit.Live[0]))
	for n, keys := range w.h.Audit.Live {
		sorted := slices.Sorted(slices.Values(keys))
		if d := differ(first, sorted); d > w.brief() {
			found = append(found, Violation{"P8", 0, fmt.Sprintf("nodes 0 and %d list %d and %d tokens, %d differ", n, len(first), len(sorted), d), nil})
		}
	}
	return found
}

// brief is how many tokens may expire while the nodes are asked one after the other.
func (w *World) brief() int {
	n := 0
	for i := range w.tokens {
		if t := &w.tokens[i]; t.create != nil && t.mayExpire <= w.h.Audit.At+w.h.Header.Skew && t.expires >= w.h.Audit.At-w.h.Header.Skew {
			n++
		}
	}
	return n
}

// differ counts what is in only one of two sorted lists.
func differ(a, b []string) int {
	n := 0
	for len(a) > 0 && len(b) > 0 {
		switch {
		case a[0] == b[0]:
			a, b = a[1:], b[1:]
		case a[0] < b[0]:
			a, n = a[1:], n+1
		default:
			b, n = b[1:], n+1
		}
	}
	return n + len(a) + len(b)
}
