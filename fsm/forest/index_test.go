package forest

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// skews make the hashes of items: even, crowded into few shards, or into few slots.
var skews = map[string]func(rnd *rand.Rand) uint64{
	"even": func(rnd *rand.Rand) uint64 { return rnd.Uint64() },
	"deep": func(rnd *rand.Rand) uint64 { return rnd.Uint64() >> rnd.IntN(12) },
	"slots": func(rnd *rand.Rand) uint64 {
		return rnd.Uint64()&^(shardSlots-1) | uint64(rnd.IntN(8))
	},
}

func TestIndexAgainstMap(t *testing.T) {
	t.Parallel()
	for name, skew := range skews {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rnd := rand.New(rand.NewPCG(7, 7))
			hashes := map[uint32]uint64{}
			x := newIndex(func(i uint32) uint64 { return hashes[i] })
			var items []uint32
			next := uint32(1)
			for _, size := range []int{3000, 500, 6000, 100, 2000, 0} {
				for step := 0; len(items) != size || step < 3000; step++ {
					if grow := len(items) < size; len(items) == 0 || grow != (rnd.IntN(4) == 0) {
						hashes[next] = skew(rnd)
						x.add(hashes[next], next)
						items = append(items, next)
						next++
						continue
					}
					i := rnd.IntN(len(items))
					x.remove(hashes[items[i]], items[i])
					delete(hashes, items[i])
					items[i] = items[len(items)-1]
					items = items[:len(items)-1]
				}
				sameIndex(t, &x, hashes)
			}
		})
	}
}

func sameIndex(t *testing.T, x *index, hashes map[uint32]uint64) {
	t.Helper()
	if err := x.check(); err != nil {
		t.Fatal(err)
	}
	if x.count != len(hashes) {
		t.Fatalf("%d items, want %d", x.count, len(hashes))
	}
	for item, h := range hashes { // order: any failure will do
		if x.find(h, func(c uint32) bool { return c == item }) != item {
			t.Fatalf("item %d is not found", item)
		}
		if got := x.find(h, func(uint32) bool { return false }); got != 0 {
			t.Fatalf("item %d is found though it is refused", got)
		}
	}
}

func TestIndexReserve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ before, reserve, shards int }{
		{0, 0, 1}, {0, shardReserved, 1}, {0, shardReserved + 1, 2}, {500, 100_000, 128}, {2000, 100, 4},
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(1, 1))
			hashes := map[uint32]uint64{}
			x := newIndex(func(i uint32) uint64 { return hashes[i] })
			for i := range uint32(c.before) {
				hashes[i+1] = rnd.Uint64()
				x.add(hashes[i+1], i+1)
			}
			x.reserve(c.reserve)
			sameIndex(t, &x, hashes)
			shards := map[*shard]bool{}
			for _, s := range x.dir {
				shards[s] = true
			}
			if len(shards) != c.shards {
				t.Errorf("%d shards, want %d", len(shards), c.shards)
			}
		})
	}
}

// TestIndexDoesNotGrowWithoutNeed: what comes and goes leaves nothing behind.
func TestIndexDoesNotGrowWithoutNeed(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(3, 3))
	hashes := map[uint32]uint64{}
	x := newIndex(func(i uint32) uint64 { return hashes[i] })
	for i := uint32(1); i < 200_000; i++ {
		hashes[i] = rnd.Uint64()
		x.add(hashes[i], i)
		if i > 300 {
			x.remove(hashes[i-300], i-300)
			delete(hashes, i-300)
		}
	}
	sameIndex(t, &x, hashes)
	if len(x.dir) != 1 {
		t.Errorf("300 items take %d places in the directory", len(x.dir))
	}
}
