package forest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// The differential test runs random operations on a forest, on its twin that was
// restored from rows somewhere on the way, and on the model. All three must agree in what
// they show, and forest and twin in everything, down to the rows.

// pair is a forest and its twin.
type pair struct {
	testing.TB
	rnd   *rand.Rand
	f     *Forest
	twin  *Forest
	model model
	made  int
	image *Frozen    // taken some time ago
	rows  []TokenRow // of image, when it was taken
}

// both fails unless an operation has the same result on forest and twin.
func both[T comparable](p *pair, what string, op func(*Forest) T) T {
	p.Helper()
	a, b := op(p.f), op(p.twin)
	if a != b {
		p.Fatalf("%s: %v, and %v on the twin", what, a, b)
	}
	return a
}

// pick returns a random living token, nil if there is none.
func (p *pair) pick() *modelToken {
	l := p.model.living()
	if len(l) == 0 {
		return nil
	}
	// The youngest are more likely, so that trees become deep.
	return l[max(p.rnd.IntN(len(l)), p.rnd.IntN(len(l)))]
}

func (p *pair) insert() {
	rec := odd(p.rnd, p.made, p.model.now)
	var parent *modelToken
	if p.rnd.IntN(4) > 0 {
		parent = p.pick()
	}
	err := both(p, "Insert", func(f *Forest) error {
		var r Ref
		if parent != nil {
			r = f.Find(parent.rec.Hash)
		}
		_, err := f.Insert(rec, r)
		return err
	})
	if err != nil {
		p.Fatal(err)
	}
	p.made++
	t := &modelToken{rec: *rec, parent: parent}
	if parent != nil {
		t.rec.Parent = parent.rec.Hash
	}
	p.model.tokens = append(p.model.tokens, t)
}

// again tries names that are in use, by the dead or the living.
func (p *pair) again() {
	if len(p.model.tokens) == 0 {
		return
	}
	t := p.model.tokens[p.rnd.IntN(len(p.model.tokens))]
	there := p.f.Find(t.rec.Hash) != 0
	rec := odd(p.rnd, p.made, p.model.now)
	want := ErrDuplicateAccessor
	if p.rnd.IntN(2) == 0 {
		rec.Hash, want = t.rec.Hash, ErrDuplicateHash
	} else {
		rec.Accessor = t.rec.Accessor
	}
	if !there {
		return
	}
	err := both(p, "Insert", func(f *Forest) error { _, err := f.Insert(rec, 0); return err })
	if !errors.Is(err, want) {
		p.Fatalf("Insert of a name in use: %v, want %v", err, want)
	}
	if p.model.alive(t) {
		return
	}
	err = both(p, "Insert", func(f *Forest) error {
		_, err := f.Insert(odd(p.rnd, p.made, p.model.now), f.Find(t.rec.Hash))
		return err
	})
	if !errors.Is(err, ErrDeadParent) {
		p.Fatalf("Insert below a dead token: %v", err)
	}
}

// revoke kills a living token with its tree, or bothers a dead one.
func (p *pair) revoke() {
	t := p.pick()
	if p.rnd.IntN(4) == 0 && len(p.model.tokens) > 0 {
		t = p.model.tokens[p.rnd.IntN(len(p.model.tokens))]
	}
	if t == nil || p.f.Find(t.rec.Hash) == 0 {
		return
	}
	for _, f := range []*Forest{p.f, p.twin} {
		f.Revoke(f.Find(t.rec.Hash))
	}
	t.killed = true
}

func (p *pair) revokeOrphan() {
	t := p.pick()
	if t == nil {
		return
	}
	for _, f := range []*Forest{p.f, p.twin} {
		f.RevokeOrphan(f.Find(t.rec.Hash))
	}
	p.model.orphan(t)
	// On what was revoked already, itself or with an ancestor, it has no effect.
	dead := p.model.tokens[p.rnd.IntN(len(p.model.tokens))]
	if r := p.f.Find(dead.rec.Hash); r != 0 && !p.f.standing(r, 0) {
		p.f.RevokeOrphan(r)
		p.twin.RevokeOrphan(p.twin.Find(dead.rec.Hash))
	}
}

func (p *pair) revokePrefix() {
	prefix := []string{"auth/ci/", "auth/ci", "auth/ci/login/", "auth/ci/login/user-1", "sys/", "nothing", "auth/token/create"}[p.rnd.IntN(7)]
	settled := !p.f.Pending() && !p.f.due.passed(p.model.now)
	got := both(p, "RevokePrefix", func(f *Forest) uint64 { return f.RevokePrefix(prefix) })
	want := p.model.kill(func(t *modelToken) bool { return strings.HasPrefix(t.rec.Path, prefix) })
	if settled && got != uint64(want) {
		p.Fatalf("RevokePrefix(%q) = %d, want %d", prefix, got, want)
	}
}

func (p *pair) renew() {
	t := p.pick()
	if t == nil {
		return
	}
	t.rec.Deadline = p.model.now.Add(time.Duration(1 + p.rnd.IntN(300)))
	if p.rnd.IntN(8) == 0 {
		t.rec.Deadline = 0
	}
	t.rec.Renewed, t.rec.LeaseTTL = p.model.now, time.Duration(p.rnd.IntN(3))
	for _, f := range []*Forest{p.f, p.twin} {
		f.Renew(f.Find(t.rec.Hash), t.rec.Deadline, t.rec.Renewed, t.rec.LeaseTTL)
	}
}

func (p *pair) charge() {
	t := p.pick()
	if t == nil || t.rec.UsesLeft == 0 {
		return
	}
	t.rec.UsesLeft--
	left := both(p, "Charge", func(f *Forest) uint32 { return f.Charge(f.Find(t.rec.Hash)) })
	if r := p.f.Find(t.rec.Hash); left != t.rec.UsesLeft || p.f.UsesLeft(r) != left || !p.f.Limited(r) {
		p.Fatalf("Charge left %d uses, want %d", left, t.rec.UsesLeft)
	}
}

func (p *pair) expire() {
	limit := p.rnd.IntN(20)
	var due []*modelToken
	settled := !p.f.Pending()
	for _, t := range p.model.tokens {
		if t.rec.Expired(p.model.now) && p.f.Find(t.rec.Hash) != 0 {
			due = append(due, t)
		}
	}
	slices.SortFunc(due, byDeadline)
	if settled {
		next := token.Instant(0)
		for _, t := range p.model.tokens {
			if d := t.rec.Deadline; d != 0 && p.f.Find(t.rec.Hash) != 0 && (next == 0 || d < next) {
				next = d
			}
		}
		if got := p.f.NextDeadline(); got != next {
			p.Fatalf("NextDeadline = %d, want %d", got, next)
		}
	}
	n := both(p, "Expire", func(f *Forest) int { return f.Expire(p.model.now, limit) })
	if settled && n != min(limit, len(due)) {
		p.Fatalf("Expire of %d, at most %d: %d", len(due), limit, n)
	}
	for i, t := range due {
		if marked := p.f.node(p.f.Find(t.rec.Hash)).state != Active; settled && marked != (i < n) {
			p.Fatalf("Expire took %d of %d; number %d: %v", n, len(due), i, marked)
		}
	}
}

func (p *pair) reclaim() {
	limit := p.rnd.IntN(6)
	if p.rnd.IntN(8) == 0 {
		limit = p.f.Len()
	}
	both(p, "Reclaim", func(f *Forest) int {
		before, all := f.Len(), f.Len()
		done := f.Reclaim(limit)
		if done != before-f.Len() || (limit >= all && f.Pending()) {
			p.Fatalf("Reclaim(%d) = %d, and %d of %d tokens are left, pending: %v", limit, done, f.Len(), before, f.Pending())
		}
		return done
	})
	p.model.forget(p, p.f)
}

// freeze checks the image that was taken some time ago, and takes another, from which a
// new twin may grow.
func (p *pair) freeze() {
	if p.image != nil {
		sameRows(p, "an old image", rows(p, p.image), p.rows)
	}
	p.image = p.f.Freeze()
	p.rows = rows(p, p.image)
	z := p.twin.Freeze()
	if z.Header() != p.image.Header() {
		p.Fatalf("header %v, and %v on the twin", p.image.Header(), z.Header())
	}
	sameRows(p, "the twin", rows(p, z), p.rows)
	if p.rnd.IntN(2) == 0 {
		p.twin = restored(p, p.image)
		sameRows(p, "the restored forest", rows(p, p.twin.Freeze()), p.rows)
	}
}

func TestAgainstModel(t *testing.T) {
	t.Parallel()
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			// Some runs reclaim seldom, and some grow large.
			run(t, seed, 400, int(seed%3), 1)
		})
	}
	t.Run("long", func(t *testing.T) {
		t.Parallel()
		steps := 6000
		if testing.Short() {
			steps = 2500
		}
		run(t, 1000, steps, 1, 50)
	})
}

// run makes steps random operations; every so often it looks at everything.
func run(t *testing.T, seed uint64, steps, reclaims, often int) {
	p := &pair{TB: t, rnd: rand.New(rand.NewPCG(seed, 1)), f: New(), twin: New(), model: model{now: 1}}
	ops := []func(){p.insert, p.insert, p.insert, p.insert, p.insert, p.insert, p.again, p.revoke, p.revokeOrphan,
		p.renew, p.charge, p.expire, p.freeze}
	for range reclaims {
		ops = append(ops, p.reclaim, p.reclaim)
	}
	for i := range steps {
		p.model.now += token.Instant(p.rnd.IntN(4))
		op := p.insert
		switch {
		case p.rnd.IntN(100) == 0 && often == 1 || p.rnd.IntN(1500) == 0:
			op = p.revokePrefix
		case often == 1 || p.rnd.IntN(3) == 0:
			op = ops[p.rnd.IntN(len(ops))]
		}
		op()
		if i%often == 0 {
			p.model.compare(t, p.f)
			check(t, p.f)
			check(t, p.twin)
		}
	}
	p.freeze()
	p.f.Expire(p.model.now, p.f.Len())
	p.f.Reclaim(p.f.Len())
	if got, want := p.f.Len(), len(p.model.living()); got != want {
		t.Fatalf("%d tokens are left after all the dead were reclaimed, want %d", got, want)
	}
	p.model.forget(t, p.f)
	p.model.compare(t, p.f)
	check(t, p.f)
}
