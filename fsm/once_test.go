package fsm

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/answer"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// once wraps c under key n; its request is n's, too.
func (b *bench) once(n byte, c Command) *Once { return b.onceAs(n, n, c) }

func (b *bench) onceAs(key, request byte, c Command) *Once {
	b.Helper()
	o, err := NewOnce(answer.Key{key}, answer.Digest{request}, []byte{key, 0x77}, c)
	if err != nil {
		b.Fatal(err)
	}
	return o
}

// answered checks that what caller asked under key n was answered r.
func (b *bench) answered(caller token.Hash, n byte, r Result) {
	b.Helper()
	a, ok := b.m.Answer(caller, answer.Key{n}, b.at)
	if !ok || !reflect.DeepEqual(a.Result, r) || a.Request != (answer.Digest{n}) || string(a.Memo) != string([]byte{n, 0x77}) {
		b.Errorf("key %d: %v %+v, want %+v", n, ok, a, r)
	}
}

func (b *bench) silent(caller token.Hash, n byte) {
	b.Helper()
	if a, ok := b.m.Answer(caller, answer.Key{n}, b.at); ok {
		b.Errorf("key %d is answered %+v, want nothing", n, a)
	}
}

func (b *bench) count() uint64 { return b.m.TokenCount(b.at) }

func TestOnceHappensOnce(t *testing.T) {
	b := newBench(t)
	first := b.ok(b.once(1, b.newToken(b.root, nil)))
	n := b.count()
	b.answered(b.root, 1, first)
	b.refused(Replayed, "", b.once(1, b.newToken(b.root, nil))) // another edge minted another ID
	b.refused(KeyReused, "another request", b.onceAs(1, 2, b.newToken(b.root, nil)))
	if b.count() != n {
		t.Errorf("%d tokens after sending it again, want %d", b.count(), n)
	}
	b.ok(b.once(2, b.newToken(b.root, nil)))
	other := b.token(b.root, nil)
	b.ok(b.once(1, &RenewToken{Caller: b.as(other), Target: Target{Token: other}, DefaultTTL: time.Hour, MaxTTL: 2 * time.Hour}))
	if got := b.count(); got != n+2 {
		t.Errorf("%d tokens, want %d: keys of other callers are other keys", got, n+2)
	}
}

func TestOnceRemembersRefusals(t *testing.T) {
	b := newBench(t)
	r := b.do(b.once(1, &RevokeOrphan{Caller: b.as(b.root), Target: Target{Token: token.Hash{9}}}))
	if r.Code != NotFound {
		t.Fatalf("%+v", r)
	}
	b.answered(b.root, 1, r)
	b.refused(Replayed, "", b.once(1, &RevokeOrphan{Caller: b.as(b.root), Target: Target{Token: token.Hash{9}}}))
	stale := b.once(2, &CreateToken{Caller: Caller{Token: b.root, Epoch: 99}})
	if r := b.do(stale); !r.Stale {
		t.Fatalf("%+v", r)
	}
	b.silent(b.root, 2)
	b.refused(Forbidden, "", b.once(3, &UseToken{Caller: Caller{Token: token.Hash{8}}}))
	b.silent(token.Hash{8}, 3)
}

func TestOnceChargesOnce(t *testing.T) {
	b := newBench(t)
	h := b.token(b.root, func(r *token.Record) { r.NumUses = 2 })
	use := &UseToken{Caller: b.as(h)}
	first := b.ok(b.once(1, use))
	b.refused(Replayed, "", b.once(1, use))
	if rec, _ := b.m.Lookup(h, b.at); rec.UsesLeft != 1 {
		t.Fatalf("%d uses left, want 1", rec.UsesLeft)
	}
	last := b.ok(b.once(2, use))
	if last.Caller == nil || last.Caller.UsesLeft != 0 {
		t.Fatalf("%+v", last)
	}
	// The token is dead, and all that it was answered is still given.
	b.answered(h, 1, first)
	b.answered(h, 2, last)
	b.refused(Replayed, "", b.once(2, use))
	b.refused(Forbidden, "", b.once(3, use))
	b.refused(Forbidden, "", use)
}

// used makes a limited child of parent that has used itself up with key 1.
func (b *bench) used(parent token.Hash) (token.Hash, token.Accessor) {
	b.Helper()
	rec := b.ok(b.newToken(parent, func(r *token.Record) { r.NumUses = 1 })).Token
	last := b.ok(b.once(1, &UseToken{Caller: b.as(rec.Hash)}))
	b.answered(rec.Hash, 1, last)
	return rec.Hash, rec.Accessor
}

// TestUsedUpIsStillRevoked: what would have killed a token that has used itself up silences it (P3).
func TestUsedUpIsStillRevoked(t *testing.T) {
	for name, kill := range map[string]func(b *bench, h, parent token.Hash, a token.Accessor){
		"by hash": func(b *bench, h, _ token.Hash, _ token.Accessor) {
			b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}})
		},
		"by accessor": func(b *bench, _, _ token.Hash, a token.Accessor) {
			b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Accessor: a}})
		},
		"its parent": func(b *bench, _, p token.Hash, _ token.Accessor) {
			b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: p}})
		},
		"its path": func(b *bench, _, _ token.Hash, _ token.Accessor) {
			b.ok(&RevokePrefix{Caller: b.as(b.root), Prefix: "auth/token/"})
		},
		"deadline": func(b *bench, _, _ token.Hash, _ token.Accessor) { b.at = b.at.Add(time.Hour) },
		"a day":    func(b *bench, _, _ token.Hash, _ token.Accessor) { b.at = b.at.Add(answer.Lifetime) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			parent := b.token(b.root, func(r *token.Record) { r.TTL = 48 * time.Hour })
			h, a := b.used(parent)
			kill(b, h, parent, a)
			b.silent(h, 1)
			b.refused(Forbidden, "", b.once(1, &UseToken{Caller: b.as(h)}))
		})
	}
}

// TestRevokingOneself: the answer to a request that ended its caller is given again, and no other.
func TestRevokingOneself(t *testing.T) {
	b := newBench(t)
	parent := b.token(b.root, nil)
	h := b.token(parent, nil)
	b.ok(b.once(1, b.newToken(h, nil)))
	r := b.ok(b.once(2, &RevokeToken{Caller: b.as(h), Target: Target{Token: parent}}))
	b.answered(h, 2, r)
	b.silent(h, 1)
	b.refused(Replayed, "", b.once(2, &RevokeToken{Caller: b.as(h), Target: Target{Token: parent}}))
	b.refused(Forbidden, "", b.once(3, b.newToken(h, nil)))
	b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}})
	b.answered(h, 2, r) // that it revoked itself is no secret
}

// TestAnswersDieWithTheirCaller: neither does a later token of the same ID inherit them.
func TestAnswersDieWithTheirCaller(t *testing.T) {
	b := newBench(t)
	for name, kill := range map[string]func(h token.Hash){
		"revoked": func(h token.Hash) { b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}}) },
		"expired": func(token.Hash) { b.at = b.at.Add(time.Hour); b.ok(&ExpireTokens{Limit: 100}) },
		"used up": func(h token.Hash) { b.ok(&UseToken{Caller: b.as(h)}) },
	} {
		c := b.newToken(b.root, func(r *token.Record) { r.NumUses = 2 })
		h := b.ok(c).Token.Hash
		b.ok(b.once(1, &UseToken{Caller: b.as(h)}))
		kill(h)
		if name != "used up" {
			b.silent(h, 1)
			b.ok(&Tick{})
			if n, bytes := b.m.Answers(); n != 0 || bytes != 0 {
				t.Errorf("%s: %d answers of %d bytes are left", name, n, bytes)
			}
		}
		again := *c
		again.Token.Accessor += "-again"
		b.ok(&again)
		b.silent(h, 1)
		b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}})
		b.ok(&Tick{})
		b.silent(h, 1)
	}
}

func TestOnceIsBounded(t *testing.T) {
	b := newBench(t)
	h := b.token(b.root, func(r *token.Record) { r.NumUses = answer.MaxKeys + 5; r.TTL = 100 * time.Hour })
	entry := Entry{At: b.at}
	for i := range answer.MaxKeys {
		o, err := NewOnce(answer.Key{byte(i), byte(i >> 8), 1}, answer.Digest{}, nil, &UseToken{Caller: b.as(h)})
		if err != nil {
			t.Fatal(err)
		}
		k, body, err := EncodeCommand(o)
		if err != nil {
			t.Fatal(err)
		}
		entry.Groups = append(entry.Groups, Group{Items: []Item{{Kind: k, Body: body}}})
	}
	b.index++
	if _, err := b.m.Apply(b.index, AppendEntry(nil, entry)); err != nil {
		t.Fatal(err)
	}
	b.refused(TooMany, fmt.Sprintf("%d idempotency keys", answer.MaxKeys), b.once(7, &UseToken{Caller: b.as(h)}))
	if rec, _ := b.m.Lookup(h, b.at); rec.UsesLeft != 5 {
		t.Errorf("%d uses left, want 5: a refusal for want of room charges nothing", rec.UsesLeft)
	}
	b.ok(b.once(7, b.newToken(b.root, nil)))
	b.at = b.at.Add(answer.Lifetime)
	b.ok(&Tick{})
	if n, bytes := b.m.Answers(); n != 0 || bytes != 0 {
		t.Errorf("%d answers of %d bytes after a day", n, bytes)
	}
	b.ok(b.once(7, &UseToken{Caller: b.as(h)}))
}

// TestOnceKnowsMissingPolicies: what the memo says of the policies of a new token holds when it is made.
func TestOnceKnowsMissingPolicies(t *testing.T) {
	b := newBench(t)
	c := b.newToken(b.root, func(r *token.Record) { r.Policies = []string{"new"} })
	b.ok(&PutPolicy{Caller: b.as(b.root), Policy: policy.Policy{Name: "new"}})
	if r := b.do(b.once(1, c)); !r.Stale {
		t.Errorf("%+v, want stale", r)
	}
	c.Caller = b.as(b.root)
	b.ok(b.once(1, c))
}
