package move

import (
	"errors"
	"fmt"
	"strings"
)

// maxStates bounds an exploration; reaching it is an error, not a result.
const maxStates = 8_000_000

// Report says what was visited.
type Report struct{ States, Steps, Ends int }

// exploration is a breadth-first search, so that what it finds is found on a shortest way.
type exploration struct {
	sc     Scenario
	index  map[state]int32
	states []state
	from   []int32  // the state before, on the way from the start
	by     []string // the step that led here
	back   [][]int32
	steps  int
}

// Explore visits every state and checks all invariants. The error tells the steps that led
// to the first violation.
func Explore(sc Scenario) (Report, error) {
	if len(sc.Requests) > maxRequests || sc.Moves < 0 || sc.Moves >= maxEpoch {
		return Report{}, fmt.Errorf("%d requests and %d moves: at most %d and %d", len(sc.Requests), sc.Moves, maxRequests, maxEpoch-1)
	}
	x := &exploration{sc: sc, index: map[state]int32{}}
	x.visit(start(sc), -1, "start")
	for i := 0; i < len(x.states); i++ {
		if err := x.states[i].check(); err != nil {
			return Report{}, fmt.Errorf("%w; the way there: %s", err, x.way(int32(i)))
		}
		sc.next(x.states[i], func(name string, n state) { x.visit(n, int32(i), name) })
		if len(x.states) > maxStates {
			return Report{}, errors.New("more states than an exploration may have")
		}
	}
	ends, err := x.ends()
	return Report{States: len(x.states), Steps: x.steps, Ends: ends}, err
}

// visit notes a step, and its state if that is new.
func (x *exploration) visit(s state, from int32, by string) {
	i, ok := x.index[s]
	if !ok {
		i = int32(len(x.states))
		x.index[s] = i
		x.states = append(x.states, s)
		x.from, x.by, x.back = append(x.from, from), append(x.by, by), append(x.back, nil)
	}
	if from >= 0 {
		x.steps++
		x.back[i] = append(x.back[i], from)
	}
}

func (x *exploration) way(i int32) string {
	var steps []string
	for ; i >= 0; i = x.from[i] {
		steps = append([]string{x.by[i]}, steps...)
	}
	return strings.Join(steps, " → ")
}

// check returns the invariant that the state breaks.
func (s *state) check() error {
	owners := 0
	for i, g := range s.groups {
		if g.role != owner {
			continue
		}
		owners++
		if g.rows.uses != s.truth.uses || g.rows.dead != s.truth.dead {
			return fmt.Errorf("group %d serves %+v, the truth is %+v", i, g.rows, s.truth)
		}
		if s.fence == 2 && g.rows.fenced != [parts]bool{true, true} {
			return fmt.Errorf("group %d serves %+v after the fence was acknowledged", i, g.rows)
		}
	}
	if owners > 1 {
		return errors.New("both groups serve")
	}
	for i, a := range s.asks {
		decided := 0
		for _, r := range a.results {
			if r == done || r == denied {
				decided++
			}
		}
		if decided > 1 {
			return fmt.Errorf("request %d was decided %d times: %v", i, decided, a.results)
		}
	}
	return nil
}

// ended reports whether all that was begun is finished.
func (s *state) ended() bool {
	o := s.groups[s.dir.owner]
	if s.dir.open || o.role != owner || s.groups[1-s.dir.owner].role != none || s.fence == 1 {
		return false
	}
	for _, a := range s.asks {
		gaveUp := a.attempt+1 == maxAttempts && a.results[a.attempt] == moved
		if a.kind != nothing && !a.answered && !gaveUp {
			return false
		}
	}
	return true
}

// ends counts the ends, and finds a state from which none is reached.
func (x *exploration) ends() (int, error) {
	reaches := make([]bool, len(x.states))
	var todo []int32
	for i := range x.states {
		if x.states[i].ended() {
			reaches[i] = true
			todo = append(todo, int32(i))
		}
	}
	ends := len(todo)
	for len(todo) > 0 {
		i := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, b := range x.back[i] {
			if !reaches[b] {
				reaches[b] = true
				todo = append(todo, b)
			}
		}
	}
	for i, ok := range reaches {
		if !ok {
			return ends, fmt.Errorf("there is no way on to an end: %s", x.way(int32(i)))
		}
	}
	return ends, nil
}
