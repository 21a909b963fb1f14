package forest

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/tokengrove/grove/fsm/token"
)

// pendingRows is a small forest with one of everything that a row can say.
func pendingRows(t *testing.T) (Header, []TokenRow) {
	g := plant(t, with(family, seedling{name: "y", path: "auth/ci/login/x"}, seedling{name: "z", parent: "y"})...)
	g.RevokeOrphan(g.ref("b"))
	g.RevokePrefix("auth/ci")
	g.insert(seedling{name: "k", path: "auth/ci/login/x"})
	g.RevokePrefix("auth/ci")
	g.Revoke(g.ref("d"))
	z := g.Freeze()
	return z.Header(), rows(t, z)
}

func build(h Header, list []TokenRow) (*Forest, error) {
	b := NewBuilder()
	if err := b.Header(h); err != nil {
		return nil, err
	}
	for _, r := range list {
		if err := b.Add(r); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

func TestRowsSayEverything(t *testing.T) {
	t.Parallel()
	h, list := pendingRows(t)
	if want := (Header{NextSeq: 10, Tokens: 9}); h != want {
		t.Errorf("header %v, want %v", h, want)
	}
	var got []string
	for _, r := range list {
		got = append(got, fmt.Sprintf("%d:s%dt%dp%du%v", r.Seq, r.State, r.Turn, r.PathTurn, !r.Under.IsZero()))
	}
	want := "1:s1t0p0ufalse 2:s3t1p0ufalse 3:s1t0p0utrue 4:s2t4p0ufalse 5:s1t0p0ufalse " +
		"6:s1t0p2ufalse 7:s1t0p2ufalse 8:s1t0p0ufalse 9:s1t0p3ufalse"
	if strings.Join(got, " ") != want {
		t.Errorf("rows\n got %s\nwant %s", strings.Join(got, " "), want)
	}
	if _, err := build(h, list); err != nil {
		t.Error(err)
	}
}

func TestBuilderRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*Header, *[]TokenRow)
		want   string
	}{
		{"no header", func(h *Header, _ *[]TokenRow) { *h = Header{} }, "header"},
		{"more tokens than numbers", func(h *Header, _ *[]TokenRow) { h.Tokens = h.NextSeq }, "header"},
		{"a row is missing at the end", func(_ *Header, l *[]TokenRow) { *l = (*l)[:8] }, "the header says 9"},
		{"a row too many", func(h *Header, _ *[]TokenRow) { h.Tokens-- }, "the header says 8"},
		{"number from the future", func(_ *Header, l *[]TokenRow) { (*l)[8].Seq = 10 }, "the next new one is 10"},
		{"number twice", func(_ *Header, l *[]TokenRow) { (*l)[5].Seq = 5 }, "comes after token 5"},
		{"number zero", func(_ *Header, l *[]TokenRow) { (*l)[0].Seq = 0 }, "comes after token 0"},
		{"no state", func(_ *Header, l *[]TokenRow) { (*l)[0].State = 0 }, "unknown state 0"},
		{"unknown state", func(_ *Header, l *[]TokenRow) { (*l)[1].State = 4 }, "unknown state 4"},
		{"active in the queue", func(_ *Header, l *[]TokenRow) { (*l)[0].Turn = 5 }, "state 1 at place 5"},
		{"revoking and not in the queue", func(_ *Header, l *[]TokenRow) { (*l)[3].Turn = 0 }, "state 2 at place 0"},
		{"more uses left than there were", func(_ *Header, l *[]TokenRow) { (*l)[0].Record.UsesLeft = 1 }, "1 of 0 uses"},
		{"hash twice", func(_ *Header, l *[]TokenRow) { (*l)[7].Record.Hash = (*l)[0].Record.Hash }, "same hash"},
		{"accessor twice", func(_ *Header, l *[]TokenRow) { (*l)[7].Record.Accessor = (*l)[0].Record.Accessor }, "same accessor"},
		{"no hash", func(_ *Header, l *[]TokenRow) { (*l)[8].Record.Hash = token.Hash{} }, "needs a hash"},
		{"parent unknown", func(_ *Header, l *[]TokenRow) { (*l)[4].Record.Parent = hashOf(9999) }, "not among those before it"},
		{"parent comes later", func(_ *Header, l *[]TokenRow) { (*l)[4].Record.Parent = (*l)[8].Record.Hash }, "not among those before it"},
		{"two parents", func(_ *Header, l *[]TokenRow) { (*l)[4].Under = (*l)[1].Record.Hash }, "and a former parent"},
		{"child of an orphaning token", func(_ *Header, l *[]TokenRow) { (*l)[4].Record.Parent = (*l)[1].Record.Hash }, "in state 3"},
		{"under an active token", func(_ *Header, l *[]TokenRow) { (*l)[2].Under = (*l)[0].Record.Hash }, "in state 1"},
		{"place taken by a token", func(_ *Header, l *[]TokenRow) { (*l)[3].Turn = 1 }, "place 1 of the reclaim queue is taken"},
		{"place taken by a path", func(_ *Header, l *[]TokenRow) { (*l)[8].PathTurn = 1 }, "place 1 of the reclaim queue is taken"},
		{"two paths at one place", func(_ *Header, l *[]TokenRow) { (*l)[6].Record.Path = "other" }, "both at place 2"},
		{"gap in the queue", func(_ *Header, l *[]TokenRow) { (*l)[3].Turn = 5 }, "nothing at place 4"},
	} {
		h, list := pendingRows(t)
		c.change(&h, &list)
		if _, err := build(h, list); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := NewBuilder().Finish(); err == nil {
		t.Error("a forest without a header was built")
	}
}

func TestRowKeepsEveryFieldOfTheRecord(t *testing.T) {
	t.Parallel()
	var rec token.Record
	v := reflect.ValueOf(&rec).Elem()
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(v.Type().Field(i).Name)
		case reflect.Array:
			f.Index(0).SetUint(uint64(i + 1))
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]string{"a": "b"}))
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{v.Type().Field(i).Name}))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Int64:
			f.SetInt(int64(i + 1))
		case reflect.Uint8, reflect.Uint32:
			f.SetUint(uint64(i + 1))
		case reflect.Struct:
			f.Set(reflect.ValueOf(token.Login{Mount: "m", Entity: "e", Data: "d"}))
		default:
			t.Fatalf("this test cannot fill %s", v.Type().Field(i).Name)
		}
	}
	f := New()
	root := plain(0, "p", 0)
	root.Hash = rec.Parent
	parent, err := f.Insert(root, 0)
	if err != nil {
		t.Fatal(err)
	}
	rec.UsesLeft = rec.NumUses
	r, err := f.Insert(&rec, parent)
	if err != nil {
		t.Fatal(err)
	}
	sameRecord(t, f.Record(r), rec)
	sameRecord(t, rows(t, f.Freeze())[1].Record, rec)
	again := restored(t, f.Freeze())
	sameRecord(t, again.Record(again.Find(rec.Hash)), rec)
}

// TestImageIsReadWhileTheForestGoesOn is for the race detector, too.
func TestImageIsReadWhileTheForestGoesOn(t *testing.T) {
	t.Parallel()
	f := New()
	for n := range 5000 {
		if _, err := f.Insert(plain(n, fmt.Sprint("p", n%50), token.Instant(1000+n)), f.Find(hashOf(n/3))); err != nil {
			t.Fatal(err)
		}
	}
	want := rows(t, f.Freeze())
	z := f.Freeze()
	var wg sync.WaitGroup
	images := make([][]TokenRow, 2)
	for i := range images {
		wg.Go(func() {
			for range 3 {
				images[i] = nil
				z.Tokens(func(r TokenRow) error { images[i] = append(images[i], r); return nil })
			}
		})
	}
	for n := range 5000 {
		if r := f.Find(hashOf(n)); f.Alive(r, 1) {
			f.Renew(r, token.Instant(9000-n), 1, 1)
			f.Charge(r)
		}
		if n%100 == 0 {
			f.RevokeOrphan(f.Find(hashOf(n + 1)))
			f.RevokePrefix(fmt.Sprint("p", n/100))
			f.Reclaim(200)
			f.Freeze()
		}
		f.Insert(plain(10000+n, "q", 0), 0)
	}
	wg.Wait()
	for _, got := range images {
		sameRows(t, "image", got, want)
	}
	check(t, f)
}

func TestTokensStopsAtAnError(t *testing.T) {
	t.Parallel()
	g := plant(t, family...)
	want, n := fmt.Errorf("disk full"), 0
	if err := g.Freeze().Tokens(func(TokenRow) error { n++; return want }); err != want || n != 1 {
		t.Errorf("Tokens = %v after %d rows", err, n)
	}
}
