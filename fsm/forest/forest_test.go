package forest

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// grove is a forest whose tokens have one-letter names.
type grove struct {
	testing.TB
	*Forest
}

// seedling is how a token of a grove is made; an empty path is auth/token/create.
type seedling struct {
	name, parent, path string
	deadline           token.Instant
}

func plant(tb testing.TB, seedlings ...seedling) *grove {
	tb.Helper()
	g := &grove{TB: tb, Forest: New()}
	for _, s := range seedlings {
		g.insert(s)
	}
	return g
}

func (g *grove) insert(s seedling) {
	g.Helper()
	rec := plain(int(s.name[0]), cmp.Or(s.path, "auth/token/create"), s.deadline)
	if _, err := g.Insert(rec, g.ref(s.parent)); err != nil {
		g.Fatalf("Insert %s: %v", s.name, err)
	}
}

func (g *grove) ref(name string) Ref {
	if name == "" {
		return 0
	}
	return g.Find(hashOf(int(name[0])))
}

func (g *grove) nameOf(r Ref) string {
	for c := 'a'; c <= 'z'; c++ {
		if g.ref(string(c)) == r {
			return string(c)
		}
	}
	return "?"
}

// alive returns the names of the living, sorted.
func (g *grove) alive(now token.Instant) string {
	var s []string
	for c := 'a'; c <= 'z'; c++ {
		if g.Alive(g.ref(string(c)), now) {
			s = append(s, string(c))
		}
	}
	return strings.Join(s, "")
}

// family is a with children b and e, b with child c, c with child d; x alone.
var family = []seedling{
	{name: "a"}, {name: "b", parent: "a"}, {name: "c", parent: "b"}, {name: "d", parent: "c"}, {name: "e", parent: "a"},
	{name: "x", path: "auth/ci/login/x"},
}

func with(base []seedling, more ...seedling) []seedling { return append(slices.Clone(base), more...) }

// deaths are ways to die. want names those who live on at now.
var deaths = []struct {
	name  string
	plant []seedling
	do    func(*grove)
	now   token.Instant
	want  string
}{
	{name: "nothing", plant: family, do: func(*grove) {}, want: "abcdex"},
	{name: "revoke a root", plant: family, do: func(g *grove) { g.Revoke(g.ref("a")) }, want: "x"},
	{name: "revoke in the middle", plant: family, do: func(g *grove) { g.Revoke(g.ref("b")) }, want: "aex"},
	{name: "revoke a leaf", plant: family, do: func(g *grove) { g.Revoke(g.ref("d")) }, want: "abcex"},
	{name: "revoke twice", plant: family, do: func(g *grove) {
		g.Revoke(g.ref("b"))
		g.Revoke(g.ref("b"))
	}, want: "aex"},
	{name: "revoke a child, then its ancestor", plant: family, do: func(g *grove) {
		g.Revoke(g.ref("c"))
		g.Revoke(g.ref("a"))
	}, want: "x"},
	{name: "revoke an ancestor, then its child", plant: family, do: func(g *grove) {
		g.Revoke(g.ref("a"))
		g.Revoke(g.ref("c"))
	}, want: "x"},
	{name: "revoke root, leaves, then what is between", plant: []seedling{
		{name: "a"}, {name: "b", parent: "a"}, {name: "c", parent: "b"}, {name: "d", parent: "a"}, {name: "e", parent: "d"},
	}, do: func(g *grove) { // reclaiming in plain queue order would take six steps
		for _, name := range []string{"a", "c", "e", "b", "d"} {
			g.Revoke(g.ref(name))
		}
	}, want: ""},
	{name: "revoke an orphan", plant: family, do: func(g *grove) { g.RevokeOrphan(g.ref("b")) }, want: "acdex"},
	{name: "revoke an orphan twice", plant: family, do: func(g *grove) {
		g.RevokeOrphan(g.ref("b"))
		g.RevokeOrphan(g.ref("b"))
	}, want: "acdex"},
	{name: "orphans survive their former grandparent", plant: family, do: func(g *grove) {
		g.RevokeOrphan(g.ref("b"))
		g.Revoke(g.ref("a"))
	}, want: "cdx"},
	{name: "orphans survive a revoke of the dead parent", plant: family, do: func(g *grove) {
		g.RevokeOrphan(g.ref("b"))
		g.Revoke(g.ref("b"))
	}, want: "acdex"},
	{name: "revoke-orphan below a dead ancestor raises nobody", plant: family, do: func(g *grove) {
		g.Revoke(g.ref("a"))
		g.RevokeOrphan(g.ref("b"))
	}, want: "x"},
	{name: "revoke-orphan of a revoked token raises nobody", plant: family, do: func(g *grove) {
		g.Revoke(g.ref("b"))
		g.RevokeOrphan(g.ref("b"))
	}, want: "aex"},
	{name: "revoke-orphan on a dead path raises nobody", plant: with(family, seedling{name: "y", parent: "x"}), do: func(g *grove) {
		g.RevokePrefix("auth/ci/")
		g.RevokeOrphan(g.ref("x"))
	}, want: "abcde"},
	{name: "deadline of a root", plant: []seedling{{name: "a", deadline: 9}, {name: "b", parent: "a"}, {name: "c", parent: "b", deadline: 20}}, do: func(*grove) {}, now: 9, want: ""},
	{name: "just before the deadline", plant: []seedling{{name: "a", deadline: 9}, {name: "b", parent: "a"}}, do: func(*grove) {}, now: 8, want: "ab"},
	{name: "deadline in the middle", plant: []seedling{{name: "a"}, {name: "b", parent: "a", deadline: 9}, {name: "c", parent: "b"}}, do: func(*grove) {}, now: 9, want: "a"},
	{name: "renewed in time", plant: []seedling{{name: "a", deadline: 9}, {name: "b", parent: "a"}}, do: func(g *grove) {
		g.Renew(g.ref("a"), 12, 8, 4)
	}, now: 11, want: "ab"},
	{name: "renewed for less", plant: []seedling{{name: "a", deadline: 9}, {name: "b", parent: "a"}}, do: func(g *grove) {
		g.Renew(g.ref("a"), 5, 1, 4)
	}, now: 5, want: ""},
	{name: "a revoked token cannot be renewed", plant: []seedling{{name: "a", deadline: 9}}, do: func(g *grove) {
		g.Revoke(g.ref("a"))
		g.Renew(g.ref("a"), 12, 8, 4)
	}, now: 8, want: ""},
	{name: "expired with limit", plant: []seedling{{name: "a", deadline: 9}, {name: "b", deadline: 7}, {name: "c", deadline: 8}}, do: func(g *grove) {
		if n := g.Expire(9, 2); n != 2 || g.NextDeadline() != 9 {
			g.Fatalf("Expire = %d, next is %d", n, g.NextDeadline())
		}
	}, now: 9, want: ""},
	{name: "expired after its ancestor was revoked", plant: []seedling{{name: "a", deadline: 3}, {name: "b", parent: "a", deadline: 2}, {name: "c", parent: "b"}, {name: "z"}}, do: func(g *grove) {
		g.Revoke(g.ref("a"))
		g.Expire(5, 10)
	}, now: 5, want: "z"},
	{name: "prefix", plant: with(family, seedling{name: "y", parent: "x"}, seedling{name: "z", parent: "a", path: "auth/ci"}), do: func(g *grove) {
		if n := g.RevokePrefix("auth/ci"); n != 2 {
			g.Fatalf("RevokePrefix named %d", n)
		}
	}, want: "abcde"},
	{name: "prefix that is no path", plant: family, do: func(g *grove) {
		if n := g.RevokePrefix("auth/ci/login/xy"); n != 0 {
			g.Fatalf("RevokePrefix named %d", n)
		}
	}, want: "abcdex"},
	{name: "prefix twice", plant: family, do: func(g *grove) {
		g.RevokePrefix("auth/ci")
		if n := g.RevokePrefix("auth/ci"); n != 0 {
			g.Fatalf("RevokePrefix named %d", n)
		}
	}, want: "abcde"},
	{name: "a new token on a path that was revoked", plant: family, do: func(g *grove) {
		g.RevokePrefix("auth/ci")
		g.insert(seedling{name: "y", path: "auth/ci/login/x"})
		g.insert(seedling{name: "z", path: "auth/ci/login/x"})
	}, want: "abcdeyz"},
	{name: "the same path three times", plant: family, do: func(g *grove) {
		g.RevokePrefix("auth/ci")
		g.insert(seedling{name: "y", path: "auth/ci/login/x"})
		g.RevokePrefix("auth/ci")
		g.insert(seedling{name: "z", path: "auth/ci/login/x"})
	}, want: "abcdez"},
	{name: "revoked, then its path", plant: family, do: func(g *grove) {
		g.Revoke(g.ref("x"))
		if n := g.RevokePrefix("auth/ci"); n != 0 {
			g.Fatalf("RevokePrefix named %d", n)
		}
	}, want: "abcde"},
	{name: "everything", plant: family, do: func(g *grove) { g.RevokePrefix("") }, want: ""},
}

func TestDeath(t *testing.T) {
	t.Parallel()
	for _, c := range deaths {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := plant(t, c.plant...)
			c.do(g)
			verifyDeath(g, c.now, c.want)
		})
	}
}

// verifyDeath wants exactly these alive: at once, after a restore, and while and after
// the rest is reclaimed.
func verifyDeath(g *grove, now token.Instant, want string) {
	g.Helper()
	for _, f := range []*Forest{restored(g, g.Freeze()), g.Forest} {
		h := &grove{TB: g.TB, Forest: f}
		h.see(now, want)
		h.Expire(now, 100)
		h.see(now, want)
		for steps := h.Len(); h.Pending(); steps-- {
			if steps == 0 {
				g.Fatal("reclaiming takes more than one step a token")
			}
			h.Reclaim(1)
			check(g, h.Forest)
			h.see(now, want)
			h.Forest = restored(g, h.Freeze())
		}
		if h.Len() != len(want) {
			g.Fatalf("%d tokens are left, want %q", h.Len(), want)
		}
	}
}

func (g *grove) see(now token.Instant, want string) {
	g.Helper()
	check(g, g.Forest)
	if got := g.alive(now); got != want || g.CountAlive(now) != uint64(len(want)) {
		g.Fatalf("alive are %q (%d counted), want %q", got, g.CountAlive(now), want)
	}
}

func TestInsertRefuses(t *testing.T) {
	t.Parallel()
	g := plant(t, with(family, seedling{name: "k", path: "auth/gone"}, seedling{name: "m", deadline: 50})...)
	g.Revoke(g.ref("b"))
	g.RevokePrefix("auth/gone")
	fresh := func(change func(*token.Record)) *token.Record {
		rec := plain(500, "auth/token/create", 0)
		rec.Created = 50
		change(rec)
		return rec
	}
	before := rows(t, g.Freeze())
	for _, c := range []struct {
		name   string
		rec    *token.Record
		parent string
		want   error
	}{
		{"hash of a living token", fresh(func(r *token.Record) { r.Hash = hashOf('a') }), "", ErrDuplicateHash},
		{"hash of a dead token", fresh(func(r *token.Record) { r.Hash = hashOf('d') }), "", ErrDuplicateHash},
		{"accessor of a living token", fresh(func(r *token.Record) { r.Accessor = accessorOf('a') }), "", ErrDuplicateAccessor},
		{"accessor of a dead token", fresh(func(r *token.Record) { r.Accessor = accessorOf('d') }), "", ErrDuplicateAccessor},
		{"no hash", fresh(func(r *token.Record) { r.Hash = token.Hash{} }), "", ErrNameless},
		{"no accessor", fresh(func(r *token.Record) { r.Accessor = "" }), "", ErrNameless},
		{"parent revoked", fresh(func(*token.Record) {}), "b", ErrDeadParent},
		{"grandparent revoked", fresh(func(*token.Record) {}), "d", ErrDeadParent},
		{"parent on a dead path", fresh(func(*token.Record) {}), "k", ErrDeadParent},
		{"parent past its deadline", fresh(func(*token.Record) {}), "m", ErrDeadParent},
	} {
		if r, err := g.Insert(c.rec, g.ref(c.parent)); r != 0 || !errors.Is(err, c.want) {
			t.Errorf("%s: Insert = %d, %v, want %v", c.name, r, err, c.want)
		}
	}
	check(t, g.Forest)
	sameRows(t, "after refusals", rows(t, g.Freeze()), before)
}

func TestRecordIsACopy(t *testing.T) {
	t.Parallel()
	f := New()
	rec := plain(1, "auth/token/create", 0)
	rec.Meta, rec.BoundCIDRs = map[string]string{"team": "a"}, []string{"10.0.0.0/8"}
	rec.ExplicitMax, rec.Period, rec.NumUses, rec.UsesLeft, rec.Role = math.MaxInt64, math.MinInt64, math.MaxUint32, 7, "ro"
	want := *rec
	want.Meta, want.BoundCIDRs, want.Policies = map[string]string{"team": "a"}, []string{"10.0.0.0/8"}, slices.Clone(rec.Policies)
	r, err := f.Insert(rec, 0)
	if err != nil {
		t.Fatal(err)
	}
	rec.Meta["team"], rec.BoundCIDRs[0], rec.Policies[0] = "b", "", "root"
	got := f.Record(r)
	sameRecord(t, got, want)
	got.Meta["team"], got.BoundCIDRs[0], got.Policies[0] = "c", "", "root"
	sameRecord(t, f.Record(r), want)
}

func TestAccessorsOfAnyLength(t *testing.T) {
	t.Parallel()
	f := New()
	for n := 1; n <= 300; n++ {
		rec := plain(n, "auth/token/create", 0)
		rec.Accessor = token.Accessor(strings.Repeat("x", n))
		r, err := f.Insert(rec, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.Record(r).Accessor; got != rec.Accessor || f.FindAccessor(rec.Accessor) != r {
			t.Fatalf("accessor of %d characters comes back as %q", n, got)
		}
	}
	for n := 1; n <= 300; n += 2 {
		f.Revoke(f.FindAccessor(token.Accessor(strings.Repeat("x", n))))
	}
	f.Reclaim(f.Len())
	for n := 1; n <= 300; n++ {
		if found := f.FindAccessor(token.Accessor(strings.Repeat("x", n))) != 0; found != (n%2 == 0) {
			t.Fatalf("accessor of %d characters found: %v", n, found)
		}
	}
	check(t, f)
}

func TestHasPolicy(t *testing.T) {
	t.Parallel()
	g := plant(t, seedling{name: "a"})
	for name, want := range map[string]bool{"default": true, "dev": true, "de": false, "": false, "root": false} {
		if got := g.HasPolicy(g.ref("a"), name); got != want {
			t.Errorf("HasPolicy(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestChargeStopsAtZero(t *testing.T) {
	t.Parallel()
	f := New()
	rec := plain(1, "p", 0)
	rec.NumUses, rec.UsesLeft = 2, 2
	r, _ := f.Insert(rec, 0)
	for _, want := range []uint32{1, 0, 0} {
		if got := f.Charge(r); got != want || f.UsesLeft(r) != want {
			t.Fatalf("Charge left %d, want %d", got, want)
		}
	}
	if !f.Limited(r) {
		t.Error("a limited token is not Limited when it is used up")
	}
}

func TestExpireOrder(t *testing.T) {
	t.Parallel()
	f := New()
	for n := range 3000 {
		if _, err := f.Insert(plain(n, "p", token.Instant(1+n%7)), 0); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; n < 3000; n += 5 {
		f.Renew(f.Find(hashOf(n)), token.Instant(n%11), 1, time.Second) // every 55th for ever
	}
	var last token.Record
	for f.NextDeadline() != 0 {
		r := f.due.heap.at(0).ref
		rec := f.Record(r)
		if c := cmp.Or(cmp.Compare(last.Deadline, rec.Deadline), slices.Compare(last.Hash[:], rec.Hash[:])); c >= 0 {
			t.Fatalf("(%d, %s) comes after (%d, %s)", rec.Deadline, rec.Hash, last.Deadline, last.Hash)
		}
		last = rec
		if n := f.Expire(100, 1); n != 1 || f.Alive(r, 0) {
			t.Fatalf("Expire = %d", n)
		}
	}
	check(t, f)
	f.Reclaim(f.Len())
	if want := 3000/55 + 1; f.Len() != want {
		t.Fatalf("%d tokens live for ever, want %d", f.Len(), want)
	}
}

func TestWalkPaths(t *testing.T) {
	t.Parallel()
	g := plant(t, seedling{name: "a", path: "b/c"}, seedling{name: "b", path: "a"}, seedling{name: "c", path: "b"},
		seedling{name: "d", path: "b/c"}, seedling{name: "e", path: "bb"}, seedling{name: "f", path: "b/d"})
	for prefix, want := range map[string]string{"": "a:b b:c b/c:da b/d:f bb:e", "b/": "b/c:da b/d:f", "b/c": "b/c:da", "c": "", "a": "a:b"} {
		var got []string
		g.WalkPaths(prefix, func(path string, refs func(func(Ref) bool)) bool {
			s := path + ":"
			for r := range refs {
				s += g.nameOf(r)
			}
			got = append(got, s)
			return true
		})
		if strings.Join(got, " ") != want {
			t.Errorf("WalkPaths(%q) = %q, want %q", prefix, got, want)
		}
	}
	n := 0
	g.WalkPaths("", func(_ string, refs func(func(Ref) bool)) bool {
		for range refs {
			n++
			break
		}
		return n < 2
	})
	if n != 2 {
		t.Errorf("WalkPaths went on to %d paths after it was stopped", n)
	}
}

// TestExpireOrderOfNearHashes: the heap keeps the first bytes of a hash; the others count too.
func TestExpireOrderOfNearHashes(t *testing.T) {
	t.Parallel()
	f := New()
	for _, last := range []byte{5, 2, 9, 1, 7, 3, 8, 4, 6} {
		rec := plain(int(last), "p", 10)
		rec.Hash = token.Hash{0: 1, 31: last}
		if _, err := f.Insert(rec, 0); err != nil {
			t.Fatal(err)
		}
	}
	for want := byte(1); want <= 9; want++ {
		r := f.Find(token.Hash{0: 1, 31: want})
		if n := f.Expire(10, 1); n != 1 || f.node(r).state != Revoking {
			t.Fatalf("the hash that ends in %d was not expired in its turn", want)
		}
	}
	check(t, f)
}

func TestEqualPropertiesAreStoredOnce(t *testing.T) {
	t.Parallel()
	f := New()
	for n := range 50 {
		rec := plain(n, "p", 0)
		rec.Meta = map[string]string{}
		for i := range 12 {
			k := (i*5 + n) % 12
			rec.Meta[fmt.Sprint("key", k)] = fmt.Sprint(k)
		}
		if _, err := f.Insert(rec, 0); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.properties.count; got != 1 {
		t.Errorf("equal properties are stored %d times", got)
	}
	for n := range 50 {
		f.Revoke(f.Find(hashOf(n)))
	}
	f.Reclaim(f.Len())
	if got := f.properties.count; got != 0 {
		t.Errorf("%d properties are left of no token", got)
	}
	check(t, f)
}
