package fault

import (
	"slices"
	"testing"
)

func TestWhoMayFail(t *testing.T) {
	t.Parallel()
	all := []int{0, 1, 2, 3, 4}
	for name, c := range map[string]struct {
		steps  []Step
		leader int
		cut    []int // at the begin of the last
	}{
		"kill":                      {[]Step{{Kind: Kill, Nodes: []int{2}}}, 0, []int{2}},
		"kill of the leader":        {[]Step{{Kind: Kill, Nodes: []int{2}, Leader: true}}, 4, []int{4}},
		"no leader is known":        {[]Step{{Kind: Kill, Nodes: []int{2}, Leader: true}}, -1, []int{2}},
		"partition of two":          {[]Step{{Kind: Partition, Nodes: []int{0, 3}}}, 0, []int{0, 3}},
		"deaf":                      {[]Step{{Kind: Deaf, Nodes: []int{1}}}, 0, []int{1}},
		"mute":                      {[]Step{{Kind: Mute, Nodes: []int{1}}}, 0, []int{1}},
		"kill and mute":             {[]Step{{Kind: Kill, Nodes: []int{0}}, {Kind: Mute, Nodes: []int{1}}}, 0, []int{0, 1}},
		"two kills and a partition": {[]Step{{Kind: Kill, Nodes: []int{0, 1}}, {Kind: Partition, Nodes: []int{2}}}, 0, all},
		"the leader is taken":       {[]Step{{Kind: Kill, Nodes: []int{0}}, {Kind: Pause, Nodes: []int{3}, Leader: true}}, 0, []int{0, 3}},
		"the node is taken":         {[]Step{{Kind: Kill, Nodes: []int{0}}, {Kind: Pause, Nodes: []int{0}}}, -1, []int{0, 1}},
		"bridge":                    {[]Step{{Kind: Bridge, Nodes: all}}, 0, all},
		"ring":                      {[]Step{{Kind: Ring, Nodes: all}}, 0, all},
		"blackout":                  {[]Step{{Kind: Blackout, Nodes: []int{0, 1, 2}}}, 0, all},
		"clock":                     {[]Step{{Kind: Clock, Nodes: []int{3}}}, 0, []int{3}},
		"transfer":                  {[]Step{{Kind: Transfer}}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &state{nodes: 5, steps: map[int]Step{}}
			var cut []int
			for i, st := range c.steps {
				st.Number = i
				cut = s.begin(&st, c.leader)
			}
			if !slices.Equal(cut, c.cut) {
				t.Errorf("nodes that may fail: %v, want %v", cut, c.cut)
			}
		})
	}
}

func TestEndedFaultsDoNotCount(t *testing.T) {
	t.Parallel()
	s := &state{nodes: 3, steps: map[int]Step{}}
	s.begin(&Step{Number: 1, Kind: Kill, Nodes: []int{0}}, -1)
	s.end(1)
	if cut := s.begin(&Step{Number: 2, Kind: Kill, Nodes: []int{1}}, -1); !slices.Equal(cut, []int{1}) {
		t.Errorf("nodes that may fail: %v, want 1 alone", cut)
	}
}

func TestShapes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step Step
		n    int
		want int // directions cut
	}{
		"partition 1 of 3": {Step{Kind: Partition, Nodes: []int{2}}, 3, 4},
		"partition 2 of 5": {Step{Kind: Partition, Nodes: []int{2, 0}}, 5, 12},
		"deaf":             {Step{Kind: Deaf, Nodes: []int{2}}, 5, 4},
		"bridge of 3":      {Step{Kind: Bridge, Nodes: []int{2, 0, 1}}, 3, 2},
		"bridge of 5":      {Step{Kind: Bridge, Nodes: []int{2, 0, 1, 3, 4}}, 5, 8},
		"ring of 5":        {Step{Kind: Ring, Nodes: []int{2, 0, 1, 3, 4}}, 5, 10},
		"kill":             {Step{Kind: Kill, Nodes: []int{2}}, 5, 0},
	} {
		if got := len(c.step.Cuts(c.n)); got != c.want {
			t.Errorf("%s: %d directions are cut, want %d", name, got, c.want)
		}
	}
}
