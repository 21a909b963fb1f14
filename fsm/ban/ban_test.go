package ban

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm/token"
)

// naive remembers every ban there was.
type naive []Ban

func (n naive) kills(path string, p Point) bool {
	return slices.ContainsFunc(n, func(b Ban) bool { return p.Before(b.Point) && below(path, b.Prefix) })
}

// TestBook: a Book kills what a list of all bans kills.
func TestBook(t *testing.T) {
	t.Parallel()
	paths := []string{"auth", "auth/ci", "auth/ci/login", "auth/cix", "auth/ci/login/bob", "sys", "authx/ci"}
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		var b Book
		var all naive
		for i := range 200 {
			p := Point{uint64(i / 100), uint64(i)}
			if r.IntN(4) == 0 {
				n := Ban{paths[r.IntN(len(paths))], p, token.Instant(i + 1)}
				b.Add(n)
				all = append(all, n)
				if err := b.Check(p); err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			path, at := paths[r.IntN(len(paths))], Point{uint64(r.IntN(2)), uint64(r.IntN(i + 1))}
			if got, want := b.Kills(path, at), all.kills(path, at); got != want {
				t.Fatalf("seed %d step %d: %q of %v killed %v, want %v, by %+v", seed, i, path, at, got, want, b.All())
			}
		}
		var back Book
		for _, x := range b.All() {
			if err := back.Restore(x); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(back.All(), b.All()) || back.Check(Point{1, 200}) != nil {
			t.Errorf("seed %d: restored as %+v, want %+v", seed, back.All(), b.All())
		}
	}
}

// TestFull: what makes room for new bans kills more, never less.
func TestFull(t *testing.T) {
	t.Parallel()
	var b Book
	for i := range MaxBans {
		b.bans = append(b.bans, Ban{fmt.Sprintf("auth/m%d", i), Point{0, uint64(i + 1)}, 1})
	}
	b.set(b.bans)
	before := b
	b.Add(Ban{"auth/last", Point{0, MaxBans + 1}, 1})
	if err := b.Check(Point{0, MaxBans + 1}); err != nil || b.Len() != MaxBans {
		t.Fatalf("%d bans, %v, want %d", b.Len(), err, MaxBans)
	}
	for _, c := range []struct {
		path string
		at   uint64
		want bool
	}{
		{"auth/m0", 0, true}, {"auth/m1", 1, true}, {"auth/other", 1, true}, {"auth/other", 2, false}, {"auth/m5/x", 5, true},
		{"auth/m5/x", 6, false}, {"auth/last", MaxBans, true}, {"auth/last", MaxBans + 1, false},
	} {
		if got := b.Kills(c.path, Point{0, c.at}); got != c.want {
			t.Errorf("%s of %d killed %v, want %v", c.path, c.at, got, c.want)
		}
	}
	if before.Len() != MaxBans || before.Kills("auth/other", Point{0, 1}) {
		t.Error("a copy was changed")
	}
}

// TestForgotten: a ban is over after its life, and one of a prefix that no path can have is none.
func TestForgotten(t *testing.T) {
	t.Parallel()
	var b Book
	b.Add(Ban{"a", Point{0, 1}, 1})
	b.Add(Ban{strings.Repeat("x", MaxPath+1), Point{0, 2}, 2})
	if b.Len() != 1 {
		t.Errorf("%d bans, want 1", b.Len())
	}
	b.Add(Ban{"b", Point{0, 3}, token.Instant(1).Add(Life)})
	if b.Len() != 1 || b.All()[0].Prefix != "b" {
		t.Errorf("bans %+v, want that of b", b.All())
	}
}

// TestCheck: what no Add leaves behind is found.
func TestCheck(t *testing.T) {
	t.Parallel()
	for name, bans := range map[string][]Ban{
		"after the state": {{"a", Point{0, 9}, 1}},
		"a slash":         {{"a/", Point{0, 1}, 1}},
		"too long":        {{strings.Repeat("x", MaxPath+1), Point{0, 1}, 1}},
	} {
		var b Book
		b.set(bans)
		if b.Check(Point{0, 5}) == nil {
			t.Errorf("%s: not found", name)
		}
	}
	var b Book
	if b.Restore(Ban{"a", Point{0, 2}, 1}) != nil || b.Restore(Ban{"b", Point{0, 1}, 1}) == nil || b.Restore(Ban{"a", Point{0, 3}, 1}) == nil {
		t.Error("restored out of order, or twice")
	}
}
