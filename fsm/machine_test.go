package fsm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
)

// bench is a machine under test with its own clock and log position.
type bench struct {
	*testing.T
	m     *Machine
	at    token.Instant
	index uint64
	next  byte
	root  token.Hash
}

func newBench(t *testing.T) *bench {
	b := &bench{T: t, m: New(), at: token.InstantOf(time.Unix(1_800_000_000, 0)), root: token.Hash{0xff}}
	b.ok(&Initialize{
		ClusterID: "c", ClusterName: "test",
		Root:     token.Record{Hash: b.root, Accessor: "root", Type: token.Service, Policies: []string{policy.Root}, Path: "auth/token/root"},
		Policies: []policy.Policy{{Name: policy.Default}},
	})
	return b
}

// do applies one command in an entry of its own.
func (b *bench) do(c Command) Result {
	b.Helper()
	k, body, err := EncodeCommand(c)
	if err != nil {
		b.Fatal(err)
	}
	b.index++
	rs, err := b.m.Apply(b.index, AppendEntry(nil, Entry{At: b.at, Groups: []Group{{Items: []Item{{Kind: k, Body: body}}}}}))
	if err != nil {
		b.Fatal(err)
	}
	if err := b.m.Check(); err != nil {
		b.Fatalf("after %T: %v", c, err)
	}
	return rs[0]
}

func (b *bench) ok(c Command) Result {
	b.Helper()
	r := b.do(c)
	if r.Code != 0 || r.Stale {
		b.Fatalf("%T: code %d %s stale %v, want it applied", c, r.Code, r.Message, r.Stale)
	}
	return r
}

func (b *bench) refused(code Code, text string, c Command) {
	b.Helper()
	r := b.do(c)
	if r.Code != code || !strings.Contains(r.Message, text) {
		b.Errorf("%T: code %d %q, want code %d with %q", c, r.Code, r.Message, code, text)
	}
}

func (b *bench) as(h token.Hash) Caller { return Caller{Token: h, Epoch: b.m.Epoch()} }

// token makes a child of parent (zero: a login without parent) and returns its hash.
func (b *bench) token(parent token.Hash, change func(*token.Record)) token.Hash {
	b.Helper()
	return b.ok(b.newToken(parent, change)).Token.Hash
}

func (b *bench) newToken(parent token.Hash, change func(*token.Record)) *CreateToken {
	b.next++
	c := &CreateToken{Token: token.Record{
		Hash: token.Hash{b.next}, Accessor: token.Accessor(rune('A' + b.next)), Type: token.Service,
		Parent: parent, Path: "auth/token/create", TTL: time.Hour, Renewable: true, Policies: []string{"default"},
	}}
	if !parent.IsZero() {
		c.Caller = b.as(parent)
	}
	if change != nil {
		change(&c.Token)
	}
	return c
}

func (b *bench) want(alive bool, hs ...token.Hash) {
	b.Helper()
	for _, h := range hs {
		if _, ok := b.m.Lookup(h, b.at); ok != alive {
			b.Errorf("token %s… alive %v, want %v", h.String()[:4], ok, alive)
		}
	}
}

func TestCreateTokenRefusals(t *testing.T) {
	b := newBench(t)
	limited := b.token(b.root, func(r *token.Record) { r.NumUses = 5 })
	plain := b.token(b.root, func(r *token.Record) { r.Policies = []string{"a", "b"} })
	mortal := b.token(b.root, func(r *token.Record) { r.Policies = []string{policy.Root} })
	tests := []struct {
		name, text string
		parent     token.Hash
		change     func(*token.Record)
	}{
		{"limited parent", "restricted use token cannot generate child tokens", limited, nil},
		{"more than the parent has", "child policies must be subset of parent", plain, func(r *token.Record) { r.Policies = []string{"a", "z"} }},
		{"root from a mortal", "root tokens may not be created", plain, func(r *token.Record) { r.Policies = []string{policy.Root} }},
		{"root from a login", "root tokens may not be created", token.Hash{}, func(r *token.Record) { r.Policies = []string{policy.Root} }},
		{"immortal from an expiring root", "expiring root tokens cannot", mortal, func(r *token.Record) { r.Policies, r.TTL = []string{policy.Root}, 0 }},
		{"immortal without root", "only root tokens may live for ever", b.root, func(r *token.Record) { r.TTL = 0 }},
		{"same hash", "duplicate ID", b.root, func(r *token.Record) { r.Hash = plain }},
		{"another's child", "parent of a token is its creator", b.root, func(r *token.Record) { r.Parent = plain }},
		{"no path", "source path", b.root, func(r *token.Record) { r.Path = "" }},
		{"unsorted policies", "sorted", b.root, func(r *token.Record) { r.Policies = []string{"b", "a"} }},
		{"unknown type", "unknown token type", b.root, func(r *token.Record) { r.Type = 7 }},
		{"negative", "negative", b.root, func(r *token.Record) { r.Period = -1 }},
		{"no accessor", "accessor", b.root, func(r *token.Record) { r.Accessor = "" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { b.refused(Invalid, tt.text, b.newToken(tt.parent, tt.change)) })
	}
	b.refused(Forbidden, "permission denied", b.newToken(token.Hash{0x77}, nil))
	// The refused create of a limited token was charged all the same.
	if rec, _ := b.m.Lookup(limited, b.at); rec.UsesLeft != 4 {
		t.Errorf("uses left %d, want 4", rec.UsesLeft)
	}
}

func TestStaleEpochChargesNothing(t *testing.T) {
	b := newBench(t)
	h := b.token(b.root, func(r *token.Record) { r.NumUses, r.Policies = 2, []string{"default", "p"} })
	old := b.as(h)
	b.ok(&PutPolicy{Caller: b.as(b.root), Policy: policy.Policy{Name: "p"}})
	if r := b.do(&UseToken{Caller: old}); !r.Stale || r.Caller != nil {
		t.Errorf("got %+v, want stale and nothing charged", r)
	}
	if r := b.do(&UseToken{Caller: old, AnyEpoch: true}); r.Stale || r.Caller.UsesLeft != 1 {
		t.Errorf("got %+v, want a denial charged at any epoch", r)
	}
	if r := b.ok(&UseToken{Caller: b.as(h)}); r.Caller.UsesLeft != 0 {
		t.Errorf("uses left %d, want 0", r.Caller.UsesLeft)
	}
	b.want(false, h)
	b.refused(Forbidden, "permission denied", &UseToken{Caller: b.as(h)})
}

func TestRevokeTree(t *testing.T) {
	b := newBench(t)
	rootOf := func(r *token.Record) { r.Policies = []string{policy.Root} }
	a := b.token(b.root, rootOf)
	c := b.token(a, rootOf)
	d := b.token(c, nil)
	o := b.token(c, func(r *token.Record) { r.Parent = token.Hash{} })
	b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: c}})
	b.want(false, c, d)
	b.want(true, a, o)
	if r := b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: c}}); r.Count != 0 {
		t.Errorf("revoked twice: count %d, want 0", r.Count)
	}
	b.refused(NotFound, "token to revoke not found", &RevokeOrphan{Caller: b.as(b.root), Target: Target{Token: d}})
}

func TestRevokeOrphanKeepsChildren(t *testing.T) {
	b := newBench(t)
	a := b.token(b.root, func(r *token.Record) { r.Policies = []string{policy.Root} })
	c := b.token(a, nil)
	b.ok(&RevokeOrphan{Caller: b.as(b.root), Target: Target{Accessor: mustLookup(b, a).Accessor}})
	b.want(false, a)
	if rec := mustLookup(b, c); !rec.Orphan() {
		t.Errorf("child still has parent %s", rec.Parent)
	}
}

func mustLookup(b *bench, h token.Hash) token.Record {
	b.Helper()
	rec, ok := b.m.Lookup(h, b.at)
	if !ok {
		b.Fatalf("token %s is dead", h)
	}
	return rec
}

func TestRevokePrefix(t *testing.T) {
	b := newBench(t)
	at := func(path string) func(*token.Record) { return func(r *token.Record) { r.Path = path } }
	alice, bob := b.token(token.Hash{}, at("auth/ci/login/alice")), b.token(token.Hash{}, at("auth/ci/login/bob"))
	other := b.token(token.Hash{}, at("auth/cix/login"))
	child := b.token(alice, nil)
	b.refused(Invalid, "prefix", &RevokePrefix{Caller: b.as(b.root)})
	b.ok(&RevokePrefix{Caller: b.as(b.root), Prefix: "auth/ci/"})
	b.want(false, alice, bob, child)
	b.want(true, other)
	again := b.token(token.Hash{}, at("auth/ci/login/alice")) // issued afterwards
	b.want(true, again)
	exact := b.token(token.Hash{}, at("auth/ci"))
	b.ok(&RevokePrefix{Caller: b.as(b.root), Prefix: "auth/ci"}) // the path itself too, whole segments only
	b.want(false, again, exact)
	b.want(true, other)
	b.refused(Invalid, "prefix", &RevokePrefix{Caller: b.as(b.root), Prefix: "//"})
}

func TestExpiryTakesTheTreeUnswept(t *testing.T) {
	b := newBench(t)
	p := b.token(b.root, func(r *token.Record) { r.Policies, r.TTL = []string{policy.Root}, time.Minute })
	c := b.token(p, nil)
	b.at = b.at.Add(time.Minute)
	b.want(false, p, c)
	if _, ok := b.m.LookupAccessor(b.m.forest.Record(b.m.forest.Find(c)).Accessor, b.at); ok {
		t.Error("child of an expired token found by accessor")
	}
	b.ok(&ExpireTokens{Limit: 10})
	b.want(false, p, c)
}

func TestDeadHashCanBeUsedAgain(t *testing.T) {
	b := newBench(t)
	h := b.token(b.root, nil)
	b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}})
	b.token(b.root, func(r *token.Record) { r.Hash = h })
	b.at = b.at.Add(2 * time.Hour) // expired, not swept
	b.want(false, h)
	b.token(b.root, func(r *token.Record) { r.Hash = h })
	b.want(true, h)
}

func TestPolicyRefusals(t *testing.T) {
	b := newBench(t)
	root := b.as(b.root)
	b.refused(Invalid, `cannot update "root" policy`, &PutPolicy{Caller: root, Policy: policy.Policy{Name: policy.Root}})
	b.refused(Invalid, `cannot delete "root" policy`, &DeletePolicy{Caller: root, Name: policy.Root})
	b.refused(Invalid, "cannot delete default policy", &DeletePolicy{Caller: root, Name: policy.Default})
	before := b.m.Epoch()
	b.ok(&DeletePolicy{Caller: root, Name: "none"})
	if b.m.Epoch() != before {
		t.Error("deleting a policy that is not there changed the epoch")
	}
	b.refused(Invalid, "already initialized", &Initialize{ClusterID: "x"})
}

func TestSessions(t *testing.T) {
	b := newBench(t)
	id := SessionID{9}
	h := b.token(b.root, func(r *token.Record) { r.NumUses = 3 })
	send := func(low uint64, seqs ...uint64) []Result {
		t.Helper()
		g := Group{Session: id, Low: low}
		for _, s := range seqs {
			k, body, _ := EncodeCommand(&UseToken{Caller: b.as(h)})
			g.Items = append(g.Items, Item{Seq: s, Kind: k, Body: body})
		}
		b.index++
		rs, err := b.m.Apply(b.index, AppendEntry(nil, Entry{At: b.at, Groups: []Group{g}}))
		if err != nil {
			t.Fatal(err)
		}
		return rs
	}
	if r := send(1, 1)[0]; r.Code != NoSession {
		t.Errorf("without a session: code %d, want NoSession", r.Code)
	}
	b.ok(&OpenSession{Session: id, Node: "n"})
	b.refused(Invalid, "zero session", &OpenSession{})
	first := send(1, 1, 2)
	again := send(1, 2, 1)
	if again[0].Caller.UsesLeft != first[1].Caller.UsesLeft || again[1].Caller.UsesLeft != first[0].Caller.UsesLeft {
		t.Errorf("sent again: %+v, want the same answers as %+v", again, first)
	}
	if left := mustLookup(b, h).UsesLeft; left != 1 {
		t.Errorf("uses left %d, want 1", left)
	}
	if r := send(3, 1)[0]; r.Code != Invalid {
		t.Errorf("below the low mark: code %d, want Invalid", r.Code)
	}
	b.at = b.at.Add(SessionIdle)
	b.ok(&OpenSession{Session: SessionID{10}, Node: "n"})
	if r := send(3, 4)[0]; r.Code != NoSession {
		t.Errorf("after a day: code %d, want NoSession", r.Code)
	}
}

func TestOnlyWhatMattersMakesStale(t *testing.T) {
	b := newBench(t)
	h := b.token(b.root, func(r *token.Record) { r.Policies = []string{"p"} })
	old, root := b.as(h), b.as(b.root)
	b.ok(&PutPolicy{Caller: b.as(b.root), Policy: policy.Policy{Name: "other"}})
	b.ok(&PutRole{Caller: b.as(b.root), Role: role.Role{Name: "ci"}})
	b.ok(&UseToken{Caller: old})
	b.ok(&DeletePolicy{Caller: root, Name: "other"})
	if r := b.do(&PutRole{Caller: root, Role: role.Role{Name: "ci"}}); !r.Stale {
		t.Error("a role that was read before another wrote it was overwritten")
	}
	inRole := func(r *token.Record) { r.Role = "ci" }
	create := b.newToken(b.root, inRole)
	create.Caller.Epoch = root.Epoch
	if r := b.do(create); !r.Stale {
		t.Error("a token was made by a role that has changed since")
	}
	b.ok(&PutMount{Caller: b.as(b.root), Mount: mount.Mount{Path: "auth/token/", Type: "token"}})
	create = b.newToken(b.root, nil)
	create.Caller.Epoch = old.Epoch
	if r := b.do(create); !r.Stale {
		t.Error("a token was made with TTLs of a mount that has changed since")
	}
	b.ok(&DeletePolicy{Caller: b.as(b.root), Name: "p"}) // was never there: no change
	b.ok(&UseToken{Caller: old})
	b.ok(&PutPolicy{Caller: b.as(b.root), Policy: policy.Policy{Name: "p"}})
	if r := b.do(&UseToken{Caller: old}); !r.Stale {
		t.Error("one of the caller's policies changed, and it was not noticed")
	}
}

func TestChangesAreBounded(t *testing.T) {
	c := changes{last: map[string]uint64{}}
	for e := uint64(1); e <= 3*maxChanges; e++ {
		c.note(policyKey(fmt.Sprint(e%(maxChanges+100))), e)
	}
	if len(c.last) > maxChanges || len(c.queue) > 2*maxChanges || c.floor == 0 {
		t.Errorf("%d names, %d queued, floor %d", len(c.last), len(c.queue), c.floor)
	}
	for _, r := range c.rows() {
		if r.Epoch <= c.floor {
			t.Fatalf("%+v is remembered below the floor %d", r, c.floor)
		}
	}
}
