// Package lockout counts failed logins, so that guessing a password is refused on every node.
//
// Contract: a Table holds a bounded number of users, the one who failed last at its end; when it is
// full, who has not failed for the longest time makes room. Equal calls give equal tables.
package lockout

import (
	"container/list"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// MaxUsers bounds the users of a Table: names that do not exist are counted, too.
const MaxUsers = 1 << 16

// MaxAlias bounds the bytes of a user's name.
const MaxAlias = 512

// User is whom a failed login named: an alias at a mount, by its UUID.
type User struct {
	Mount string `cbor:"1,keyasint"`
	Alias string `cbor:"2,keyasint"`
}

// Failures are the failed logins of one user in a row.
type Failures struct {
	User  User          `cbor:"1,keyasint"`
	Count uint32        `cbor:"2,keyasint"`
	Last  token.Instant `cbor:"3,keyasint"`
}

// Rule says when failures lock.
type Rule struct {
	Threshold       uint32
	Duration, Reset time.Duration
}

// Table is the failures of all users.
type Table struct {
	users map[User]*list.Element
	order list.List // of *Failures; the last failure is at the end
}

// New returns an empty Table.
func New() *Table { return &Table{users: map[User]*list.Element{}} }

// Len returns how many users have failures.
func (t *Table) Len() int { return len(t.users) }

// Locked reports whether u may not log in at time at.
func (t *Table) Locked(u User, r Rule, at token.Instant) bool {
	f, ok := t.find(u)
	return ok && f.locks(r, at)
}

func (f *Failures) locks(r Rule, at token.Instant) bool {
	return f.Count >= r.Threshold && at.Sub(f.Last) < r.Duration
}

func (t *Table) find(u User) (*Failures, bool) {
	e, ok := t.users[u]
	if !ok {
		return nil, false
	}
	return e.Value.(*Failures), true
}

// Fail counts a failed login. One of a user who is locked does not count: it tells the
// guesser nothing, and must not keep the user out for longer.
func (t *Table) Fail(u User, r Rule, at token.Instant) {
	e, ok := t.users[u]
	if !ok {
		if len(t.users) >= MaxUsers {
			t.Clear(t.order.Front().Value.(*Failures).User)
		}
		t.users[u] = t.order.PushBack(&Failures{User: u, Count: 1, Last: at})
		return
	}
	f := e.Value.(*Failures)
	switch {
	case f.locks(r, at):
		return
	case f.Count >= r.Threshold || at.Sub(f.Last) >= r.Reset:
		f.Count = 0
	}
	f.Count++
	f.Last = at
	t.order.MoveToBack(e)
}

// Has reports whether failures of u are remembered.
func (t *Table) Has(u User) bool {
	_, ok := t.users[u]
	return ok
}

// Clear forgets the failures of u, and reports whether there were any.
func (t *Table) Clear(u User) bool {
	e, ok := t.users[u]
	if ok {
		t.order.Remove(e)
		delete(t.users, u)
	}
	return ok
}

// ClearMount forgets all failures at a mount.
func (t *Table) ClearMount(uuid string) {
	for e := t.order.Front(); e != nil; {
		next := e.Next()
		if u := e.Value.(*Failures).User; u.Mount == uuid {
			t.Clear(u)
		}
		e = next
	}
}

// All returns all failures, the oldest first.
func (t *Table) All() []Failures {
	all := make([]Failures, 0, len(t.users))
	for e := t.order.Front(); e != nil; e = e.Next() {
		all = append(all, *e.Value.(*Failures))
	}
	return all
}

// LockedAt returns those at a mount who may not log in, in the order of their last failures.
func (t *Table) LockedAt(uuid string, r Rule, at token.Instant) []string {
	var names []string
	for e := t.order.Front(); e != nil; e = e.Next() {
		if f := e.Value.(*Failures); f.User.Mount == uuid && f.locks(r, at) {
			names = append(names, f.User.Alias)
		}
	}
	return names
}

// Restore takes the next of what All gave, and reports whether it may stand there.
func (t *Table) Restore(f Failures) bool {
	if _, ok := t.users[f.User]; ok || f.Count == 0 || len(t.users) >= MaxUsers {
		return false
	}
	if last := t.order.Back(); last != nil && last.Value.(*Failures).Last > f.Last {
		return false
	}
	t.users[f.User] = t.order.PushBack(&f)
	return true
}
