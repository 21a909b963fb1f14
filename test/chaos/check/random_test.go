package check

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

// world makes random histories of a cluster without a fault: everything takes effect at one moment
// between its invocation and its return, and some answers are lost.
type world struct {
	rand   *rand.Rand
	now    time.Duration // of the effect
	tokens []living
	ops    []history.Operation
	lost   int // one in so many answers is
}

// living is a token of a world.
type living struct {
	parent history.Token
	limit  int32
	left   int32
	dead   bool
	known  bool // its creator was told
}

func (w *world) alive(t history.Token) bool {
	for t != 0 {
		if w.tokens[t].dead {
			return false
		}
		t = w.tokens[t].parent
	}
	return true
}

// step does one thing to a token, or makes one.
func (w *world) step() {
	w.now += time.Duration(w.rand.IntN(2000)) * time.Microsecond
	lag := func() time.Duration { return time.Duration(w.rand.IntN(8000)) * time.Microsecond }
	o := history.Operation{Number: uint64(len(w.ops) + 1), Outcome: yes, Invoke: w.now - lag(), Return: w.now + lag()}
	o.Token = history.Token(max(1, len(w.tokens)-1-w.rand.IntN(40)))
	if len(w.tokens) < 2 || w.rand.IntN(5) == 0 {
		w.create(&o)
	} else if w.tokens[o.Token].known {
		w.ask(&o)
	} else {
		return
	}
	if w.rand.IntN(w.lost) == 0 {
		o.Outcome, o.Answer = maybe, history.Answer{}
	} else if o.Kind == history.Create && o.Outcome == yes {
		w.tokens[o.Token].known = true
	}
	w.ops = append(w.ops, o)
}

func (w *world) create(o *history.Operation) {
	o.Kind, o.Request = history.Create, history.Request{TTL: 3 * time.Hour, Path: "p"}
	if p := o.Token; len(w.tokens) > 1 && w.rand.IntN(4) != 0 && w.tokens[p].known && w.tokens[p].limit == 0 {
		o.By = p
		if w.rand.IntN(2) == 0 {
			o.Request.Uses = 1 + w.rand.Int32N(5)
		}
	}
	o.Token = history.Token(len(w.tokens))
	l := living{parent: o.By, limit: o.Request.Uses, left: o.Request.Uses}
	if w.alive(o.By) {
		o.Answer = history.Answer{Status: 200, Accessor: accessor(o.Token)}
	} else {
		o.Outcome, o.Answer, l.dead = no, history.Answer{Status: 403}, true
	}
	w.tokens = append(w.tokens, l)
}

func (w *world) ask(o *history.Operation) {
	t := &w.tokens[o.Token]
	o.By, o.Answer.Status = o.Token, 200
	switch n := w.rand.IntN(20); {
	case n < 12:
		o.Kind = history.Use
	case n < 14:
		o.Kind, o.Request.TTL = history.Renew, 3*time.Hour
	case n < 18:
		o.Kind, o.By = history.Lookup, 0
	default:
		o.Kind, o.By = history.Revoke, 0
	}
	switch {
	case o.Kind == history.Revoke:
		t.dead = true
		return
	case !w.alive(o.Token):
		o.Outcome, o.Answer.Status = no, 403
		return
	case o.Kind != history.Lookup && t.limit > 0:
		t.left--
		t.dead = t.left == 0
	}
	if o.Kind != history.Renew {
		o.Answer.Left = t.left
	}
}

// tellAll makes a history of n steps with its audit.
func tellAll(seed uint64, n, lost int) *history.History {
	w := &world{rand: rand.New(rand.NewPCG(seed, 1)), now: time.Second, tokens: make([]living, 1), lost: lost}
	for range n {
		w.step()
	}
	s := tell()
	s.h.Operations = w.ops
	var rows []history.Row
	for i := 1; i < len(w.tokens); i++ {
		if w.alive(history.Token(i)) {
			rows = append(rows, history.Row{Token: history.Token(i), Left: w.tokens[i].left})
		}
	}
	s.audit(int((w.now+time.Minute)/time.Millisecond), rows...)
	s.fault(0, int((w.now+time.Hour)/time.Millisecond), 0)
	slices.SortFunc(s.h.Operations, func(a, b history.Operation) int { return int(a.Return - b.Return) })
	return &s.h
}

// TestRandom: nothing is blamed on a cluster that does everything right, however much overlaps and
// however many answers are lost.
func TestRandom(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		h := tellAll(seed, 4000, 5+int(seed)*10)
		r := Run(h, FromEvents(h.Events, 3), time.Minute)
		for _, v := range r.FirstOf() {
			t.Errorf("seed %d: %s", seed, v)
		}
		if r.Trees < 50 {
			t.Errorf("seed %d: porcupine has judged %d trees", seed, r.Trees)
		}
	}
}

// TestLarge: half a million operations, without porcupine.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds under the race detector")
	}
	t.Parallel()
	h := tellAll(99, 500_000, 50)
	r := Run(h, FromEvents(h.Events, 3), 0)
	for _, v := range r.FirstOf() {
		t.Error(v)
	}
}

// lies are changes of one answer that no order explains, each with how to find one that it can be told about.
var lies = map[string]func(h *history.History, o *history.Operation) bool{
	"one use less is left": func(h *history.History, o *history.Operation) bool {
		ok := o.Kind == history.Use && o.Outcome == yes && o.Answer.Left > 1
		if ok {
			o.Answer.Left--
		}
		return ok
	},
	"served long after it was revoked": func(h *history.History, o *history.Operation) bool {
		ok := o.Kind == history.Use && o.Outcome == no && revokedBefore(h, o)
		if ok {
			o.Outcome, o.Answer.Status = yes, 200
		}
		return ok
	},
	"a live one is refused": func(h *history.History, o *history.Operation) bool {
		ok := o.Kind == history.Lookup && o.Outcome == yes && liveAtEnd(h, o.Token)
		if ok {
			o.Outcome, o.Answer.Status = no, 403
		}
		return ok
	},
}

func revokedBefore(h *history.History, o *history.Operation) bool {
	return slices.ContainsFunc(h.Operations, func(r history.Operation) bool {
		return r.Kind == history.Revoke && r.Token == o.Token && r.Outcome == yes && r.Return < o.Invoke
	})
}

func liveAtEnd(h *history.History, t history.Token) bool {
	return slices.ContainsFunc(h.Audit.Rows, func(r history.Row) bool { return r.Token == t })
}

// TestLies: one wrong answer among thousands is found, by the linear checkers and by porcupine.
func TestLies(t *testing.T) {
	t.Parallel()
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			told := 0
			for seed := range uint64(5) {
				h := tellAll(seed, 3000, 200)
				i := slices.IndexFunc(h.Operations[1000:], func(o history.Operation) bool { return lie(h, &o) })
				if i < 0 {
					continue
				}
				told++
				lie(h, &h.Operations[1000+i])
				if r := Run(h, FromEvents(h.Events, 3), time.Minute); len(r.Violations) == 0 {
					t.Errorf("seed %d: operation %d is a lie, and nobody noticed", seed, h.Operations[1000+i].Number)
				}
			}
			if told < 3 {
				t.Errorf("told in %d of 5 histories", told)
			}
		})
	}
}
