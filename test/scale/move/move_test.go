package move

import (
	"strings"
	"testing"
)

// scenarios are explored in full; together they have every kind of request race every step
// of one move, of a move that is tried again, and of a way there and back.
var scenarios = map[string]Scenario{
	"two uses, one move":          {Requests: []kind{useFirst, useSecond}, Moves: 1},
	"two uses of one, one move":   {Requests: []kind{useFirst, useFirst}, Moves: 1},
	"a use and a revocation":      {Requests: []kind{useFirst, revoke}, Moves: 1},
	"a use and a fence":           {Requests: []kind{useFirst}, Moves: 2, Fence: true},
	"a fence, there and back":     {Moves: 3, Fence: true},
	"a use, there and back":       {Requests: []kind{useFirst}, Moves: 2},
	"a use, there, back, there":   {Requests: []kind{useFirst}, Moves: 3},
	"a revocation there and back": {Requests: []kind{revoke}, Moves: 2},
}

// TestEveryState: nothing is lost, doubled, served twice or stuck, in any state.
func TestEveryState(t *testing.T) {
	for name, sc := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if underRace && sc.Moves > 1 {
				t.Skip("takes too long under the race detector, which has nothing to find here")
			}
			r, err := Explore(sc)
			if err != nil {
				t.Fatal(err)
			}
			if r.States < 50 || r.Ends == 0 {
				t.Errorf("%+v: hardly anything was explored", r)
			}
			t.Logf("%+v", r)
		})
	}
}

// TestEveryRuleIsNeeded: with any rule left out, some scenario breaks.
func TestEveryRuleIsNeeded(t *testing.T) {
	if underRace {
		t.Skip("takes too long under the race detector, which has nothing to find here")
	}
	for _, bug := range Bugs {
		t.Run(string(bug), func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"a use, there and back", "two uses, one move", "a fence, there and back", "a use, there, back, there"} {
				sc := scenarios[name]
				sc.Bug = bug
				if _, err := Explore(sc); err != nil {
					if strings.Contains(err.Error(), "may have") {
						t.Fatal(err)
					}
					t.Logf("%s: %v", name, err)
					return
				}
			}
			t.Error("nobody noticed")
		})
	}
}

func TestExploreRefuses(t *testing.T) {
	for _, sc := range []Scenario{{Requests: []kind{revoke, revoke, revoke}}, {Moves: maxEpoch}, {Moves: -1}} {
		if _, err := Explore(sc); err == nil {
			t.Errorf("%+v is allowed", sc)
		}
	}
}
