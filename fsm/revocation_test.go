package fsm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/lease"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/token"
)

// TestLine: of one resource one is due at a time, in the order of deaths; others do not wait for it.
func TestLine(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	var ids []string
	for i := range 4 {
		ids = append(ids, b.lends(mt, b.root, fmt.Sprint("leases/", i), "r"))
	}
	alone := b.lends(mt, b.root, "leases/x", "s")
	for _, i := range []int{2, 0, 3} {
		b.ok(&RevokeLease{Caller: b.as(b.root), ID: ids[i]})
	}
	b.ok(&RevokeLease{Caller: b.as(b.root), ID: alone})
	b.due(ids[2], alone)
	b.restored()
	b.due(ids[2], alone)
	b.fails(ids[2], false)
	b.due(alone) // the head waits, and so do those behind it
	b.at = b.at.Add(time.Minute)
	b.due(alone, ids[2])
	b.fails(ids[2], true) // parked: out of the line
	b.due(ids[0], alone)
	b.restored()
	b.due(ids[0], alone)
	b.ok(&HastenRevocation{Caller: b.as(b.root), ID: ids[2]})
	b.due(alone, ids[2]) // it is the first again
	b.finish(ids[0])     // whose attempt was under way
	b.finish(ids[2])
	b.due(ids[3], alone)
	b.finish(alone)
	b.finish(ids[3])
	b.due()
	b.lent(true, ids[1])
}

// TestResultsCountOnce: a worker that lost its place may say the same thing again, or late.
func TestResultsCountOnce(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	id := b.lends(mt, b.root, "leases/1", "")
	b.ok(&FinishRevocation{ID: id, Turn: 1}) // it lives
	b.lent(true, id)
	b.ok(&RevokeLease{Caller: b.as(b.root), ID: id})
	r, _ := b.m.Revocation(id)
	turn := r.Revocation.Turn
	fail := &FailRevocation{ID: id, Turn: turn, Error: strings.Repeat("é", lease.MaxError), Wait: time.Minute}
	if b.ok(fail).Count != 1 || b.ok(fail).Count != 0 {
		t.Error("a failure that came twice counted twice, or not at all")
	}
	b.ok(&FinishRevocation{ID: id, Turn: turn + 1})
	r, ok := b.m.Revocation(id)
	if v := r.Revocation; !ok || v.Attempts != 1 || len(v.Error) > lease.MaxError || v.Next != b.at.Add(time.Minute) {
		t.Errorf("after one failure %+v", v)
	}
	if got := b.m.CountRevocations(b.at); got != (lease.Tally{Retrying: 1}) {
		t.Errorf("tally %+v, want one that is retried", got)
	}
	b.ok(&FinishRevocation{ID: id, Turn: turn})
	b.ok(&FinishRevocation{ID: id, Turn: turn})
	b.refused(NotFound, "no revocation", &HastenRevocation{Caller: b.as(b.root), ID: id})
	if got := b.m.CountRevocations(b.at); got != (lease.Tally{}) {
		t.Errorf("tally %+v, want nothing", got)
	}
}

// TestPrefixIsCutAtOnce: what a prefix revokes is dead in one step, however much it is, and becomes revocations
// later. What is lent afterwards lives.
func TestPrefixIsCutAtOnce(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	const n = leaseStep + 300
	var names []string
	for i := range n {
		names = append(names, fmt.Sprintf("a/%04d", i))
	}
	ids := b.lendsMany(mt, b.root, names...)
	other := b.lends(mt, b.root, "ab/1", "")
	b.ok(&RevokePrefix{Caller: b.as(b.root), Prefix: "hook/a/"})
	b.lent(false, ids...)
	if got := b.m.CountRevocations(b.at); got.Pending != n {
		t.Errorf("%d revocations, want %d", got.Pending, n)
	}
	if !b.m.ReclaimPending() {
		t.Error("nothing is left to do after one step")
	}
	late := b.lends(mt, b.root, "a/0000-late", "")
	b.restored()
	b.ok(&Tick{})
	b.lent(true, late, other)
	if got := len(b.queued()); got != n || b.m.ReclaimPending() {
		t.Errorf("%d are due, want %d; more to do: %v", got, n, b.m.ReclaimPending())
	}
	b.ok(&RevokePrefix{Caller: b.as(b.root), Prefix: late})
	b.lent(false, late)
}

// TestForce: what is forced is tried once more, and then forgotten.
func TestForce(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	parked, alive := b.lends(mt, b.root, "leases/1", "r"), b.lends(mt, b.root, "leases/2", "r")
	h := b.token(b.root, func(r *token.Record) { r.Path = "hook/leases/login" })
	b.ok(&RevokeLease{Caller: b.as(b.root), ID: parked})
	b.fails(parked, true)
	b.due()
	b.refused(Invalid, "a prefix is needed", &RevokeForce{Caller: b.as(b.root), Prefix: "/"})
	b.ok(&RevokeForce{Caller: b.as(b.root), Prefix: "hook/leases"})
	b.want(false, h)
	b.lent(false, alive)
	b.due(parked)
	b.fails(parked, true)
	b.due(alive)
	b.fails(alive, false)
	b.due()
	if n := len(b.m.Revocations("", 10, b.at, anyLease)); n != 0 {
		t.Errorf("%d revocations are left", n)
	}
}

// TestDisabledMountKeepsWhatItsRevocationsNeed: configuration stays until the last of them is done.
func TestDisabledMountKeepsWhatItsRevocationsNeed(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	b.ok(b.step(mt, put("config", "secret")))
	one, two := b.lends(mt, b.root, "leases/1", ""), b.lends(mt, b.root, "leases/2", "")
	b.ok(&DisableMount{Caller: b.as(b.root), Path: "hook/"})
	b.lent(false, one, two)
	if _, there := b.m.Mount("hook/"); there {
		t.Error("the mount is still there")
	}
	again := b.lender("hook/")
	b.refused(Invalid, "UUID", &EnableMount{Caller: b.as(b.root), Mount: mount.Mount{Path: "x/", Type: "webhook", UUID: mt.UUID, Accessor: "x"}})
	b.restored()
	b.due(one, two)
	b.stored(mt, "config=secret")
	if r, _ := b.m.Revocation(one); r.Mount.UUID != mt.UUID || r.Mount.Type != "webhook" {
		t.Errorf("revocation of mount %+v", r.Mount)
	}
	b.finish(one)
	b.stored(mt, "config=secret")
	b.ok(&RevokeForce{Caller: b.as(b.root), Prefix: "hook"})
	b.fails(two, true)
	b.stored(mt)
	b.lent(true, b.lends(again, b.root, "leases/1", ""))
}

func TestMovedMountRevokesItsLeases(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	b.ok(b.step(mt, put("config", "secret")))
	id := b.lends(mt, b.root, "leases/1", "")
	b.ok(&MoveMount{Caller: b.as(b.root), From: "hook/", To: "other/"})
	b.lent(false, id)
	b.due(id)
	b.stored(mt, "config=secret")
	mt.Path = "other/"
	b.lent(true, b.lends(mt, b.root, "leases/1", ""))
}

func TestListingLeases(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	h := b.token(b.root, nil)
	for _, name := range []string{"a/1", "a/2", "a/b/3", "c/4"} {
		b.lends(mt, h, name, "")
	}
	b.begins(mt, h, "intent/1")
	dead := b.lends(mt, b.root, "dead/1", "")
	b.ok(&RevokeLease{Caller: b.as(b.root), ID: dead})
	for prefix, want := range map[string]string{"": "auth/ hook/", "hook/": "a/ c/", "hook/a/": "1 2 b/", "hook/a/b/": "3", "hook/dead/": ""} {
		if got := strings.Join(b.m.Leases(prefix, b.at), " "); got != want {
			t.Errorf("below %q: %q, want %q", prefix, got, want)
		}
	}
	if got := b.m.CountLeases(b.at); len(got) != 1 || got["hook/"] != 4 {
		t.Errorf("counts %v, want 4 of hook/", got)
	}
	b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: h}})
	if got := b.m.Leases("hook/", b.at); len(got) != 0 {
		t.Errorf("after the token's death %q", got)
	}
	b.ok(&Tick{})
	rows := b.m.Revocations("hook/a/1", 3, b.at, anyLease)
	var ids []string
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	if got := strings.Join(ids, " "); got != "hook/a/2 hook/a/b/3 hook/c/4" {
		t.Errorf("a page of revocations: %q", got)
	}
}

// TestRestoreTakesBackWhatWasLentSince: an older state knows nothing of it, and nobody else does.
func TestRestoreTakesBackWhatWasLentSince(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	old := b.lends(mt, b.root, "leases/old", "")
	r := NewRestorer()
	if err := b.m.Freeze().Encoded(r.Add); err != nil {
		t.Fatal(err)
	}
	past, err := r.Finish()
	if err != nil {
		t.Fatal(err)
	}
	late := b.lender("late/")
	b.ok(b.step(late, put("config", "secret")))
	one, two, intent := b.lends(mt, b.root, "leases/new", "r"), b.lends(late, b.root, "leases/new", "r"), b.begins(late, b.root, "leases/x")
	past.Adopt(b.m)
	b.m = past
	if err := b.m.Check(); err != nil {
		t.Fatal(err)
	}
	b.lent(true, old)
	b.lent(false, one, two)
	b.due(one, two)
	b.stored(late, "config=secret")
	b.at = b.at.Add(lease.IntentLife)
	b.due(one, two, intent)
	b.restored()
	b.finish(one)
	b.finish(two)
	b.finish(intent)
	b.stored(late)
}

// TestTreeWithLeasesDiesInOneStep: a large tree's leases are dead at once; becoming revocations takes bounded steps.
func TestTreeWithLeasesDiesInOneStep(t *testing.T) {
	b := newBench(t)
	mt := b.lender("hook/")
	parent := b.token(b.root, nil)
	var ids []string
	for i := range 40 {
		h := b.token(parent, nil)
		for j := range 25 {
			ids = append(ids, b.lendsMany(mt, h, fmt.Sprintf("leases/%d-%d", i, j))...)
		}
	}
	b.ok(&RevokeToken{Caller: b.as(b.root), Target: Target{Token: parent}})
	b.lent(false, ids...)
	if n := b.m.CountRevocations(b.at).Pending; n != len(ids) {
		t.Errorf("%d revocations, want %d", n, len(ids))
	}
	if got := len(b.queued()); got != leaseStep {
		t.Errorf("%d are due after one step, want %d", got, leaseStep)
	}
	b.restored()
	b.ok(&Tick{})
	if got := len(b.queued()); got != len(ids) || b.m.ReclaimPending() {
		t.Errorf("%d are due after two steps, want %d", got, len(ids))
	}
}
