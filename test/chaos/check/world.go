package check

import (
	"math"
	"sort"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

// never is later than everything.
const never = time.Duration(math.MaxInt64)

// token is what a history says about one token.
type token struct {
	create *history.Operation
	parent history.Token // 0: none that dies
	ops    []*history.Operation
	rows   []*history.Row
	dead   death         // at the latest
	mayDie time.Duration // at the earliest
	// deadline, at the latest and at the earliest.
	expires, mayExpire time.Duration
}

// death is a moment from which a token is certainly dead, and why.
type death struct {
	at      time.Duration
	promise string // that a success afterwards breaks
	why     string
	by      *history.Operation
}

// earlier keeps the earlier of two deaths.
func (d *death) earlier(o death) {
	if o.at < d.at {
		*d = o
	}
}

// World is a history ordered by tokens.
type World struct {
	h      *history.History
	tokens []token // by number; 0 is the root token
	prefix map[string][]*history.Operation
}

// NewWorld orders a history.
func NewWorld(h *history.History) *World {
	w := &World{h: h, prefix: map[string][]*history.Operation{}}
	most := history.Token(0)
	for i := range h.Operations {
		most = max(most, h.Operations[i].Token)
	}
	w.tokens = make([]token, most+1)
	for i := range w.tokens {
		w.tokens[i].dead.at, w.tokens[i].mayDie = never, never
		w.tokens[i].expires, w.tokens[i].mayExpire = never, never
	}
	for i := range h.Operations {
		w.take(&h.Operations[i])
	}
	if h.Audit != nil {
		for i := range h.Audit.Rows {
			if r := &h.Audit.Rows[i]; int(r.Token) < len(w.tokens) {
				w.tokens[r.Token].rows = append(w.tokens[r.Token].rows, r)
			}
		}
	}
	for _, ops := range w.prefix {
		sort.Slice(ops, func(i, j int) bool { return ops[i].Invoke < ops[j].Invoke })
	}
	w.deaths()
	return w
}

func (w *World) take(o *history.Operation) {
	switch o.Kind {
	case history.Attempt, history.Replay:
		return
	case history.RevokePrefix:
		w.prefix[o.Request.Path] = append(w.prefix[o.Request.Path], o)
		return
	case history.Create:
		t := &w.tokens[o.Token]
		t.create = o
		if !o.Request.Orphan {
			t.parent = o.By
		}
	default:
		w.tokens[o.Token].ops = append(w.tokens[o.Token].ops, o)
	}
	if o.By != 0 && o.By != o.Token {
		w.tokens[o.By].ops = append(w.tokens[o.By].ops, o)
	}
}

// made reports whether the token was acknowledged.
func (t *token) made() bool { return t.create != nil && t.create.Outcome == history.Applied }

// limit is how many uses the token was made with, 0 for no limit.
func (t *token) limit() int {
	if t.create == nil {
		return 0
	}
	return int(t.create.Request.Uses)
}

// shows reports whether o, applied, shows that token n was alive at some moment of it.
func shows(o *history.Operation, n history.Token) bool {
	if o.Outcome != history.Applied {
		return false
	}
	return o.By == n || o.Kind == history.Lookup && o.Token == n
}

// denies reports whether o shows that token n was dead at some moment of it.
func denies(o *history.Operation, n history.Token) bool {
	if o.Outcome != history.Refused || o.Answer.Status != 403 {
		return false
	}
	return o.By == n || o.Kind == history.Lookup && o.Token == n
}

// charges reports whether o may have taken a use of token n.
func charges(o *history.Operation, n history.Token) bool {
	return o.By == n && o.Outcome != history.Not && !(o.Outcome == history.Refused && o.Answer.Status == 403)
}

// deaths finds out when each token may be dead and when it must be. Parents come before their children.
func (w *World) deaths() {
	for n := 1; n < len(w.tokens); n++ {
		t, id := &w.tokens[n], history.Token(n)
		if t.create == nil {
			continue
		}
		if o := t.create.Outcome; o == history.Refused || o == history.Not {
			t.dead.earlier(death{0, "P5", "its creation did not happen", t.create})
		}
		w.expiry(t)
		for _, o := range t.ops {
			w.deathBy(t, id, o)
		}
		w.deathByPrefix(t)
		w.exhaustion(t, id)
		t.mayDie = min(t.mayDie, t.mayExpire)
		if t.parent != 0 {
			p := &w.tokens[t.parent]
			t.mayDie = min(t.mayDie, p.mayDie)
			d := p.dead
			if d.promise == "P6" {
				d.promise = "P4"
			}
			d.why = "an ancestor: " + d.why
			t.dead.earlier(d)
		}
	}
}

func (w *World) deathBy(t *token, id history.Token, o *history.Operation) {
	if o.Kind == history.Revoke && o.Token == id && o.Outcome != history.Not && o.Outcome != history.Refused {
		t.mayDie = min(t.mayDie, o.Invoke)
		if o.Outcome == history.Applied {
			t.dead.earlier(death{o.Return, "P3", "it was revoked", o})
		}
	}
	// Around a deadline the clocks of nodes may disagree, up to their bound: P9's business.
	if denies(o, id) && o.Return < t.mayExpire {
		t.dead.earlier(death{o.Return, "P6", "it was seen dead", o})
	}
	if o.Kind == history.Use && o.Outcome == history.Applied && t.limit() > 0 && o.Answer.Left == 0 {
		t.dead.earlier(death{o.Return, "P1", "its last use was taken", o})
	}
}

// deathByPrefix looks for revocations of the token's path.
func (w *World) deathByPrefix(t *token) {
	ops := w.prefix[t.create.Request.Path]
	// Nothing takes longer than a client waits.
	first := sort.Search(len(ops), func(i int) bool { return ops[i].Invoke >= t.create.Invoke-time.Minute })
	for _, o := range ops[first:] {
		if o.Outcome == history.Not || o.Outcome == history.Refused || o.Return < t.create.Invoke {
			continue
		}
		t.mayDie = min(t.mayDie, o.Invoke)
		if o.Outcome == history.Applied && t.made() && o.Invoke > t.create.Return {
			t.dead.earlier(death{o.Return, "P3", "its path was revoked", o})
			return // later ones return later, or say the same
		}
	}
}

// expiry finds the bounds of the deadline. A renewal without an answer may happen until the server gives up.
func (w *World) expiry(t *token) {
	ttl := t.create.Request.TTL
	if ttl == 0 {
		return
	}
	const late = time.Minute
	end := func(o *history.Operation) time.Duration {
		if o.Outcome == history.Unknown {
			return o.Return + late
		}
		return o.Return
	}
	t.mayExpire, t.expires = t.create.Invoke+ttl, end(t.create)+ttl
	for _, o := range t.ops {
		if o.Kind != history.Renew || o.Outcome == history.Not || o.Outcome == history.Refused {
			continue
		}
		t.expires = max(t.expires, end(o)+o.Request.TTL)
		if o.Outcome == history.Applied {
			t.mayExpire = max(t.mayExpire, o.Invoke+o.Request.TTL)
		}
	}
	if p := t.parent; p != 0 {
		t.mayExpire = min(t.mayExpire, w.tokens[p].mayExpire+w.h.Header.Skew+time.Second)
	}
	// A renewal helps only a token that is still alive then: that it was answered shows it. Whole seconds
	// are what servers promise.
	t.mayExpire -= w.h.Header.Skew + time.Second
	t.expires += w.h.Header.Skew + time.Second
}

// exhaustion finds the earliest moment at which all uses may be gone.
func (w *World) exhaustion(t *token, id history.Token) {
	if t.limit() == 0 {
		return
	}
	var begun []time.Duration
	for _, o := range t.ops {
		if charges(o, id) {
			begun = append(begun, o.Invoke)
		}
	}
	if len(begun) >= t.limit() {
		sort.Slice(begun, func(i, j int) bool { return begun[i] < begun[j] })
		t.mayDie = min(t.mayDie, begun[t.limit()-1])
	}
}
