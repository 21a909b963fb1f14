package check

import (
	"slices"
	"testing"
	"time"

	"github.com/tokengrove/grove/test/chaos/history"
)

const rolePath = "auth/token/create/r"

// bad are histories in which a promise is broken: at least those that are named must be found.
var bad = map[string]struct {
	story *story
	want  []string
}{
	"one use too many": {tell().create(1, 0, 2, yes, 0, 10).use(1, 1, yes, 20, 30).use(1, 0, yes, 40, 50).use(1, 0, yes, 60, 70), []string{"P1", "lin"}},
	"two requests take one use": {tell().create(1, 0, 3, yes, 0, 10).use(1, 2, yes, 20, 40).use(1, 2, yes, 30, 50),
		[]string{"P1", "lin"}},
	"a use is not charged": {tell().create(1, 0, 3, yes, 0, 10).use(1, 2, yes, 20, 30).lookup(1, 3, yes, 40, 50), []string{"P1", "lin"}},
	"uses come back": {tell().create(1, 0, 5, yes, 0, 10).use(1, 4, yes, 20, 30).use(1, 3, yes, 40, 50).use(1, 4, yes, 60, 70),
		[]string{"P1", "lin"}},
	"a use is charged twice": {tell().create(1, 0, 3, yes, 0, 10).use(1, 1, yes, 20, 30), []string{"P2", "lin"}},
	"an unknown use is charged twice": {tell().create(1, 0, 5, yes, 0, 10).use(1, 0, maybe, 20, 30).lookup(1, 3, yes, 40, 50),
		[]string{"P2", "lin"}},
	"a refused use is charged":           {tell().create(1, 0, 5, yes, 0, 10).use(1, 0, not, 20, 30).use(1, 3, yes, 40, 50), []string{"P2", "lin"}},
	"the audit misses a charge":          {tell().create(1, 0, 5, yes, 0, 10).use(1, 4, yes, 20, 30).audit(100, history.Row{Token: 1, Left: 5}), []string{"P1"}},
	"the audit finds a charge too many":  {tell().create(1, 0, 5, yes, 0, 10).use(1, 4, yes, 20, 30).audit(100, history.Row{Token: 1, Left: 3}), []string{"P2"}},
	"used up early":                      {tell().create(1, 0, 3, yes, 0, 10).use(1, 2, yes, 20, 30).use(1, 0, no, 40, 50), []string{"lost", "lin"}},
	"used after its revocation":          {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 30).use(1, 0, yes, 31, 40), []string{"P3", "lin"}},
	"looked up after its revocation":     {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 30).lookup(1, 0, yes, 31, 40), []string{"P3", "lin"}},
	"renewed after its revocation":       {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 30).renew(1, time.Hour, yes, 31, 40), []string{"P3", "lin"}},
	"a parent after its revocation":      {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 30).create(2, 1, 0, yes, 31, 40), []string{"P3", "lin"}},
	"revokes itself after it was dead":   {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 30).revoke(1, 1, yes, 31, 40), []string{"P3", "lin"}},
	"a grandchild outlives":              {tell().create(1, 0, 0, yes, 0, 10).create(2, 1, 0, yes, 11, 12).create(3, 2, 0, yes, 13, 14).revoke(1, 0, yes, 20, 30).use(3, 0, yes, 31, 40), []string{"P3", "lin"}},
	"the audit finds a revoked one":      {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 30).audit(100, history.Row{Token: 1}), []string{"P3"}},
	"a child that raced survives":        {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 40).create(2, 1, 0, yes, 25, 45).use(2, 0, yes, 50, 60), []string{"P3", "lin"}},
	"an unanswered child survives":       {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 40).create(2, 1, 0, maybe, 25, 45).audit(100, history.Row{Token: 2}), []string{"P3"}},
	"a path's token survives":            {tell().createAt(rolePath, 1, 0, 0, time.Hour, yes, 0, 10).prefix(rolePath, yes, 20, 30).use(1, 0, yes, 31, 40), []string{"P3", "lin"}},
	"a child of a path's token survives": {tell().createAt(rolePath, 1, 0, 0, time.Hour, yes, 0, 10).create(2, 1, 0, yes, 11, 12).prefix(rolePath, yes, 20, 30).use(2, 0, yes, 31, 40), []string{"P3", "lin"}},
	"alive after an ancestor was seen dead": {tell().create(1, 0, 0, yes, 0, 10).create(2, 1, 0, yes, 11, 12).revoke(1, 0, maybe, 20, 90).use(1, 0, no, 30, 40).use(2, 0, yes, 41, 50),
		[]string{"P4", "lin"}},
	"alive again after it was seen dead": {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, maybe, 20, 90).use(1, 0, no, 30, 40).use(1, 0, yes, 41, 50),
		[]string{"P6", "lin"}},
	"made twice": {tell().create(1, 0, 0, yes, 0, 10).audit(100, history.Row{Token: 1}, history.Row{Token: 1, Accessor: "other"}), []string{"P5"}},
	"refused and there": {tell().create(1, 0, 0, no, 0, 10).audit(100, history.Row{Token: 1}),
		[]string{"P5"}},
	"certainly not and there":            {tell().create(1, 0, 0, not, 0, 10).audit(100, history.Row{Token: 1}), []string{"P5"}},
	"nobody asked for it":                {tell().create(1, 0, 0, yes, 0, 10).audit(100, history.Row{Token: 1}, history.Row{Token: 7}), []string{"P5"}},
	"another than its creator was told":  {tell().create(1, 0, 0, yes, 0, 10).audit(100, history.Row{Token: 1, Accessor: "other"}), []string{"P5", "lost"}},
	"a replay answers another token":     {tell().create(1, 0, 0, yes, 0, 10).replay(1, "other", 20, 30), []string{"P5"}},
	"refused right after it was made":    {tell().create(1, 0, 0, yes, 0, 10).renew(1, time.Hour, no, 20, 30), []string{"lost", "lin"}},
	"gone at the end":                    {tell().create(1, 0, 0, yes, 0, 10).create(2, 0, 0, yes, 0, 10).audit(100, history.Row{Token: 2}), []string{"lost"}},
	"dead before anybody revokes it":     {tell().create(1, 0, 0, yes, 0, 10).use(1, 0, no, 20, 30).revoke(1, 0, yes, 31, 40), []string{"lost", "lin"}},
	"a later token of the path dies":     {tell().prefix(rolePath, yes, 0, 5).createAt(rolePath, 1, 0, 0, time.Hour, yes, 10, 20).use(1, 0, no, 31, 40), []string{"lost", "lin"}},
	"dies of a revocation that was none": {tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, not, 20, 30).use(1, 0, no, 31, 40), []string{"lost", "lin"}},
	"served past its deadline":           {tell().createAt("p", 1, 0, 0, 4*time.Second, yes, 0, 10).use(1, 0, yes, 7000, 7010), []string{"P9"}},
	"served past a renewed deadline":     {tell().createAt("p", 1, 0, 0, 4*time.Second, yes, 0, 10).renew(1, 4*time.Second, yes, 3000, 3010).use(1, 0, yes, 9500, 9510), []string{"P9"}},
	"dead long before its deadline":      {tell().createAt("p", 1, 0, 0, 10*time.Second, yes, 0, 10).use(1, 0, no, 4000, 4010), []string{"lost"}},
	"an error of a node that was well":   {tell().create(1, 0, 0, maybe, 2000, 2010).on(1).fault(1900, 2500, 0), []string{"P10"}},
	"a 503 long after a fault":           {tell().create(1, 0, 0, not, 9000, 9010).on(0).fault(1900, 2500, 0), []string{"P10"}},
	"nodes list different tokens":        {tell().create(1, 0, 0, yes, 0, 10).audit(100, history.Row{Token: 1}).unequal(), []string{"P8"}},
}

// unequal takes what one node lists away.
func (s *story) unequal() *story {
	s.h.Audit.Live[2] = nil
	return s
}

// good are histories that look bad, and are not.
var good = map[string]*story{
	"nothing":                             tell(),
	"all uses at once":                    tell().create(1, 0, 3, yes, 0, 10).use(1, 0, yes, 20, 90).use(1, 2, yes, 21, 91).use(1, 1, yes, 22, 92).use(1, 0, no, 30, 95),
	"a use overtakes its answer":          tell().create(1, 0, 3, yes, 0, 10).use(1, 2, yes, 20, 90).use(1, 1, yes, 30, 40),
	"an unknown use was charged":          tell().create(1, 0, 3, yes, 0, 10).use(1, 0, maybe, 20, 30).lookup(1, 2, yes, 40, 50),
	"an unknown use was not charged":      tell().create(1, 0, 3, yes, 0, 10).use(1, 0, maybe, 20, 30).lookup(1, 3, yes, 40, 50),
	"an unknown use is charged late":      tell().create(1, 0, 3, yes, 0, 10).use(1, 0, maybe, 20, 30).lookup(1, 3, yes, 40, 50).lookup(1, 2, yes, 60, 70),
	"unknown uses take the last":          tell().create(1, 0, 2, yes, 0, 10).use(1, 0, maybe, 20, 30).use(1, 0, maybe, 21, 31).use(1, 0, no, 40, 50),
	"a renewal takes a use":               tell().create(1, 0, 3, yes, 0, 10).renew(1, time.Hour, yes, 20, 30).use(1, 1, yes, 40, 50),
	"used while it is revoked":            tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 40).use(1, 0, yes, 30, 50),
	"used before the answer":              tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 40).use(1, 0, yes, 25, 30).use(1, 0, no, 31, 35),
	"an unknown revocation happened":      tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, maybe, 20, 30).use(1, 0, no, 40, 50),
	"an unknown revocation did not":       tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, maybe, 20, 30).use(1, 0, yes, 40, 50).audit(100, history.Row{Token: 1}),
	"an unknown revocation happens late":  tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, maybe, 20, 30).use(1, 0, yes, 40, 50).use(1, 0, no, 60, 70),
	"a child races and wins, and dies":    tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 40).create(2, 1, 0, yes, 25, 45).use(2, 0, no, 50, 60),
	"a child races and is used meanwhile": tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 40).create(2, 1, 0, yes, 21, 25).use(2, 0, yes, 26, 50),
	"a child races and is refused":        tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 40).create(2, 1, 0, no, 25, 45),
	"a sibling lives on":                  tell().create(1, 0, 0, yes, 0, 10).create(2, 1, 0, yes, 11, 12).create(3, 1, 0, yes, 11, 12).revoke(2, 0, yes, 20, 30).use(3, 0, yes, 40, 50).use(1, 0, yes, 40, 50),
	"a path that did not reach it":        tell().createAt(rolePath, 1, 0, 0, time.Hour, yes, 10, 30).prefix(rolePath, yes, 15, 25).use(1, 0, yes, 31, 40),
	"a path that just reached it":         tell().createAt(rolePath, 1, 0, 0, time.Hour, yes, 10, 30).prefix(rolePath, yes, 15, 25).use(1, 0, no, 31, 40),
	"another path":                        tell().createAt(rolePath, 1, 0, 0, time.Hour, yes, 0, 10).prefix(rolePath+"2", yes, 15, 25).use(1, 0, yes, 31, 40),
	"made after the path was revoked":     tell().prefix(rolePath, yes, 0, 5).createAt(rolePath, 1, 0, 0, time.Hour, yes, 10, 20).use(1, 0, yes, 31, 40),
	"an unknown creation happened":        tell().create(1, 0, 0, maybe, 0, 10).audit(100, history.Row{Token: 1, Accessor: "x"}),
	"an unknown creation did not":         tell().create(1, 0, 0, maybe, 0, 10).audit(100),
	"a replay answers the same":           tell().create(1, 0, 0, yes, 0, 10).replay(1, accessor(1), 20, 30),
	"revoked twice":                       tell().create(1, 0, 0, yes, 0, 10).revoke(1, 0, yes, 20, 30).revoke(1, 0, yes, 40, 50),
	"dies at its deadline":                tell().createAt("p", 1, 0, 0, 4*time.Second, yes, 0, 10).use(1, 0, yes, 3900, 3910).use(1, 0, no, 4100, 4110),
	"clocks disagree about the deadline":  tell().createAt("p", 1, 0, 0, 4*time.Second, yes, 0, 10).use(1, 0, no, 3900, 3910).use(1, 0, yes, 4100, 4110),
	"an unknown renewal keeps it alive":   tell().createAt("p", 1, 0, 0, 4*time.Second, yes, 0, 10).renew(1, 4*time.Second, maybe, 3000, 3010).use(1, 0, yes, 6500, 6510),
	"a child dies of its parent's end":    tell().createAt("p", 1, 0, 0, 4*time.Second, yes, 0, 10).create(2, 1, 0, yes, 20, 30).use(2, 0, no, 5000, 5010),
	"an error of a node that was killed":  tell().create(1, 0, 0, maybe, 2000, 2010).on(0).fault(1900, 2500, 0),
	"an error when a fault began":         tell().create(1, 0, 0, maybe, 1000, 2010).on(0).fault(1900, 2500, 0),
	"an error right after a fault":        tell().create(1, 0, 0, maybe, 2600, 2700).on(0).fault(1900, 2500, 0),
	"one fault within another":            tell().create(1, 0, 0, maybe, 5000, 5010).on(0).fault(1000, 9000, 0).fault(2000, 2500, 0, 1),
	"a limited one may not be a parent":   tell().create(1, 0, 2, yes, 0, 10).refusedChild(2, 1, 20, 30).use(1, 0, yes, 40, 50),
}

// refusedChild is a creation that is answered with 400, and charged.
func (s *story) refusedChild(t, by history.Token, from, to int) *story {
	return s.add(history.Operation{Kind: history.Create, Token: t, By: by, Outcome: no, Request: history.Request{TTL: time.Hour}, Answer: history.Answer{Status: 400}}, from, to)
}

func promisesOf(s *story) []string {
	r := Run(&s.h, FromEvents(s.h.Events, len(s.h.Header.Nodes)), time.Minute)
	var all []string
	for _, v := range r.FirstOf() {
		all = append(all, v.Promise)
	}
	slices.Sort(all)
	return all
}

func TestBad(t *testing.T) {
	t.Parallel()
	for name, c := range bad {
		t.Run(name, func(t *testing.T) {
			got := promisesOf(c.story)
			for _, p := range c.want {
				if !slices.Contains(got, p) {
					t.Errorf("found %v broken, want %s too", got, p)
				}
			}
		})
	}
}

func TestGood(t *testing.T) {
	t.Parallel()
	for name, s := range good {
		t.Run(name, func(t *testing.T) {
			if len(s.h.Events) == 0 { // it is not about P10
				s.fault(0, 100000, 0)
			}
			r := Run(&s.h, FromEvents(s.h.Events, len(s.h.Header.Nodes)), time.Minute)
			for _, v := range r.Violations {
				t.Error(v)
			}
			if r.Undecided > 0 {
				t.Errorf("%d trees undecided", r.Undecided)
			}
		})
	}
}

// TestAllPromisesCanBreak: each is among what the bad histories break.
func TestAllPromisesCanBreak(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, c := range bad {
		for _, p := range c.want {
			seen[p] = true
		}
	}
	for _, p := range []string{"P1", "P2", "P3", "P4", "P5", "P6", "P8", "P9", "P10", "lost", "lin"} {
		if !seen[p] {
			t.Errorf("no bad history breaks %s", p)
		}
	}
}
