package check

import (
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

// Violation is one broken promise.
type Violation struct {
	Promise string
	Token   history.Token
	Text    string
	// Operations prove it: those that contradict each other.
	Operations []uint64
}

// String says what is wrong, in one line.
func (v Violation) String() string {
	return fmt.Sprintf("%s: token %d: %s (operations %d)", v.Promise, v.Token, v.Text, v.Operations)
}

// Survivors tells which nodes had no excuse.
type Survivors interface {
	// Surviving reports whether a node was up, not paused and with a majority all the time between.
	Surviving(node int, from, to time.Duration) bool
}

// Report is what the checkers found.
type Report struct {
	Violations []Violation
	// Trees is how many trees porcupine has judged; Skipped were too large or had too many unknown
	// outcomes, and Undecided took too long.
	Trees, Skipped, Undecided int
	Tokens                    int
}

// Checkers are all of them, but for porcupine.
var checkers = []func(*World) []Violation{mortality, useCounts, doubles, replays, lostTokens, equality}

// Run judges a history. It gives porcupine no more than budget.
func Run(h *history.History, s Survivors, budget time.Duration) *Report {
	w := NewWorld(h)
	r := &Report{Tokens: len(w.tokens) - 1}
	for _, c := range checkers {
		r.Violations = append(r.Violations, c(w)...)
	}
	r.Violations = append(r.Violations, availability(h, s)...)
	w.linearize(r, budget)
	return r
}

// FirstOf returns the first violation of each promise.
func (r *Report) FirstOf() []Violation {
	seen := map[string]bool{}
	var first []Violation
	for _, v := range r.Violations {
		if !seen[v.Promise] {
			seen[v.Promise] = true
			first = append(first, v)
		}
	}
	return first
}

// Count returns how often each promise was broken, in words.
func (r *Report) Count() string {
	n := map[string]int{}
	for _, v := range r.Violations {
		n[v.Promise]++
	}
	var parts []string
	for p, k := range n {
		parts = append(parts, fmt.Sprintf("%s %d times", p, k))
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

// mortality: P3, P4, P6, P9, and P1 and P5 where a token lives that must be dead.
func mortality(w *World) []Violation {
	var found []Violation
	for n := 1; n < len(w.tokens); n++ {
		t, id := &w.tokens[n], history.Token(n)
		for _, o := range t.ops {
			if !shows(o, id) {
				continue
			}
			if o.Invoke > t.dead.at {
				found = append(found, Violation{t.dead.promise, id, fmt.Sprintf("%s, and a %s that began %s later was served on node %d",
					t.dead.why, o.Kind, o.Invoke-t.dead.at, o.Node), proof(t.dead.by, o)})
			}
			if o.Invoke > t.expires {
				found = append(found, Violation{"P9", id, fmt.Sprintf("a %s was served on node %d %s past the deadline and the clocks' bound", o.Kind, o.Node, o.Invoke-t.expires), proof(t.create, o)})
			}
		}
		for _, r := range t.rows {
			switch at := w.h.Audit.At; {
			case at > t.dead.at:
				found = append(found, Violation{t.dead.promise, id, fmt.Sprintf("%s, and the audit found it alive on node %d", t.dead.why, r.Node), proof(t.dead.by)})
			case at > t.expires:
				found = append(found, Violation{"P9", id, "the audit found it alive past its deadline", proof(t.create)})
			}
		}
	}
	return found
}

// proof is the numbers of operations.
func proof(ops ...*history.Operation) []uint64 {
	var ns []uint64
	for _, o := range ops {
		if o != nil {
			ns = append(ns, o.Number)
		}
	}
	return ns
}

// lostTokens: a token that was acknowledged is seen dead before anything can have killed it.
func lostTokens(w *World) []Violation {
	var found []Violation
	live := w.liveAtEnd()
	for n := 1; n < len(w.tokens); n++ {
		t, id := &w.tokens[n], history.Token(n)
		if !t.made() {
			continue
		}
		for _, o := range t.ops {
			if denies(o, id) && o.Return < t.mayDie && o.Invoke > t.create.Return {
				found = append(found, Violation{"lost", id, fmt.Sprintf("a %s was refused on node %d (%s), and nothing had begun that could kill it", o.Kind, o.Node, o.Answer.Error), proof(t.create, o)})
			}
		}
		if live != nil && w.h.Audit.At < t.mayDie && !live[t.create.Answer.Accessor] {
			found = append(found, Violation{"lost", id, "the audit did not find it, and nothing had begun that could kill it", proof(t.create)})
		}
	}
	return found
}

// liveAtEnd is the accessors that every node listed, nil without an audit.
func (w *World) liveAtEnd() map[string]bool {
	if w.h.Audit == nil {
		return nil
	}
	count := map[string]int{}
	for _, keys := range w.h.Audit.Live {
		for _, k := range keys {
			count[k]++
		}
	}
	live := map[string]bool{}
	for k, n := range count {
		live[k] = n == len(w.h.Audit.Live)
	}
	return live
}

// availability: P10.
func availability(h *history.History, s Survivors) []Violation {
	var found []Violation
	for i := range h.Operations {
		o := &h.Operations[i]
		if o.Request.Sent > 1 && o.Answer.Status >= 400 && o.Answer.Status < 500 {
			continue // what was tried before failed elsewhere; this node refused, as it must when the caller has died since
		}
		if o.Failed() && s.Surviving(int(o.Node), o.Invoke, o.Return) {
			found = append(found, Violation{"P10", o.Token, fmt.Sprintf("a %s got an error from node %d, which was well, after %s: %d %s",
				o.Kind, o.Node, o.Return-o.Invoke, o.Answer.Status, o.Answer.Error), proof(o)})
		}
	}
	return found
}
