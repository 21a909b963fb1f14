package forest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tokengrove/grove/fsm/token"
)

// shaped returns a forest of n tokens, of which token i is a child of parent(i), or an
// orphan if that is negative.
func shaped(tb testing.TB, n int, parent func(int) int) (*Forest, []Ref) {
	tb.Helper()
	f, refs := New(), make([]Ref, n)
	rec := plain(0, "auth/token/create", 0)
	for i := range refs {
		rec.Hash, rec.Accessor = hashOf(i), accessorOf(i)
		var p Ref
		if j := parent(i); j >= 0 {
			p = refs[j]
		}
		r, err := f.Insert(rec, p)
		if err != nil {
			tb.Fatal(err)
		}
		refs[i] = r
	}
	return f, refs
}

func chain(i int) int { return i - 1 }
func star(i int) int  { return min(i, 1) - 1 }

func TestChainOf200000(t *testing.T) {
	t.Parallel()
	const n = 200_000
	f, refs := shaped(t, n, chain)
	last := refs[n-1]
	if !f.Alive(last, 1) || f.CountAlive(1) != n {
		t.Fatal("a long chain is not alive")
	}
	f.Revoke(refs[n/2])
	if f.Alive(last, 1) || !f.Alive(refs[n/2-1], 1) || f.CountAlive(1) != n/2 {
		t.Fatalf("after a revoke in the middle %d tokens are alive", f.CountAlive(1))
	}
	f.RevokeOrphan(refs[0])
	f.Revoke(refs[0])
	if f.CountAlive(1) != n/2-1 || !f.Alive(refs[1], 1) {
		t.Fatalf("after a revoke-orphan of the root %d tokens are alive", f.CountAlive(1))
	}
	check(t, f)
	steps := 0
	for ; f.Pending(); steps += 1000 {
		f.Reclaim(1000)
	}
	if f.Len() != n/2-1 || steps > n/2+1000 {
		t.Fatalf("%d tokens are left after %d steps", f.Len(), steps)
	}
	check(t, f)
}

func TestStarOf100000(t *testing.T) {
	t.Parallel()
	const n = 100_000
	for name, kill := range map[string]func(*Forest, Ref){"revoke": (*Forest).Revoke, "revoke-orphan": (*Forest).RevokeOrphan} {
		f, refs := shaped(t, n, star)
		kill(f, refs[0])
		want := uint64(0)
		if name == "revoke-orphan" {
			want = n - 1
		}
		if got := f.CountAlive(1); got != want || f.Alive(refs[n-1], 1) != (want > 0) {
			t.Fatalf("%s: %d tokens are alive, want %d", name, got, want)
		}
		if f.Reclaim(n / 2); !f.Pending() {
			t.Fatalf("%s: half the steps were enough", name)
		}
		f = restored(t, f.Freeze())
		if got := f.CountAlive(1); got != want {
			t.Fatalf("%s, half reclaimed: %d tokens are alive, want %d", name, got, want)
		}
		if f.Reclaim(n); f.Pending() || f.Len() != int(want) {
			t.Fatalf("%s: %d tokens are left, want %d", name, f.Len(), want)
		}
		check(t, f)
	}
}

func TestPrefixOf50000Paths(t *testing.T) {
	t.Parallel()
	const n = 60_000
	f := New()
	rnd := rand.New(rand.NewPCG(1, 2))
	for i, k := range rnd.Perm(n) {
		path := fmt.Sprintf("auth/ci/login/u%06d", k)
		if k >= 50_000 {
			path = fmt.Sprintf("auth/zz/login/u%06d", k)
		}
		if _, err := f.Insert(plain(i, path, 0), 0); err != nil {
			t.Fatal(err)
		}
	}
	check(t, f)
	if got := f.RevokePrefix("auth/ci/"); got != 50_000 || f.CountAlive(1) != 10_000 {
		t.Fatalf("RevokePrefix = %d, %d tokens are alive", got, f.CountAlive(1))
	}
	check(t, f)
	f.WalkPaths("auth/ci", func(path string, _ func(func(Ref) bool)) bool {
		t.Fatalf("path %q was revoked and is listed", path)
		return false
	})
	if f.Reclaim(50_000) != 50_000 || f.Pending() {
		t.Fatal("not everything was reclaimed")
	}
	check(t, f)
	if got := f.paths.count; got != 10_000 {
		t.Fatalf("%d paths are left", got)
	}
}

// TestMemoryComesBack: what a million dead tokens needed is not kept for ever.
func TestMemoryComesBack(t *testing.T) {
	t.Parallel()
	f, refs := shaped(t, 100_000, func(int) int { return -1 })
	for _, r := range refs[1000:] {
		f.Revoke(r)
	}
	f.Reclaim(f.Len())
	pages := 0
	for _, p := range f.nodes.pages {
		if p != nil {
			pages++
		}
	}
	if want := 1000/pageSize + 2; pages > want {
		t.Errorf("%d pages for 1000 tokens, want at most %d", pages, want)
	}
	shards := map[*shard]bool{}
	for _, s := range f.byHash.dir {
		shards[s] = true
	}
	if len(shards) > 32 {
		t.Errorf("%d shards of %d slots for 1000 tokens", len(shards), shardSlots)
	}
	check(t, f)
	for n := range 50_000 {
		if _, err := f.Insert(plain(200_000+n, "p", 0), 0); err != nil {
			t.Fatal(err)
		}
	}
	check(t, f)
}

func TestRequestsDoNotAllocate(t *testing.T) {
	f, refs := shaped(t, 5000, func(i int) int { return i/3 - 1 })
	f.Revoke(refs[100]) // something is pending, so that Alive walks
	h, a, now := hashOf(4000), accessorOf(4000), token.Instant(1)
	r := f.Find(h)
	for name, op := range map[string]func(){
		"Find":         func() { f.Find(h) },
		"FindAccessor": func() { f.FindAccessor(a) },
		"Alive":        func() { f.Alive(r, now) },
		"Charge":       func() { f.Charge(r) },
		"Renew":        func() { now++; f.Renew(r, now+1000, now, 1000) },
		"HasPolicy":    func() { f.HasPolicy(r, "nobody") },
	} {
		if n := testing.AllocsPerRun(200, op); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
