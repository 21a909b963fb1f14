package fsm

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

// keep writes an entry of a token that lives.
func (b *bench) keep(h token.Hash, path, value string) {
	b.Helper()
	held, _ := b.m.Cubbyhole(h, b.at)
	b.ok(&WriteCubbyhole{Caller: b.as(h), Path: path, Value: []byte(value), Replaces: held.Find(path).Version != 0})
}

func (b *bench) kept(h token.Hash, want ...string) {
	b.Helper()
	held, alive := b.m.Cubbyhole(h, b.at)
	var got []string
	held.Walk("", func(key string, e storage.Entry) bool {
		got = append(got, key+"="+string(e.Value))
		return true
	})
	if !alive || strings.Join(got, " ") != strings.Join(want, " ") {
		b.Errorf("token %s… alive %v keeps %q, want %q", h.String()[:4], alive, got, want)
	}
}

func (b *bench) cubbyholes(want int) {
	b.Helper()
	if n, _ := b.m.Cubbyholes(); n != want {
		b.Errorf("%d cubbyholes, want %d", n, want)
	}
}

func TestCubbyholeIsTheTokensOwn(t *testing.T) {
	b := newBench(t)
	one, two := b.token(b.root, nil), b.token(b.root, nil)
	b.keep(one, "a", "1")
	b.keep(one, "d/e", "2")
	b.keep(one, "a", "3")
	b.kept(one, "a=3", "d/e=2")
	b.kept(two)
	b.kept(b.root)
	b.ok(&DeleteCubbyhole{Caller: b.as(two), Path: "a"})
	b.ok(&DeleteCubbyhole{Caller: b.as(one), Path: "none"})
	b.kept(one, "a=3", "d/e=2")
	b.ok(&DeleteCubbyhole{Caller: b.as(one), Path: "a"})
	b.kept(one, "d/e=2")
	b.ok(&DeleteCubbyhole{Caller: b.as(one), Path: "d/e"})
	b.cubbyholes(0)
}

// TestCubbyholeDiesWithItsToken: whatever kills a token, nobody finds its cubbyhole afterwards, and it is gone when the
// token is. Check, which runs after each step, finds one without a token.
func TestCubbyholeDiesWithItsToken(t *testing.T) {
	for name, kill := range map[string]func(b *bench, parent, h token.Hash){
		"revoked": func(b *bench, _, h token.Hash) { b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}}) },
		"with its tree": func(b *bench, parent, _ token.Hash) {
			b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: parent}})
		},
		"made orphan's": func(b *bench, _, h token.Hash) { b.ok(&RevokeOrphan{Caller: b.as(b.root), Target: Target{Token: h}}) },
		"by path": func(b *bench, _, _ token.Hash) {
			b.ok(&RevokePrefix{Caller: b.as(b.root), Prefix: "auth/token/create"})
		},
		"by time": func(b *bench, _, h token.Hash) {
			b.at = b.at.Add(2 * time.Hour)
			if _, alive := b.m.Cubbyhole(h, b.at); alive {
				b.Error("the cubbyhole of a token past its deadline is found before the token is swept")
			}
			b.ok(&ExpireTokens{Limit: 10})
		},
		"used up": func(b *bench, _, h token.Hash) {
			rec, _ := b.m.Lookup(h, b.at)
			for range rec.UsesLeft {
				b.ok(&UseToken{Caller: b.as(h)})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			parent := b.token(b.root, func(r *token.Record) { r.Path = "auth/token/create" })
			h := b.token(parent, func(r *token.Record) { r.NumUses = 3 })
			b.keep(h, "a", "1")
			kill(b, parent, h)
			if held, alive := b.m.Cubbyhole(h, b.at); alive || held.Len() > 0 {
				t.Errorf("alive %v, %d entries", alive, held.Len())
			}
			b.ok(&Tick{})
			b.cubbyholes(0)
			again := b.newToken(b.root, func(r *token.Record) { r.Hash = h })
			b.ok(again)
			b.kept(h)
		})
	}
}

func TestCubbyholeRefusals(t *testing.T) {
	b := newBench(t)
	h := b.token(b.root, nil)
	for path, text := range map[string]string{"": "1 to 1024 bytes", "/a": "no empty segment", "a/": "no empty segment", "a//b": "no empty segment", strings.Repeat("a", 1025): "1 to 1024 bytes"} {
		b.refused(Invalid, text, &WriteCubbyhole{Caller: b.as(h), Path: path, Value: []byte("x")})
	}
	b.refused(Invalid, "at most 4194304 bytes", &WriteCubbyhole{Caller: b.as(h), Path: "a", Value: make([]byte, MaxCubbyholeBytes)})
	b.refused(Invalid, "that of a token", &WriteCubbyhole{Path: "a", Value: []byte("x")})
	b.refused(Forbidden, "denied", &WriteCubbyhole{Caller: b.as(token.Hash{0x77}), Path: "a", Value: []byte("x")})
	b.stale(&WriteCubbyhole{Caller: b.as(h), Path: "a", Value: []byte("x"), Replaces: true})
	b.keep(h, "a", "1")
	b.stale(&WriteCubbyhole{Caller: b.as(h), Path: "a", Value: []byte("x")})
	b.kept(h, "a=1")
}

func TestCubbyholeBounds(t *testing.T) {
	b := newBench(t)
	h := b.token(b.root, nil)
	var held storage.Store
	for i := range MaxCubbyholeEntries {
		held = held.Put(fmt.Sprint("k", i), storage.Entry{Value: []byte("v"), Version: 1})
	}
	b.m.cubbyholes.held = b.m.cubbyholes.held.With(h, held)
	b.refused(Invalid, "at most 1024 entries", &WriteCubbyhole{Caller: b.as(h), Path: "one-more", Value: []byte("x")})
	b.keep(h, "k7", "replaced")
	b.ok(&DeleteCubbyhole{Caller: b.as(h), Path: "k7"})
	b.ok(&DeleteCubbyhole{Caller: b.as(h), Path: "k8"})
	b.keep(h, "one-more", "x")

	// What all may have is reached: what makes it smaller is still taken.
	large := bytes.Repeat([]byte("v"), MaxCubbyholeBytes-10)
	for i := 0; !b.m.CubbyholesFull(); i++ {
		other := b.token(b.root, func(r *token.Record) { r.Accessor = token.Accessor(fmt.Sprint("x", i)) })
		b.m.cubbyholes.held = b.m.cubbyholes.held.With(other, storage.Store{}.Put("k", storage.Entry{Value: large, Version: 1}))
	}
	r := b.do(&WriteCubbyhole{Caller: b.as(h), Path: "two-more", Value: []byte("x")})
	if r.Code != Unavailable || !strings.Contains(r.Message, "512 MiB") {
		t.Errorf("code %d %q, want unavailable", r.Code, r.Message)
	}
	b.keep(h, "one-more", "y")
	b.ok(&DeleteCubbyhole{Caller: b.as(h), Path: "one-more"})
}

// TestFrozenCubbyholes: an image stays what it was, and restores to the same.
func TestFrozenCubbyholes(t *testing.T) {
	b := newBench(t)
	h := b.token(b.root, nil)
	b.keep(h, "a", "1")
	frozen := b.m.Freeze()
	b.keep(h, "a", "2")
	b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}})
	r := NewRestorer()
	if err := frozen.Encoded(r.Add); err != nil {
		t.Fatal(err)
	}
	m, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	b.m = m
	b.kept(h, "a=1")
}
