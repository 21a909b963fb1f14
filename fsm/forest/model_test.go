package forest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// model is the forest as one would explain it: every token ever made, and death that
// strikes whole trees at once. It knows nothing of reclaiming.
type model struct {
	now    token.Instant
	tokens []*modelToken
}

type modelToken struct {
	rec    token.Record
	parent *modelToken
	killed bool
}

func (m *model) alive(t *modelToken) bool {
	for ; t != nil; t = t.parent {
		if t.killed || t.rec.Expired(m.now) {
			return false
		}
	}
	return true
}

func (m *model) living() []*modelToken {
	return slices.DeleteFunc(slices.Clone(m.tokens), func(t *modelToken) bool { return !m.alive(t) })
}

// kill kills what match says, among the living, with all descendants.
func (m *model) kill(match func(*modelToken) bool) (n int) {
	for _, t := range m.living() {
		if match(t) {
			t.killed = true
			n++
		}
	}
	return n
}

func (m *model) orphan(t *modelToken) {
	for _, c := range m.tokens {
		if c.parent == t && m.alive(c) {
			c.parent = nil
			c.rec.Parent = token.Hash{}
		}
	}
	t.killed = true
}

// forget drops the dead that the forest has reclaimed; it must not have reclaimed others.
func (m *model) forget(tb testing.TB, f *Forest) {
	tb.Helper()
	m.tokens = slices.DeleteFunc(m.tokens, func(t *modelToken) bool {
		gone := f.Find(t.rec.Hash) == 0
		if gone && m.alive(t) {
			tb.Fatalf("token %s is alive and gone", t.rec.Hash)
		}
		return gone && !m.hasLinkTo(t)
	})
}

func (m *model) hasLinkTo(p *modelToken) bool {
	return slices.ContainsFunc(m.tokens, func(t *modelToken) bool { return t.parent == p })
}

// compare fails unless f shows what the model says.
func (m *model) compare(tb testing.TB, f *Forest) {
	tb.Helper()
	living := m.living()
	if got := f.CountAlive(m.now); got != uint64(len(living)) {
		tb.Fatalf("CountAlive = %d, want %d", got, len(living))
	}
	for _, t := range m.tokens {
		r, alive := f.Find(t.rec.Hash), m.alive(t)
		if f.Alive(r, m.now) != alive {
			tb.Fatalf("token %s: alive = %v, want %v", t.rec.Hash, !alive, alive)
		}
		if f.FindAccessor(t.rec.Accessor) != r {
			tb.Fatalf("token %s: its accessor leads elsewhere", t.rec.Hash)
		}
		if alive {
			sameRecord(tb, f.Record(r), t.rec)
		}
	}
	m.compareWalks(tb, f, living)
}

func (m *model) compareWalks(tb testing.TB, f *Forest, living []*modelToken) {
	tb.Helper()
	var got, want, byPath []string
	for _, t := range living {
		want = append(want, t.rec.Path+" "+t.rec.Hash.String())
	}
	f.WalkAlive(m.now, func(r Ref) bool {
		got = append(got, f.Record(r).Path+" "+f.Hash(r).String())
		return true
	})
	last := ""
	f.WalkPaths("", func(path string, refs func(func(Ref) bool)) bool {
		if path <= last && last != "" {
			tb.Fatalf("path %q comes after %q", path, last)
		}
		last = path
		for r := range refs {
			if f.Alive(r, m.now) {
				byPath = append(byPath, path+" "+f.Hash(r).String())
			}
		}
		return true
	})
	slices.Sort(want)
	slices.Sort(got)
	slices.Sort(byPath)
	if !slices.Equal(got, want) || !slices.Equal(byPath, want) {
		tb.Fatalf("WalkAlive has %d tokens, WalkPaths %d, want %d", len(got), len(byPath), len(want))
	}
}

// sameRecord fails unless the records are equal.
func sameRecord(tb testing.TB, got, want token.Record) {
	tb.Helper()
	if !reflect.DeepEqual(got, want) {
		tb.Fatalf("record:\n got %#v\nwant %#v", got, want)
	}
}

// rows returns the image as it goes to disk.
func rows(tb testing.TB, z *Frozen) []TokenRow {
	tb.Helper()
	var list []TokenRow
	if err := z.Tokens(func(r TokenRow) error { list = append(list, r); return nil }); err != nil {
		tb.Fatal(err)
	}
	if uint64(len(list)) != z.Header().Tokens {
		tb.Fatalf("%d rows, the header says %d", len(list), z.Header().Tokens)
	}
	return list
}

// restored returns a forest made from the rows of an image.
func restored(tb testing.TB, z *Frozen) *Forest {
	tb.Helper()
	b := NewBuilder()
	if err := b.Header(z.Header()); err != nil {
		tb.Fatal(err)
	}
	if err := z.Tokens(b.Add); err != nil {
		tb.Fatal(err)
	}
	f, err := b.Finish()
	if err != nil {
		tb.Fatal(err)
	}
	check(tb, f)
	return f
}

func check(tb testing.TB, f *Forest) {
	tb.Helper()
	if err := f.Check(); err != nil {
		tb.Fatal(err)
	}
}

// sameRows fails unless the rows are equal.
func sameRows(tb testing.TB, what string, got, want []TokenRow) {
	tb.Helper()
	if len(got) != len(want) {
		tb.Fatalf("%s: %d rows, want %d", what, len(got), len(want))
	}
	for i := range got {
		if !reflect.DeepEqual(got[i], want[i]) {
			tb.Fatalf("%s: row %d:\n got %#v\nwant %#v", what, i, got[i], want[i])
		}
	}
}

// hashOf makes distinct hashes that do not come in the order of n.
func hashOf(n int) token.Hash {
	var h token.Hash
	binary.BigEndian.PutUint64(h[:], uint64(n+1)*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(h[24:], uint64(n+1))
	return h
}

func accessorOf(n int) token.Accessor { return token.Accessor(fmt.Sprintf("acc%021d", n)) }

// plain returns an unremarkable token.
func plain(n int, path string, deadline token.Instant) *token.Record {
	return &token.Record{
		Hash: hashOf(n), Accessor: accessorOf(n), Type: token.Service, DisplayName: "token",
		Policies: []string{"default", "dev"}, Path: path, Created: 1, TTL: 32 * 24 * time.Hour,
		LeaseTTL: 32 * 24 * time.Hour, Deadline: deadline, Renewable: true,
	}
}

// odd returns a token in which every field may have an unusual value.
func odd(rnd *rand.Rand, n int, now token.Instant) *token.Record {
	paths := []string{"auth/token/create", "auth/ci/login/a", "auth/ci/login/b", "auth/ci/x", "auth/ci", "auth/cid", "sys/zeta"}
	rec := plain(n, paths[rnd.IntN(len(paths))], 0)
	rec.Created = now
	if rnd.IntN(8) == 0 {
		rec.Path = fmt.Sprintf("auth/ci/login/user-%d", rnd.IntN(1000))
	}
	if rnd.IntN(3) > 0 {
		rec.TTL = time.Duration(1 + rnd.IntN(200))
		rec.Deadline = now.Add(rec.TTL)
	}
	switch rnd.IntN(6) {
	case 0:
		rec.Accessor = token.Accessor(fmt.Sprintf("a%d", n))
	case 1:
		rec.Accessor = token.Accessor(strings.Repeat("long", 9) + fmt.Sprint(n))
	case 2:
		rec.NumUses = uint32(1 + rnd.IntN(5))
		rec.UsesLeft = rec.NumUses
	case 3:
		rec.Meta = map[string]string{"k": fmt.Sprint(rnd.IntN(5)), "": "empty", "z": ""}
		rec.BoundCIDRs = []string{"10.0.0.0/8", "::/0"}
	case 4:
		rec.Role, rec.Period, rec.ExplicitMax, rec.Renewable = "deploy", time.Hour, -1, false
	case 5:
		rec.Policies, rec.DisplayName, rec.LeaseTTL = nil, "", 0
	}
	return rec
}

// byDeadline sorts as expiry does.
func byDeadline(a, b *modelToken) int {
	return cmp.Or(cmp.Compare(a.rec.Deadline, b.rec.Deadline), slices.Compare(a.rec.Hash[:], b.rec.Hash[:]))
}
