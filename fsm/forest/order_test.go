package forest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestOrderAgainstSlice(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(5, 5))
	names := map[uint32]string{}
	o := order{name: func(i uint32) string { return names[i] }}
	byName := map[string]uint32{}
	next := uint32(1)
	for round := range 300 {
		for range 100 {
			name := fmt.Sprintf("%c/%03d", 'a'+rnd.IntN(4), rnd.IntN(1500))
			item, ok := byName[name]
			switch {
			case !ok:
				names[next], byName[name] = name, next
				o.add(next)
				next++
			case round%40 > 25: // now and then it shrinks
				o.remove(item)
				delete(byName, name)
			}
		}
		if round%7 == 0 {
			prefix := fmt.Sprintf("%c/%d", 'a'+rnd.IntN(4), rnd.IntN(2))[:1+rnd.IntN(3)]
			for _, item := range o.cut(prefix) {
				if !strings.HasPrefix(names[item], prefix) || byName[names[item]] != item {
					t.Fatalf("cut(%q) took %q", prefix, names[item])
				}
				delete(byName, names[item])
			}
			o.walk(prefix, func(item uint32) bool {
				t.Fatalf("cut(%q) left %q", prefix, names[item])
				return false
			})
		}
		sameOrder(t, &o, byName)
	}
}

func sameOrder(t *testing.T, o *order, byName map[string]uint32) {
	t.Helper()
	var got, want []string
	o.walk("", func(i uint32) bool { got = append(got, o.name(i)); return true })
	for name := range byName { // order: sorted below
		want = append(want, name)
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Fatalf("%d names, want %d", len(got), len(want))
	}
	for i, chunk := range o.chunks {
		if len(chunk) == 0 || len(chunk) > chunkSize {
			t.Fatalf("chunk %d of %d has %d names", i, len(o.chunks), len(chunk))
		}
	}
}
