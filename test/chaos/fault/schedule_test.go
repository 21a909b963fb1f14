package fault

import (
	"reflect"
	"slices"
	"testing"
)

func slots(seed uint64, nodes, n int) []Slot {
	s := New(seed, nodes)
	var all []Slot
	for range n {
		all = append(all, s.Next())
	}
	return all
}

func TestEqualSeedsEqualSchedules(t *testing.T) {
	t.Parallel()
	a, b, c := slots(1, 5, 200), slots(1, 5, 200), slots(2, 5, 200)
	if !reflect.DeepEqual(a, b) {
		t.Error("one seed gave two schedules")
	}
	if reflect.DeepEqual(a, c) {
		t.Error("two seeds gave one schedule")
	}
}

// TestScheduleLeavesAMajority: whatever overlaps, unless a step says that it takes the majority.
func TestScheduleLeavesAMajority(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{3, 5} {
		pairs := 0
		seen := map[string]bool{}
		for _, slot := range slots(uint64(nodes), nodes, 500) {
			hit := map[int]bool{}
			for _, s := range slot.Steps {
				k := kindOf(s.Kind)
				seen[s.Kind] = true
				if k.alone && len(slot.Steps) > 1 {
					t.Errorf("%s overlaps", s.Kind)
				}
				if s.Hold < k.holds[0] || s.Hold > k.holds[1] {
					t.Errorf("%s holds %v, want %v", s.Kind, s.Hold, k.holds)
				}
				if k.reach == majority || k.reach == everyone {
					continue
				}
				for _, n := range s.Nodes {
					if hit[n] {
						t.Errorf("node %d is hit twice in %+v", n, slot)
					}
					hit[n] = true
				}
			}
			if len(hit) > (nodes-1)/2 {
				t.Errorf("%d of %d nodes are hit by %+v", len(hit), nodes, slot)
			}
			if len(slot.Steps) > 1 {
				pairs++
			}
		}
		if nodes == 5 && (pairs < 50 || len(seen) != len(catalogue)) {
			t.Errorf("%d of 500 slots overlap, %d kinds of %d", pairs, len(seen), len(catalogue))
		}
	}
}

func TestOnlyNamedKinds(t *testing.T) {
	t.Parallel()
	s := New(1, 3, Kill, Pause)
	for range 50 {
		for _, st := range s.Next().Steps {
			if !slices.Contains([]string{Kill, Pause}, st.Kind) {
				t.Fatalf("a step of kind %s", st.Kind)
			}
		}
	}
}
