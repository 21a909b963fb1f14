package check

import (
	"fmt"
	"sort"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

// useCounts: P1 and P2, by the number of uses that every answer says are left. What an answer says
// is right at some moment between its request and itself: at least those that had returned before
// were charged then, at most those that had begun by then.
func useCounts(w *World) []Violation {
	var found []Violation
	for n := 1; n < len(w.tokens); n++ {
		t, id := &w.tokens[n], history.Token(n)
		if t.limit() == 0 {
			continue
		}
		c := countUses(t, id)
		found = append(found, c.served(t, id)...)
		for _, o := range t.ops {
			if o.Outcome == history.Applied && (o.Kind == history.Use || o.Kind == history.Lookup) {
				found = append(found, c.judge(t, id, o)...)
			}
		}
		for _, r := range t.rows {
			found = append(found, c.bounds(t, id, int(r.Left), c.before(w.h.Audit.At), c.begunBy(never), nil)...)
		}
	}
	return found
}

// charged is when the charges of one token began, and when those that certainly happened had returned.
type charged struct{ begun, done []time.Duration }

func countUses(t *token, id history.Token) charged {
	var c charged
	for _, o := range t.ops {
		if !charges(o, id) {
			continue
		}
		c.begun = append(c.begun, o.Invoke)
		if o.Outcome == history.Applied {
			c.done = append(c.done, o.Return)
		}
	}
	for _, s := range [][]time.Duration{c.begun, c.done} {
		sort.Slice(s, func(i, j int) bool { return s[i] < s[j] })
	}
	return c
}

// before is how many charges had certainly happened before at.
func (c *charged) before(at time.Duration) int {
	return sort.Search(len(c.done), func(i int) bool { return c.done[i] >= at })
}

// begunBy is how many charges may have happened by at.
func (c *charged) begunBy(at time.Duration) int {
	return sort.Search(len(c.begun), func(i int) bool { return c.begun[i] > at })
}

// served looks at all successes together: there are at most N, and no two took the same use.
func (c *charged) served(t *token, id history.Token) []Violation {
	var found []Violation
	if len(c.done) > t.limit() {
		found = append(found, Violation{"P1", id, fmt.Sprintf("%d requests were served, it had %d uses", len(c.done), t.limit()), proof(t.create)})
	}
	took := map[int32]*history.Operation{}
	for _, o := range t.ops {
		if o.Kind != history.Use || o.Outcome != history.Applied {
			continue
		}
		if other := took[o.Answer.Left]; other != nil {
			found = append(found, Violation{"P1", id, fmt.Sprintf("two requests were told that %d uses are left", o.Answer.Left), proof(other, o)})
		}
		took[o.Answer.Left] = o
	}
	return found
}

// judge looks at one answer.
func (c *charged) judge(t *token, id history.Token, o *history.Operation) []Violation {
	least := c.before(o.Invoke)
	if o.Kind == history.Use {
		least++ // itself
	}
	return c.bounds(t, id, int(o.Answer.Left), least, c.begunBy(o.Return), o)
}

func (*charged) bounds(t *token, id history.Token, left, least, most int, o *history.Operation) []Violation {
	switch gone := t.limit() - left; {
	case gone < least:
		return []Violation{{"P1", id, fmt.Sprintf("%d of %d uses are left, and at least %d were taken", left, t.limit(), least), proof(t.create, o)}}
	case gone > most:
		return []Violation{{"P2", id, fmt.Sprintf("%d of %d uses are left, and at most %d can have been taken", left, t.limit(), most), proof(t.create, o)}}
	}
	return nil
}
