package fsm

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// lender enables a mount of a lease engine.
func (b *bench) lender(path string) mount.Mount {
	b.Helper()
	b.next++
	mt := mount.Mount{Path: path, Type: "webhook", Accessor: fmt.Sprintf("webhook_%d", b.next), UUID: fmt.Sprintf("uuid-%d", b.next)}
	b.ok(&EnableMount{Caller: b.as(b.root), Mount: mt})
	return mt
}

func (b *bench) draft(mt mount.Mount, owner token.Hash, name, resource string) (Transact, LeaseDraft) {
	step := Transact{Caller: b.as(owner), Mount: mt.Path, UUID: mt.UUID}
	return step, LeaseDraft{ID: mt.Path + name, TTL: time.Hour, MaxTTL: 2 * time.Hour, Renewable: true, Resource: resource, Data: []byte("sealed")}
}

// lends makes a lease in one step, and returns its ID.
func (b *bench) lends(mt mount.Mount, owner token.Hash, name, resource string) string {
	b.Helper()
	step, d := b.draft(mt, owner, name, resource)
	b.ok(&IssueLease{Step: step, Draft: d})
	return d.ID
}

// lendsMany makes leases in one entry.
func (b *bench) lendsMany(mt mount.Mount, owner token.Hash, names ...string) (ids []string) {
	b.Helper()
	var g Group
	for _, name := range names {
		step, d := b.draft(mt, owner, name, "")
		k, body, err := EncodeCommand(&IssueLease{Step: step, Draft: d})
		if err != nil {
			b.Fatal(err)
		}
		g.Items = append(g.Items, Item{Kind: k, Body: body})
		ids = append(ids, d.ID)
	}
	b.index++
	if _, err := b.m.Apply(b.index, AppendEntry(nil, Entry{At: b.at, Groups: []Group{g}})); err != nil {
		b.Fatal(err)
	}
	b.lent(true, ids...)
	return ids
}

// begins makes an intent, and returns its ID.
func (b *bench) begins(mt mount.Mount, owner token.Hash, name string) string {
	b.Helper()
	step, d := b.draft(mt, owner, name, "")
	b.ok(&BeginLease{Step: step, Draft: d})
	return d.ID
}

func anyLease(*lease.Lease) bool { return true }

func (b *bench) lent(alive bool, ids ...string) {
	b.Helper()
	for _, id := range ids {
		if _, ok := b.m.Lease(id, b.at); ok != alive {
			b.Errorf("lease %s alive %v, want %v", id, ok, alive)
		}
	}
}

// due wants these revocations to be due now, in this order.
func (b *bench) due(want ...string) {
	b.Helper()
	if got := b.queued(); !slices.Equal(got, want) {
		b.Errorf("due are %q, want %q", got, want)
	}
}

// queued are the revocations that are due now, in their order.
func (b *bench) queued() (ids []string) {
	b.m.DueRevocations(b.at, func(r Revocation) bool {
		ids = append(ids, r.ID)
		return true
	})
	return ids
}

func (b *bench) finish(id string) {
	b.Helper()
	r, ok := b.m.Revocation(id)
	if !ok {
		b.Fatalf("no revocation of %s", id)
	}
	b.ok(&FinishRevocation{ID: id, Turn: r.Revocation.Turn})
}

// fails notes a failed attempt, after which the next is due in a minute.
func (b *bench) fails(id string, park bool) {
	b.Helper()
	r, ok := b.m.Revocation(id)
	if !ok {
		b.Fatalf("no revocation of %s", id)
	}
	v := r.Revocation
	b.ok(&FailRevocation{ID: id, Turn: v.Turn, Attempts: v.Attempts, Error: "down", Wait: time.Minute, Park: park})
}

// restored goes on with a machine made of a snapshot's rows.
func (b *bench) restored() {
	b.Helper()
	r := NewRestorer()
	if err := b.m.Freeze().Encoded(r.Add); err != nil {
		b.Fatal(err)
	}
	m, err := r.Finish()
	if err != nil {
		b.Fatal(err)
	}
	b.m = m
}

// TestLeaseDiesWithItsToken: whatever kills a token, its lease is dead in the same step, and is in the queue. Check, which runs
// after each step, finds what is in neither place.
func TestLeaseDiesWithItsToken(t *testing.T) {
	for name, kill := range map[string]func(b *bench, parent, h token.Hash){
		"revoked": func(b *bench, _, h token.Hash) { b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}}) },
		"with its tree": func(b *bench, parent, _ token.Hash) {
			b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: parent}})
		},
		"alone": func(b *bench, _, h token.Hash) { b.ok(&RevokeOrphan{Caller: b.as(b.root), Target: Target{Token: h}}) },
		"by path": func(b *bench, _, _ token.Hash) {
			b.ok(&RevokePrefix{Caller: b.as(b.root), Prefix: "auth/token/create"})
		},
		"by time": func(b *bench, _, h token.Hash) {
			b.at = b.at.Add(50 * time.Minute)
			b.lent(false, "hook/leases/1")
			if n := b.m.CountRevocations(b.at).Pending; n != 1 {
				b.Errorf("%d revocations before the sweep, want 1", n)
			}
			b.ok(&ExpireTokens{Limit: 10})
		},
		"used up": func(b *bench, _, h token.Hash) {
			b.ok(&UseToken{Caller: b.as(h)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			mt := b.lender("hook/")
			parent := b.token(b.root, nil)
			h := b.token(parent, func(r *token.Record) { r.NumUses, r.TTL = 2, 50*time.Minute })
			other := b.token(b.root, func(r *token.Record) { r.Path = "auth/token/create-orphan" })
			id, kept := b.lends(mt, h, "leases/1", ""), b.lends(mt, other, "leases/2", "")
			b.lent(true, id, kept)
			kill(b, parent, h)
			b.want(false, h)
			b.lent(false, id)
			b.lent(true, kept)
			b.ok(&Tick{})
			b.due(id)
			b.restored()
			b.due(id)
			b.finish(id)
			b.due()
			b.lent(true, kept)
		})
	}
}

// TestHashThatIsTakenAgainInheritsNoLease: the new token is another one.
func TestHashThatIsTakenAgainInheritsNoLease(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	h := b.token(b.root, nil)
	id := b.lends(mt, h, "leases/1", "")
	intent := b.begins(mt, h, "leases/2")
	b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}})
	c := b.newToken(b.root, func(r *token.Record) { r.Hash = h })
	b.ok(c)
	b.want(true, h)
	b.lent(false, id)
	b.refused(Invalid, "revoked meanwhile", &CommitLease{Caller: b.as(h), ID: intent})
	b.lent(false, intent)
	b.due(id, intent)
	b.lent(true, b.lends(mt, h, "leases/3", ""))
}

// TestIntent: what may be being made now is not taken back before its maker is through with it.
func TestIntent(t *testing.T) {
	kill := func(b *bench, h token.Hash) {
		b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}})
		b.ok(&Tick{})
		b.due()
	}
	for name, c := range map[string]struct {
		then func(b *bench, h token.Hash, id string)
		due  bool
	}{
		"committed":             {func(b *bench, h token.Hash, id string) { b.ok(&CommitLease{Caller: b.as(h), ID: id}); b.lent(true, id) }, false},
		"abandoned":             {func(b *bench, _ token.Hash, id string) { b.ok(&AbandonLease{ID: id}); b.ok(&AbandonLease{ID: id}) }, true},
		"forgotten":             {func(b *bench, _ token.Hash, id string) { b.at = b.at.Add(lease.IntentLife); b.ok(&Tick{}) }, true},
		"not forgotten yet":     {func(b *bench, _ token.Hash, id string) { b.at = b.at.Add(lease.IntentLife - 1); b.ok(&Tick{}) }, false},
		"token dead, abandoned": {func(b *bench, h token.Hash, id string) { kill(b, h); b.ok(&AbandonLease{ID: id}) }, true},
		"token dead, forgotten": {func(b *bench, h token.Hash, id string) {
			kill(b, h)
			b.restored()
			b.at = b.at.Add(lease.IntentLife)
			b.ok(&Tick{})
		}, true},
		"token dead, committed": {func(b *bench, h token.Hash, id string) {
			kill(b, h)
			b.refused(Forbidden, "permission denied", &CommitLease{Caller: b.as(h), ID: id})
			b.due() // the edge abandons it now, or it is forgotten
			b.ok(&AbandonLease{ID: id})
		}, true},
		"prefix revoked": {func(b *bench, h token.Hash, id string) {
			b.ok(&RevokePrefix{Caller: b.as(b.root), Prefix: "hook/leases"})
			b.due()
			b.refused(Invalid, "revoked meanwhile", &CommitLease{Caller: b.as(h), ID: id})
		}, true},
		"mount disabled": {func(b *bench, h token.Hash, id string) {
			b.ok(&DisableMount{Caller: b.as(b.root), Path: "hook/"})
			b.due()
			b.refused(Invalid, "revoked meanwhile", &CommitLease{Caller: b.as(h), ID: id})
		}, true},
		"another's": {func(b *bench, h token.Hash, id string) {
			b.refused(Invalid, "revoked meanwhile", &CommitLease{Caller: b.as(b.root), ID: id})
		}, true},
		"committed, then abandoned": {func(b *bench, h token.Hash, id string) {
			b.ok(&CommitLease{Caller: b.as(h), ID: id})
			b.ok(&AbandonLease{ID: id})
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			mt := b.lender("hook/")
			h := b.token(b.root, nil)
			id := b.begins(mt, h, "leases/1")
			b.lent(false, id)
			b.due()
			b.restored()
			c.then(b, h, id)
			b.restored()
			if c.due {
				b.lent(false, id)
				b.due(id)
			} else {
				b.due()
			}
		})
	}
}

// TestCommitHoldsWhateverWasChanged: what was begun in time is ended, at whatever epoch.
func TestCommitHoldsWhateverWasChanged(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	h := b.token(b.root, nil)
	commit := &CommitLease{Caller: b.as(h), ID: b.begins(mt, h, "leases/1")}
	b.ok(&PutPolicy{Caller: b.as(b.root), Policy: policy.Policy{Name: policy.Default, Text: "x"}})
	step, d := b.draft(mt, h, "leases/2", "")
	step.Caller.Epoch--
	b.stale(&BeginLease{Step: step, Draft: d})
	b.stale(&IssueLease{Step: step, Draft: d})
	b.ok(commit)
	b.lent(true, commit.ID)
}

func TestLimitedTokenPaysOnceForALease(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	h := b.token(b.root, func(r *token.Record) { r.NumUses = 3 })
	id := b.begins(mt, h, "leases/1")
	if rec, _ := b.m.Lookup(h, b.at); rec.UsesLeft != 3 {
		t.Errorf("an intent left %d uses, want 3", rec.UsesLeft)
	}
	if r := b.ok(&CommitLease{Caller: b.as(h), ID: id}); r.Caller == nil || r.Caller.UsesLeft != 2 {
		t.Errorf("the commit charged %+v, want 2 uses left", r.Caller)
	}
	second := b.begins(mt, h, "leases/2")
	b.ok(&UseToken{Caller: b.as(h)})
	step, d := b.draft(mt, h, "leases/3", "")
	b.refused(Invalid, "one use left", &BeginLease{Step: step, Draft: d})
	b.refused(Invalid, "one use left", &CommitLease{Caller: b.as(h), ID: second})
	b.want(false, h)
	b.due(second, id)

	h = b.token(b.root, func(r *token.Record) { r.NumUses = 1 })
	step, d = b.draft(mt, h, "leases/4", "")
	b.refused(Invalid, "one use left", &IssueLease{Step: step, Draft: d})
	b.want(false, h)
}

func TestLeaseRefusals(t *testing.T) {
	b := newBench(t)
	mt, auth := b.lender("hook/"), b.mounted("ci")
	id := b.lends(mt, b.root, "leases/1", "")
	for name, c := range map[string]struct {
		text   string
		change func(*Transact, *LeaseDraft)
	}{
		"no caller":     {"that of a token", func(s *Transact, _ *LeaseDraft) { s.Caller.Token = token.Hash{} }},
		"an ID twice":   {"another lease has this ID", func(_ *Transact, d *LeaseDraft) { d.ID = id }},
		"elsewhere":     {"below its mount", func(_ *Transact, d *LeaseDraft) { d.ID = "other/x" }},
		"no name":       {"a lease needs an ID", func(_ *Transact, d *LeaseDraft) { d.ID = "hook/" }},
		"no TTL":        {"a lease of 0s", func(_ *Transact, d *LeaseDraft) { d.TTL = 0 }},
		"TTL over max":  {"at most", func(_ *Transact, d *LeaseDraft) { d.MaxTTL = time.Second }},
		"much data":     {"has its bounds", func(_ *Transact, d *LeaseDraft) { d.Data = make([]byte, lease.MaxData+1) }},
		"NUL":           {"has its bounds", func(_ *Transact, d *LeaseDraft) { d.Resource = "a\x00b" }},
		"another thing": {"one effect", func(s *Transact, _ *LeaseDraft) { s.Login = &Login{} }},
		"of a login method": {"below its mount", func(s *Transact, d *LeaseDraft) {
			s.Mount, s.UUID, d.ID = auth.Path, auth.UUID, auth.Path+"x"
		}},
	} {
		t.Run(name, func(t *testing.T) {
			b.T = t
			step, d := b.draft(mt, b.root, "leases/x", "")
			c.change(&step, &d)
			b.refused(Invalid, c.text, &IssueLease{Step: step, Draft: d})
		})
	}
	b.T = t
	step, d := b.draft(mt, b.root, "leases/x", "")
	step.UUID = "other"
	b.stale(&BeginLease{Step: step, Draft: d})
	step, d = b.draft(mt, b.root, "leases/x", "")
	step.Reads = []Read{{Key: "config", Version: 7}}
	b.stale(&IssueLease{Step: step, Draft: d})
	step.Reads = nil
	step.Writes = []Write{put("a", "1"), put("bad//key", "")}
	b.refused(Invalid, "empty segment", &IssueLease{Step: step, Draft: d})
	step.Writes = step.Writes[:1]
	b.ok(&IssueLease{Step: step, Draft: d})
	b.stored(mt, "a=1")
}

func TestLeaseExpiresAndIsRenewed(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	id, fixed := b.lends(mt, b.root, "leases/1", ""), b.lends(mt, b.root, "leases/2", "")
	start := b.at
	renew := func(id string, ttl time.Duration) *RenewLease {
		step, _ := b.draft(mt, b.root, "", "")
		return &RenewLease{Step: step, ID: id, Expires: b.at.Add(ttl), MaxTTL: 3 * time.Hour}
	}
	b.at = b.at.Add(59 * time.Minute)
	if r := b.ok(renew(id, 30*time.Minute)); r.Granted != 30*time.Minute {
		t.Errorf("granted %s", r.Granted)
	}
	if r := b.ok(renew(id, 5*time.Hour)); r.Granted != 61*time.Minute {
		t.Errorf("granted %s, want what the lease's maximum leaves", r.Granted)
	}
	b.refused(Invalid, "lease not found", renew("hook/leases/3", time.Minute))
	b.at = start.Add(time.Hour)
	b.lent(false, fixed)
	b.lent(true, id)
	if got := b.m.CountRevocations(b.at); got.Pending != 1 {
		t.Errorf("%d revocations before the sweep, want 1", got.Pending)
	}
	b.refused(Invalid, "lease not found", renew(fixed, time.Minute))
	b.due(fixed)
	b.at = start.Add(2*time.Hour - 1)
	b.refused(Invalid, "past the max TTL", renew(id, 0))
	b.lent(true, id)
	b.at++
	b.ok(&Tick{})
	b.due(fixed, id)
}
